"""The requester, projects, skills, restrictions, and annotators' profiles."""

from __future__ import annotations

from labeling.toloka.server.engine.admission import look_again
from labeling.toloka.server.engine.rules import give_skill, lift, restrict
from labeling.toloka.server.model.clock import to_iso
from labeling.toloka.server.model.errors import conflict, invalid, not_found
from labeling.toloka.server.model.ids import digest
from labeling.toloka.server.model.paging import page
from labeling.toloka.server.model.records import OPEN, Doc
from labeling.toloka.server.model.world import PlatformState
from labeling.toloka.server.routes import operations
from labeling.toloka.server.routes.routing import Reply, Request, route
from labeling.toloka.server.routes.shapes.objects import (
    PROJECT,
    RESTRICTION,
    RESTRICTION_FIELDS,
    SKILL,
    USER_SKILL,
)


@route("GET", "/v1/requester")
def requester(world: PlatformState, request: Request) -> Reply:
    """The requester, with the account's balance."""
    doc = {
        "id": world.owner["id"],
        "balance": float(world.account.balance.exact()),
        "public_name": {"EN": "Local requester"},
    }
    return Reply(200, doc)


# --- projects ---


@route("POST", "/v1/projects", body=PROJECT)
def create_project(world: PlatformState, request: Request) -> Reply:
    """Create a project."""
    form = _project(request.body)
    key = world.ids.number("project")
    world.projects[key] = {
        "assignments_issuing_type": "AUTOMATED",
        **form,
        "id": key,
        "status": "ACTIVE",
        "owner": world.owner,
        "created": to_iso(world.now),
    }
    world.changed()
    return Reply(201, world.projects[key])


def _project(form: Doc) -> Doc:
    spec = form["task_spec"]
    return {**form, "task_spec": {**spec, "view_spec": {"type": "classic", **spec["view_spec"]}}}


@route("GET", "/v1/projects")
def list_projects(world: PlatformState, request: Request) -> Reply:
    """Projects, by status."""
    return Reply(200, page(list(world.projects.values()), request.query, ("status",), dict))


@route("GET", "/v1/projects/{id}")
def get_project(world: PlatformState, request: Request) -> Reply:
    """One project."""
    return Reply(200, world.project(request.id()))


@route("PUT", "/v1/projects/{id}", body=PROJECT)
def update_project(world: PlatformState, request: Request) -> Reply:
    """Replace the requester's fields."""
    old = world.project(request.id())
    form = _project(request.body)
    kept = {name: old[name] for name in ("id", "status", "owner", "created")}
    world.projects[request.id()] = {**form, **kept}
    world.changed()
    return Reply(200, world.projects[request.id()])


@route("POST", "/v1/projects/{id}/archive")
def archive_project(world: PlatformState, request: Request) -> Reply:
    """Archive a project that has no open pool."""
    project = world.project(request.id())
    if any(p.status == OPEN and p.doc["project_id"] == request.id() for p in world.pools.values()):
        raise conflict("ACTIVE_ENTITY_CONTAINS", "The project has open pools")
    if project["status"] == "ARCHIVED":
        return Reply(204)
    project["status"] = "ARCHIVED"
    world.changed()
    return operations.start(world, "PROJECT.ARCHIVE", {"project_id": request.id()})


# --- skills ---


@route("POST", "/v1/skills", body=SKILL)
def create_skill(world: PlatformState, request: Request) -> Reply:
    """Create a skill; its name must be unique."""
    form = request.body
    if any(skill["name"] == form["name"] for skill in world.skills.values()):
        raise invalid("name", "NAME_IS_NOT_UNIQUE", f"a skill {form['name']!r} exists")
    key = world.ids.number("skill")
    world.skills[key] = {
        "hidden": True,
        "deprecated": False,
        **form,
        "id": key,
        "owner": world.owner,
        "global": False,
        "training": False,
        "created": to_iso(world.now),
    }
    return Reply(201, world.skills[key])


@route("GET", "/v1/skills")
def list_skills(world: PlatformState, request: Request) -> Reply:
    """Skills, by name."""
    return Reply(200, page(list(world.skills.values()), request.query, ("name",), dict))


@route("GET", "/v1/skills/{id}")
def get_skill(world: PlatformState, request: Request) -> Reply:
    """One skill."""
    return Reply(200, _skill(world, request.id()))


