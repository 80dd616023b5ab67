"""Quality control: the conditions and the actions of rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from labeling.toloka.server.engine import collectors, review
from labeling.toloka.server.engine.admission import admitted, banned, look_again
from labeling.toloka.server.engine.collectors import Values
from labeling.toloka.server.model.clock import to_iso
from labeling.toloka.server.model.filters import COMPARE
from labeling.toloka.server.model.records import (
    REAL,
    SUBMITTED,
    Doc,
    PlatformAssignment,
    PlatformPool,
    Task,
)
from labeling.toloka.server.model.world import PlatformState

_UNITS = {"MINUTES": 60_000, "HOURS": 3_600_000, "DAYS": 86_400_000}
_ON_SUBMISSION = frozenset(
    ("GOLDEN_SET", "ASSIGNMENT_SUBMIT_TIME", "MAJORITY_VOTE", "INCOME", "ANSWER_COUNT", "TRAINING")
)


def after_submission(
    world: PlatformState, pool: PlatformPool, assignment: PlatformAssignment
) -> None:
    """Apply the rules on submissions to the annotator and to others who answered the same tasks.

    Rules are independent: a rule that bans does not stop another rule.
    """
    others = {u for t in assignment.tasks if t.kind == REAL for u, _ in t.answered}
    working = sorted(user for user in others if banned(world, pool, user) is None)
    for config, rules in _configs(world, pool):
        if config.get("type") in _ON_SUBMISSION:
            _apply(world, pool, config, rules, assignment.user_id)
        if config.get("type") == "MAJORITY_VOTE":
            for user in working:
                if user != assignment.user_id:
                    _apply(world, pool, config, rules, user)


def after_skipping(
    world: PlatformState, pool: PlatformPool, assignment: PlatformAssignment
) -> None:
    """Apply the rules on suites handed back."""
    for config, rules in _configs(world, pool):
        if config.get("type") == "SKIPPED_IN_ROW_ASSIGNMENTS":
            _apply(world, pool, config, rules, assignment.user_id)


def after_review(world: PlatformState, assignment: PlatformAssignment, event: str) -> None:
    """Apply the rules on acceptance and rejection."""
    pool = world.pools[assignment.pool_id]
    for config, rules in _configs(world, pool):
        if config.get("type") == "ACCEPTANCE_RATE":
            _apply(world, pool, config, rules, assignment.user_id)
        if config.get("type") == "ASSIGNMENTS_ASSESSMENT":
            values = {"assessment_event": event, **_assessed(pool, assignment)}
            for rule in rules:
                if _holds(rule, values) and rule["action"]["type"] == "CHANGE_OVERLAP":
                    _change_overlap(world, pool, assignment.tasks, rule["action"])


def restrict(world: PlatformState, form: Doc) -> Doc:
    """Ban an annotator: the annotator gets no further suites in the ban's scope.

    An existing ban in the same scope is changed, not doubled.
    """
    user = form["user_id"]
    same = [ban for ban in world.bans.get(user, ()) if _place(ban) == _place(form)]
    doc = next((ban for ban in same if not ban.get("over")), None)
    if doc is None:
        doc = {"id": world.ids.number("restriction"), "created": to_iso(world.now)}
        world.restrictions[doc["id"]] = doc
        world.bans.setdefault(user, []).append(doc)
    else:
        doc.pop("will_expire", None)
    doc |= form
    if "will_expire" in doc and doc not in world.ending:
        world.ending.append(doc)
    world.changed()
    look_again(world, user)
    _revoked(world, user, "RESTRICTION", None)
    return doc


def _place(ban: Doc) -> tuple[Any, ...]:
    """The scope of a ban, with its pool or project."""
    scope = ban["scope"]
    place = {"POOL": "pool_id", "PROJECT": "project_id"}.get(scope, "")
    return scope, ban.get(place)


def lift(world: PlatformState, ban: Doc) -> None:
    """End a ban; the rules start to count again from 0."""
    ban["over"] = True
    world.ending = [other for other in world.ending if other is not ban]
    user = ban["user_id"]
    for pool in world.pools.values():
        if user in pool.history:
            pool.since[user] = len(pool.history[user])
    look_again(world, user)


def give_skill(world: PlatformState, user: str, skill: str, value: float) -> Doc:
    """Set an annotator's skill, and update the annotator's admission."""
    doc = world.set_skill(user, skill, value, to_iso(world.now))
    look_again(world, user)
    _revoked(world, user, "SKILL_CHANGE", skill)
    return doc


def _configs(world: PlatformState, pool: PlatformPool) -> Iterator[tuple[Doc, list[Doc]]]:
    """Collectors and their rules: of the pool, then of its project."""
    for owner in (pool.doc, world.projects[pool.doc["project_id"]]):
        for config in (owner.get("quality_control") or {}).get("configs", ()):
            yield config["collector_config"], config.get("rules", [])


def _apply(
    world: PlatformState, pool: PlatformPool, config: Doc, rules: list[Doc], user: str
) -> None:
    values = collectors.values(world, pool, config, user)
    for rule in rules:
        if _holds(rule, values):
            act = _ACTIONS.get(rule["action"]["type"])
            if act is not None:
                parameters = rule["action"].get("parameters") or {}
                act(world, pool, user, parameters, values)


def _holds(rule: Doc, values: Values) -> bool:
    return all(
        condition["key"] in values
        and COMPARE[condition["operator"]](
            values[condition["key"]], _like(values[condition["key"]], condition["value"])
        )
        for condition in rule["conditions"]
    )


def _like(value: Any, wanted: Any) -> Any:
    return str(wanted) if isinstance(value, str) else float(wanted)


# --- actions ---


def _restriction(
    world: PlatformState, pool: PlatformPool, user: str, given: Doc, values: Values
) -> None:
    form: Doc = {"user_id": user, "scope": given["scope"]}
    if given["scope"] == "POOL":
        form["pool_id"] = pool.id
    if given["scope"] in ("POOL", "PROJECT"):
        form["project_id"] = pool.doc["project_id"]
    if given.get("private_comment"):
        form["private_comment"] = given["private_comment"]
    unit = given.get("duration_unit", "DAYS")
    length = given.get("duration", given.get("duration_days"))
    if unit != "PERMANENT" and length is not None:
        form["will_expire"] = to_iso(world.now + int(length) * _UNITS[unit])
    standing = [b for b in world.bans.get(user, ()) if _place(b) == _place(form)]
    if not any(_outlasts(ban, form) for ban in standing if not ban.get("over")):
        restrict(world, form)


def _outlasts(ban: Doc, other: Doc) -> bool:
    """Whether a ban holds at least as long as another."""
    if "will_expire" not in ban:
        return True
    return "will_expire" in other and bool(ban["will_expire"] >= other["will_expire"])


def _set_skill(
    world: PlatformState, pool: PlatformPool, user: str, given: Doc, values: Values
) -> None:
    give_skill(world, user, str(given["skill_id"]), float(given["skill_value"]))


def _set_skill_from(
    world: PlatformState, pool: PlatformPool, user: str, given: Doc, values: Values
) -> None:
    field = given["from_field"]
    value = values.get(f"golden_set_{field}", values.get(field))
    if value is not None:
        give_skill(world, user, str(given["skill_id"]), float(value))


def _accept_all(
    world: PlatformState, pool: PlatformPool, user: str, given: Doc, values: Values
) -> None:
    _review_all(world, pool, user, "ACCEPTED", None)


def _reject_all(
    world: PlatformState, pool: PlatformPool, user: str, given: Doc, values: Values
) -> None:
    _review_all(world, pool, user, "REJECTED", given.get("public_comment"))


def _review_all(
    world: PlatformState, pool: PlatformPool, user: str, status: str, comment: str | None
) -> None:
    for assignment in list(pool.history.get(user, ())):
        if assignment.status == SUBMITTED:
            after_review(world, assignment, review.decide(world, assignment, status, comment))


_ACTIONS: dict[str, Callable[[PlatformState, PlatformPool, str, Doc, Values], None]] = {
    "RESTRICTION": _restriction,
    "RESTRICTION_V2": _restriction,
    "SET_SKILL": _set_skill,
    "SET_SKILL_FROM_OUTPUT_FIELD": _set_skill_from,
    "APPROVE_ALL_ASSIGNMENTS": _accept_all,
    "REJECT_ALL_ASSIGNMENTS": _reject_all,
}


def _assessed(pool: PlatformPool, assignment: PlatformAssignment) -> Values:
    same = [a.status for a in pool.assignments if a.task_suite_id == assignment.task_suite_id]
    return {
        "accepted_assignments_count": same.count("ACCEPTED"),
        "rejected_assignments_count": same.count("REJECTED"),
        "pending_assignments_count": same.count("SUBMITTED"),
    }


def _revoked(world: PlatformState, user: str, reason: str, skill: str | None) -> None:
    """Ask for the answers of an excluded annotator again, if a rule of the pool says so."""
    home = world.people.get(user)
    if home is None:
        return
    pool = world.pools[home[0]]
    if banned(world, pool, user) is None and admitted(world, pool, user):
        return
    values: Values = {"pool_access_revoked_reason": reason, "skill_id": skill or ""}
    for config, rules in _configs(world, pool):
        for rule in rules if config.get("type") == "USERS_ASSESSMENT" else ():
            if _holds(rule, values) and rule["action"]["type"] == "CHANGE_OVERLAP":
                tasks = [t for a in pool.history.get(user, ()) for t in a.tasks]
                _change_overlap(world, pool, tasks, rule["action"])


def _change_overlap(world: PlatformState, pool: PlatformPool, tasks: Any, action: Doc) -> None:
    """Ask for `delta` further answers to tasks; a finished pool may be opened again."""
    given = action.get("parameters") or {}
    delta = int(given.get("delta", 1))
    wanted: dict[str, Task] = {t.id: t for t in tasks if t.kind == REAL}
    for task in wanted.values():
        if task.overlap is not None:
            task.overlap += delta
            if pool.is_open:
                pool.raises[task.id] = pool.raises.get(task.id, 0) + delta
                pool.complete = None
    if given.get("open_pool") and wanted:
        world.to_open.append(pool.id)
