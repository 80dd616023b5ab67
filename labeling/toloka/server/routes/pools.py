"""Pools and trainings: create, change, open, close, clone, archive."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from labeling.toloka.server.engine import work
from labeling.toloka.server.engine.admission import look_again
from labeling.toloka.server.engine.staff import staff_at
from labeling.toloka.server.model import pricing
from labeling.toloka.server.model.clock import from_iso
from labeling.toloka.server.model.errors import conflict, invalid, not_found
from labeling.toloka.server.model.paging import page
from labeling.toloka.server.model.records import (
    ARCHIVED,
    CLOSED,
    OPEN,
    REAL,
    Doc,
    PlatformPool,
    Task,
    TaskOrSuite,
    TaskSuite,
    mix_of,
    money,
)
from labeling.toloka.server.model.world import PlatformState
from labeling.toloka.server.routes import operations
from labeling.toloka.server.routes.routing import Reply, Request, route
from labeling.toloka.server.routes.shapes.objects import (
    POOL,
    POOL_CHANGE,
    POOL_PATCH,
    TRAINING,
    TRAINING_CHANGE,
)

_SERVER_FIELDS = (
    "id",
    "owner",
    "type",
    "status",
    "last_close_reason",
    "created",
    "last_started",
    "last_stopped",
)


def _form(world: PlatformState, body: Doc, training: bool) -> Doc:
    """A pool's fields from a requester's form, checked and filled in."""
    form = {name: value for name, value in body.items() if name not in _SERVER_FIELDS}
    if world.project(form["project_id"])["status"] == ARCHIVED:
        raise conflict("PROJECT_ARCHIVED", f"Project {form['project_id']} is archived")
    if training:
        return {"assignment_max_duration_seconds": 600, "inherited_instructions": True, **form}
    _check_rate(world, form)
    quality = form.setdefault("quality_control", {})
    for config in quality.setdefault("configs", []):
        config["collector_config"].setdefault("uuid", world.ids.unique("rule"))
    defaults: Doc = {
        "auto_accept_solutions": True,
        "auto_close_after_complete_delay_seconds": 0,
        "priority": 0,
        "metadata": {},
        "may_contain_adult_content": True,
    }
    return {**defaults, **form}


def _check_rate(world: PlatformState, form: Doc) -> None:
    field = "reward_per_assignment"
    reward = money(form[field])
    smallest = world.settings.tariff.smallest_reward
    if reward.micros != 0 and reward < smallest:
        raise invalid(field, "VALUE_LESS_THAN_MIN", f"Value must be 0 or at least {smallest}")


# --- creating and reading; a training answers as a pool, too ---


@route("POST", "/v1/pools", body=POOL)
def create_pool(world: PlatformState, request: Request) -> Reply:
    """Create a closed pool."""
    return _create(world, request, training=False)


@route("POST", "/v1/trainings", body=TRAINING)
def create_training(world: PlatformState, request: Request) -> Reply:
    """Create a closed training."""
    return _create(world, request, training=True)


def _create(world: PlatformState, request: Request, training: bool) -> Reply:
    pool = PlatformPool("", world.now, _form(world, request.body, training), training)
    pool.id = world.ids.number("pool")
    world.pools[pool.id] = pool
    world.changed()
    return Reply(201, pool.view(world.owner))


@route("GET", "/v1/pools")
def list_pools(world: PlatformState, request: Request) -> Reply:
    """Pools, by project and status."""
    return _list(world, request, training=False)


@route("GET", "/v1/trainings")
def list_trainings(world: PlatformState, request: Request) -> Reply:
    """Trainings, by project and status."""
    return _list(world, request, training=True)


def _list(world: PlatformState, request: Request, training: bool) -> Reply:
    records = [pool for pool in world.pools.values() if pool.training == training]

    def view(pool: PlatformPool) -> Doc:
        return pool.view(world.owner)

    return Reply(
        200, page(records, request.query, ("project_id", "status"), view, read=PlatformPool.read)
    )


@route("GET", "/v1/pools/{id}", news=True)
@route("GET", "/v1/trainings/{id}", news=True)
def get_pool(world: PlatformState, request: Request) -> Reply:
    """One pool."""
    return Reply(200, world.pool(request.id()).view(world.owner))


@route("PUT", "/v1/pools/{id}", body=POOL_CHANGE)
def update_pool(world: PlatformState, request: Request) -> Reply:
    """Replace the requester's fields."""
    return _update(world, request, training=False)


