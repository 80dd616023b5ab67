"""Task suites: composed by the requester, or mixed by the platform."""

from __future__ import annotations

from labeling.toloka.server.model.clock import to_iso
from labeling.toloka.server.model.errors import invalid, not_found
from labeling.toloka.server.model.paging import page
from labeling.toloka.server.model.records import (
    Doc,
    PlatformAssignment,
    PlatformPool,
    Task,
    TaskSuite,
)
from labeling.toloka.server.model.world import PlatformState
from labeling.toloka.server.routes.pools import add_tasks, open_checked
from labeling.toloka.server.routes.routing import Reply, Request, route
from labeling.toloka.server.routes.shapes.objects import OVERLAP_OR_MIN, SUITE_PATCH, SUITES
from labeling.toloka.server.routes.tasks import (
    create,
    new_task,
    overlap_of,
    patch_overlap,
    plain,
    pool_of,
    set_overlap_or_min,
)


@route("POST", "/v1/task-suites", body=SUITES)
def create_suites(world: PlatformState, request: Request) -> Reply:
    """Create suites, at once or as an operation."""
    made: list[TaskSuite] = []

    def make(form: Doc) -> TaskSuite:
        suite = _suite(world, form, request.flag("allow_defaults"))
        made.append(suite)
        return suite

    def keep() -> None:
        for key in dict.fromkeys(suite.pool_id for suite in made):
            pool = world.pool(key)
            suites = [suite for suite in made if suite.pool_id == key]
            fresh = [t for suite in suites for t in suite.tasks if t.id not in world.tasks]
            add_tasks(world, pool, list(dict.fromkeys(fresh)), suites)
            if request.flag("open_pool") and not pool.is_open:
                open_checked(world, pool)

    return create(world, request, "TASK_SUITE", make, keep, TaskSuite.view)


def _suite(world: PlatformState, form: Doc, allow_defaults: bool) -> TaskSuite:
    pool = pool_of(world, form)
    if not form.get("tasks"):
        raise invalid("tasks", "VALUE_REQUIRED", "a suite holds at least one task")
    overlap = overlap_of(pool, form, allow_defaults)
    tasks = tuple(_task(world, pool, plain(task_form)) for task_form in form["tasks"])
    for task in tasks:
        if task.id not in world.tasks:
            task.overlap = overlap
    own = ("pool_id", "tasks", "overlap", "infinite_overlap", "id", "created", "remaining_overlap")
    doc = {"issuing_order_override": 0, **{n: v for n, v in form.items() if n not in own}}
    key = world.ids.within("suite", pool.id)
    return TaskSuite(key, pool.id, world.now, doc, overlap, tasks=tasks)


def _task(world: PlatformState, pool: PlatformPool, form: Doc) -> Task:
    """A task of a suite: a task of the pool, by its id, or a new task."""
    key = form.get("id")
    if key is None:
        return new_task(world, pool, form)
    if key not in world.tasks or world.tasks[key].pool_id != pool.id:
        raise invalid("tasks", "ENTITY_DOES_NOT_EXIST", f"task {key} is not in the pool")
    return world.tasks[key]


@route("GET", "/v1/task-suites")
def list_suites(world: PlatformState, request: Request) -> Reply:
    """Suites of a pool, by task."""
    pools = [pool for pool in world.pools.values() if _asked_for(pool, request)]
    records = [doc for pool in pools for doc in _of(pool)]
    query = dict(request.query)
    if "task_id" in query:
        wanted = query.pop("task_id")
        records = [r for r in records if any(task["id"] == wanted for task in r["tasks"])]
    return Reply(200, page(records, query, ("pool_id", "overlap"), dict, most=100_000))


def _asked_for(pool: PlatformPool, request: Request) -> bool:
    return request.query.get("pool_id", pool.id) == pool.id


def _of(pool: PlatformPool) -> list[Doc]:
    mixed = [_mixed(a) for a in pool.assignments if a.suite is None]
    return [*(suite.view() for suite in pool.suites), *mixed]


def _mixed(assignment: PlatformAssignment) -> Doc:
    """A suite that the platform mixed for one annotator."""
    return {
        "id": assignment.task_suite_id,
        "pool_id": assignment.pool_id,
        "tasks": [{"id": task.id, **task.doc} for task in assignment.tasks],
        "overlap": 1,
        "infinite_overlap": False,
        "remaining_overlap": 0,
        "reserved_for": [],
        "unavailable_for": [],
        "issuing_order_override": 0,
        "mixed": True,
        "automerged": False,
        "created": to_iso(assignment.created),
    }


@route("GET", "/v1/task-suites/{id}")
def get_suite(world: PlatformState, request: Request) -> Reply:
    """One suite."""
    if request.id() in world.suites:
        return Reply(200, world.suites[request.id()].view())
    for assignment in world.assignments.values():
        if assignment.task_suite_id == request.id():
            return Reply(200, _mixed(assignment))
    raise not_found("task suite", request.id())


@route("PATCH", "/v1/task-suites/{id}", body=SUITE_PATCH)
def patch_suite(world: PlatformState, request: Request) -> Reply:
    """Change overlap or the order in which suites are issued."""
    suite, form = _own(world, request.id()), plain(request.body)
    if "issuing_order_override" in form:
        suite.doc["issuing_order_override"] = form["issuing_order_override"]
    return patch_overlap(world, request, suite, form)


@route("PATCH", "/v1/task-suites/{id}/set-overlap-or-min", body=OVERLAP_OR_MIN)
def set_suite_overlap_or_min(world: PlatformState, request: Request) -> Reply:
    """Set overlap, at least to the number of assignments already issued."""
    return set_overlap_or_min(world, _own(world, request.id()), plain(request.body))


def _own(world: PlatformState, key: str) -> TaskSuite:
    if key not in world.suites:
        raise not_found("task suite", key)
    return world.suites[key]