@route("PUT", "/v1/skills/{id}", body=SKILL)
def update_skill(world: PlatformState, request: Request) -> Reply:
    """Replace the requester's fields."""
    skill = _skill(world, request.id())
    kept = {name: skill[name] for name in ("id", "owner", "global", "training", "created")}
    skill |= request.body | kept
    return Reply(200, skill)


def _skill(world: PlatformState, key: str) -> Doc:
    if key not in world.skills:
        raise not_found("skill", key)
    return world.skills[key]


@route("PUT", "/v1/user-skills", body=USER_SKILL)
def set_user_skill(world: PlatformState, request: Request) -> Reply:
    """Set an annotator's value of a skill."""
    form = request.body
    _skill(world, form["skill_id"])
    skill = give_skill(world, form["user_id"], form["skill_id"], float(form["value"]))
    return Reply(200, skill)


@route("GET", "/v1/user-skills")
def list_user_skills(world: PlatformState, request: Request) -> Reply:
    """Annotators' skills, by annotator and skill."""
    records = list(world.user_skills.values())
    return Reply(200, page(records, request.query, ("user_id", "skill_id"), dict))


@route("GET", "/v1/user-skills/{id}")
def get_user_skill(world: PlatformState, request: Request) -> Reply:
    """An annotator's value of a skill."""
    return Reply(200, _user_skill(world, request.id()))


@route("DELETE", "/v1/user-skills/{id}")
def delete_user_skill(world: PlatformState, request: Request) -> Reply:
    """Remove an annotator's skill."""
    doc = _user_skill(world, request.id())
    world.drop_skill(doc["user_id"], doc["skill_id"])
    look_again(world, doc["user_id"])
    return Reply(204)


def _user_skill(world: PlatformState, key: str) -> Doc:
    for doc in world.user_skills.values():
        if doc["id"] == key:
            return doc
    raise not_found("user skill", key)


# --- restrictions ---


@route("PUT", "/v1/user-restrictions", body=RESTRICTION)
def set_restriction(world: PlatformState, request: Request) -> Reply:
    """Ban an annotator."""
    known = {name: request.body[name] for name in RESTRICTION_FIELDS if name in request.body}
    return Reply(200, restrict(world, known))


@route("GET", "/v1/user-restrictions")
def list_restrictions(world: PlatformState, request: Request) -> Reply:
    """Current bans, by scope, annotator, pool and project."""
    records = [doc for doc in world.restrictions.values() if not doc.get("over")]
    fields = ("scope", "user_id", "pool_id", "project_id")
    return Reply(200, page(records, request.query, fields, dict))


@route("GET", "/v1/user-restrictions/{id}")
def get_restriction(world: PlatformState, request: Request) -> Reply:
    """One ban."""
    return Reply(200, _restriction(world, request.id()))


@route("DELETE", "/v1/user-restrictions/{id}")
def delete_restriction(world: PlatformState, request: Request) -> Reply:
    """Lift a ban."""
    lift(world, _restriction(world, request.id()))
    return Reply(204)


def _restriction(world: PlatformState, key: str) -> Doc:
    doc = world.restrictions.get(key)
    if doc is None or doc.get("over"):
        raise not_found("user restriction", key)
    return doc


@route("GET", "/v1/user-metadata/{id}")
def user_metadata(world: PlatformState, request: Request) -> Reply:
    """An annotator's profile, drawn from the id."""
    user = request.id()
    if user not in world.people:
        raise not_found("user", user)
    number = int(digest("profile", user), 16)
    countries = ("IN", "KE", "PH", "TR", "BR", "NG", "PK", "ID")
    doc = {
        "id": user,
        "country": countries[number % len(countries)],
        "languages": ["EN"],
        "adult_allowed": bool(number >> 8 & 1),
        "attributes": {
            "country_by_phone": countries[number % len(countries)],
            "country_by_ip": countries[number % len(countries)],
            "client_type": ("TOLOKA_APP", "BROWSER")[number >> 9 & 1],
            "user_agent_type": ("MOBILE_BROWSER", "BROWSER")[number >> 9 & 1],
            "device_category": ("SMARTPHONE", "PERSONAL_COMPUTER")[number >> 9 & 1],
            "os_family": ("ANDROID", "WINDOWS")[number >> 9 & 1],
            "os_version": 10.0,
            "os_version_major": 10,
            "os_version_minor": 0,
            "os_version_bugfix": 0,
        },
    }
    return Reply(200, doc)