@route("PUT", "/v1/trainings/{id}", body=TRAINING_CHANGE)
def update_training(world: PlatformState, request: Request) -> Reply:
    """Replace the requester's fields."""
    return _update(world, request, training=True)


def _update(world: PlatformState, request: Request, training: bool) -> Reply:
    pool = world.pool(request.id())
    if pool.training != training:
        raise not_found(_word(request).lower(), pool.id)
    _check_not_archived(pool)
    project = {"project_id": pool.doc["project_id"]}
    form = _form(world, {**project, **request.body}, training)
    if form["project_id"] != project["project_id"]:
        raise invalid("project_id", "INVALID_VALUE", "a pool stays in its project")
    staff = staff_at(pool)
    if staff is not None and not pool.suites and mix_of(form) != pool.mix():
        raise invalid("mixer_config", "INVALID_VALUE", "the first opening fixes the suite's size")
    pool.doc = form
    if staff is not None:
        staff.revise(pool)
    for user, (home, _) in world.people.items():
        if home == pool.id:
            look_again(world, user)
    world.changed()
    return Reply(200, pool.view(world.owner))


@route("PATCH", "/v1/pools/{id}", body=POOL_PATCH)
def patch_pool(world: PlatformState, request: Request) -> Reply:
    """Change the priority, or the weight of speed against quality."""
    pool = world.pool(request.id())
    _check_not_archived(pool)
    allowed = ("priority", "speed_quality_balance")
    pool.doc |= {name: value for name, value in request.body.items() if name in allowed}
    world.changed()
    return Reply(200, pool.view(world.owner))


# --- opening, closing, archiving, cloning ---


@route("POST", "/v1/pools/{id}/open")
def open_pool(world: PlatformState, request: Request) -> Reply:
    """Open a pool: from now on it spends money."""
    pool = world.pool(request.id())
    if pool.is_open:
        return Reply(204)
    open_checked(world, pool)
    return operations.start(world, f"{_word(request)}.OPEN", _parameters(request))


@route("POST", "/v1/trainings/{id}/open")
def open_training(world: PlatformState, request: Request) -> Reply:
    """Open a training."""
    return open_pool(world, request)


def open_checked(world: PlatformState, pool: PlatformPool) -> None:
    """Open a pool if its state, its tasks and the balance allow it.

    Raises:
        ApiError: the state, the tasks or the balance forbid it.
    """
    if pool.status != CLOSED:
        _inappropriate(pool, CLOSED)
    if not pool.tasks:
        raise conflict("EMPTY_POOL", f"Pool {pool.id} has no tasks")
    if not pool.training:
        if from_iso(pool.doc["will_expire"]) <= world.now:
            raise conflict("INVALID_WILL_EXPIRE", "will_expire has passed")
        if pool.of_kind(REAL) and not pool.suites and not pool.mix()[0]:
            raise conflict("MIXER_CONFIG_REQUIRED", "Set mixer_config with real_tasks_count")
        pricing.check_balance(world, pool)
    work.open_pool(world, pool)


@route("POST", "/v1/pools/{id}/close")
@route("POST", "/v1/trainings/{id}/close")
def close_pool(world: PlatformState, request: Request) -> Reply:
    """Close a pool."""
    return _close(world, request, "MANUAL")


@route("POST", "/v1/pools/{id}/close-for-update")
@route("POST", "/v1/trainings/{id}/close-for-update")
def close_for_update(world: PlatformState, request: Request) -> Reply:
    """Close a pool for a change, after which it is opened again."""
    return _close(world, request, "FOR_UPDATE")


def _close(world: PlatformState, request: Request, reason: str) -> Reply:
    pool = world.pool(request.id())
    if pool.status == CLOSED:
        return Reply(204)
    if pool.status != OPEN:
        _inappropriate(pool, OPEN)
    work.close_pool(world, pool, reason)
    return operations.start(world, f"{_word(request)}.CLOSE", _parameters(request))


@route("POST", "/v1/pools/{id}/archive")
@route("POST", "/v1/trainings/{id}/archive")
def archive_pool(world: PlatformState, request: Request) -> Reply:
    """Archive a closed pool: its results are frozen."""
    pool = world.pool(request.id())
    if pool.status == ARCHIVED:
        return Reply(204)
    if pool.status != CLOSED:
        _inappropriate(pool, CLOSED)
    if pool.active:
        raise conflict("THERE_IS_ACTIVE_ASSIGNMENT", f"Pool {pool.id} has active assignments")
    pool.status = ARCHIVED
    pool.staff = None
    world.changed()
    return operations.start(world, f"{_word(request)}.ARCHIVE", _parameters(request))


@route("POST", "/v1/pools/{id}/clone")
@route("POST", "/v1/trainings/{id}/clone")
def clone_pool(world: PlatformState, request: Request) -> Reply:
    """A new pool with the same settings and no tasks."""
    pool = world.pool(request.id())
    clone = PlatformPool(
        world.ids.number("pool"), world.now, copy.deepcopy(pool.doc), pool.training
    )
    world.pools[clone.id] = clone
    world.changed()
    details = {f"{_word(request).lower()}_id": clone.id}
    return operations.start(world, f"{_word(request)}.CLONE", _parameters(request), details)


def _word(request: Request) -> str:
    return "TRAINING" if request.path.startswith("/v1/trainings") else "POOL"


def _parameters(request: Request) -> Doc:
    return {f"{_word(request).lower()}_id": request.id()}


def _check_not_archived(pool: PlatformPool) -> None:
    if pool.status == ARCHIVED:
        _inappropriate(pool, OPEN, CLOSED)


def _inappropriate(pool: PlatformPool, *wanted: str) -> None:
    raise conflict(
        "INAPPROPRIATE_STATUS",
        f"Pool {pool.id} is {pool.status}",
        {"appropriate_statuses": list(wanted)},
    )


def add_tasks(
    world: PlatformState, pool: PlatformPool, tasks: list[Task], suites: Sequence[TaskSuite] = ()
) -> None:
    """Add tasks and suites to a pool; the annotators of an open pool get them at once.

    Raises:
        ApiError: the pool's suites are already mixed from single tasks, and a suite is added.
    """
    staff = staff_at(pool)
    if suites and staff is not None and not pool.suites:
        raise conflict("POOL_TYPE_MISMATCH", f"Suites of pool {pool.id} are mixed from its tasks")
    pool.tasks.extend(tasks)
    pool.suites.extend(suites)
    world.tasks |= {task.id: task for task in tasks}
    world.suites |= {suite.id: suite for suite in suites}
    if staff is not None:
        staff.extend(pool, tasks, suites)
        for asked in suites or tasks:
            raise_overlap(pool, asked, asked.remaining)
    world.changed()


def raise_overlap(pool: PlatformPool, asked: TaskOrSuite, more: int) -> None:
    """Ask for further answers when the clock next moves."""
    if more > 0 and pool.is_open and counts(pool, asked):
        pool.raises[asked.id] = pool.raises.get(asked.id, 0) + more
        pool.complete = None


def counts(pool: PlatformPool, asked: TaskOrSuite) -> bool:
    """Whether the crowd is asked for this item: for suites if there are any, else real tasks."""
    if pool.suites:
        return isinstance(asked, TaskSuite)
    return isinstance(asked, Task) and asked.kind == REAL
