"""Tasks: upload, reading, and changes of overlap."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from labeling.toloka.server.engine import work
from labeling.toloka.server.engine.staff import staff_at
from labeling.toloka.server.model.errors import ApiError, conflict, invalid, not_found
from labeling.toloka.server.model.paging import page
from labeling.toloka.server.model.records import (
    ARCHIVED,
    GOLDEN,
    REAL,
    TRAINING,
    Doc,
    PlatformPool,
    Task,
    TaskOrSuite,
    default_overlap,
)
from labeling.toloka.server.model.world import PlatformState
from labeling.toloka.server.routes import operations
from labeling.toloka.server.routes.pools import add_tasks, counts, open_checked, raise_overlap
from labeling.toloka.server.routes.routing import Reply, Request, route
from labeling.toloka.server.routes.shapes.objects import OVERLAP_OR_MIN, TASK_PATCH, TASKS

_T = TypeVar("_T")
_MOST_OVERLAP = 30_000
_MOST_ITEMS = 5_000
_MOST_BYTES = 1_048_576
_ITEM = "__item_idx"  # toloka-kit numbers the items of a request by it


@route("POST", "/v1/tasks", body=TASKS)
def create_tasks(world: PlatformState, request: Request) -> Reply:
    """Create tasks, at once or as an operation."""
    made: list[Task] = []

    def make(form: Doc) -> Task:
        task = _task(world, form, request.flag("allow_defaults"))
        made.append(task)
        return task

    def keep() -> None:
        pools = {task.pool_id: world.pool(task.pool_id) for task in made}
        for pool in pools.values():
            add_tasks(world, pool, [task for task in made if task.pool_id == pool.id])
            if request.flag("open_pool") and not pool.is_open:
                open_checked(world, pool)

    return create(world, request, "TASK", make, keep, Task.view)


def create(
    world: PlatformState,
    request: Request,
    kind: str,
    make: Callable[[Doc], _T],
    keep: Callable[[], None],
    view: Callable[[_T], Doc],
) -> Reply:
    """Create the items of a request by the platform's rules for many items.

    Args:
        world: the platform's state.
        request: one item or a list; `async_mode`, `operation_id`, `skip_invalid_items`.
        kind: TASK, TASK_SUITE or USER_BONUS.
        make: checks a form and makes an object, not yet stored.
        keep: stores all objects made.
        view: returns an object's JSON form.

    Raises:
        ApiError: an operation id used before, too many items, or no valid item.
    """
    as_operation = request.flag("async_mode")
    _check_size(request, as_operation)
    key = request.query.get("operation_id")
    operations.check_new(world, key if as_operation else None)
    forms = request.body if isinstance(request.body, list) else [request.body]
    made: dict[int, _T] = {}
    errors: dict[int, Doc] = {}
    for number, form in enumerate(forms):
        try:
            made[number] = make(plain(form))
        except ApiError as error:
            if error.code != "VALIDATION_ERROR" and not as_operation:
                raise
            errors[number] = error.payload or {"": {"code": error.code, "message": error.message}}
    good = bool(made) and (not errors or request.flag("skip_invalid_items"))
    if good:
        keep()
    if as_operation:
        log = _log(kind, forms, {n: view(o) for n, o in made.items()} if good else {}, errors)
        return _operation(world, request, kind, log, len(forms), len(errors), good)
    if not good:
        payload = next(iter(errors.values())) if isinstance(request.body, dict) else errors
        raise ApiError(400, "VALIDATION_ERROR", "Validation failed", payload)
    if not isinstance(request.body, list):
        return Reply(201, view(made[0]))
    items = {str(number): view(item) for number, item in made.items()}
    return Reply(201, {"items": items, "validation_errors": {str(n): e for n, e in errors.items()}})


def _check_size(request: Request, as_operation: bool) -> None:
    """Refuse a request with more items or more input than the platform's limits."""
    forms = request.body if isinstance(request.body, list) else [request.body]
    if len(forms) > _MOST_ITEMS and not as_operation:
        raise invalid("items", "VALUE_OUT_OF_RANGE", f"at most {_MOST_ITEMS} at once")
    values = [_inputs(form) for form in forms]
    if len(json.dumps(values).encode()) > _MOST_BYTES:
        raise invalid("input_values", "VALUE_OUT_OF_RANGE", f"at most {_MOST_BYTES} bytes in all")


def _inputs(form: Any) -> Any:
    """The input of a task, or of the tasks of a suite."""
    if not isinstance(form, dict):
        return None
    tasks = form.get("tasks")
    return (
        [_inputs(task) for task in tasks] if isinstance(tasks, list) else form.get("input_values")
    )


def plain(form: Doc) -> Doc:
    """A form without toloka-kit's own field."""
    return {name: value for name, value in form.items() if name != _ITEM}


def _log(kind: str, forms: list[Doc], made: dict[int, Doc], errors: dict[int, Doc]) -> list[Doc]:
    """The result of each item; valid items that failed because of others are left out."""
    done = f"{kind}_PERSIST" if kind == "USER_BONUS" else f"{kind}_CREATE"
    lines: list[Doc] = []
    for number, form in enumerate(forms):
        line: Doc = {"type": done, "success": True, "input": form}
        if number in made:
            lines.append({**line, "output": {f"{kind.lower()}_id": made[number]["id"]}})
        elif number in errors:
            wrong = {"type": f"{kind}_VALIDATE", "success": False, "output": errors[number]}
            lines.append({**line, **wrong})
    return lines


def _operation(
    world: PlatformState,
    request: Request,
    kind: str,
    log: list[Doc],
    total: int,
    wrong: int,
    good: bool,
) -> Reply:
    done = total - wrong if good else 0
    details = {
        "total_count": total,
        "valid_count": total - wrong,
        "not_valid_count": wrong,
        "success_count": done,
        "failed_count": total - done,
    }
    names = ("skip_invalid_items", "allow_defaults", "open_pool")
    parameters = {name: request.flag(name) for name in names}
    status = "SUCCESS" if good else "FAIL"
    key = request.query.get("operation_id")
    return operations.start(world, f"{kind}.BATCH_CREATE", parameters, details, log, key, status)


def _task(world: PlatformState, form: Doc, allow_defaults: bool) -> Task:
    pool = pool_of(world, form)
    task = new_task(world, pool, form)
    task.overlap = overlap_of(pool, form, allow_defaults)
    if task.kind == REAL and not pool.reward.micros:
        raise invalid("known_solutions", "VALUE_REQUIRED", "an unpaid pool takes no real tasks")
    if task.kind == REAL and not pool.mix()[0]:
        raise conflict("MIXER_CONFIG_REQUIRED", f"Pool {pool.id} has no mixer_config")
    return task


def new_task(world: PlatformState, pool: PlatformPool, form: Doc) -> Task:
    """A task from a requester's form, not yet stored, without overlap.

    Raises:
        ApiError: its input does not fit the project.
    """
    if "input_values" not in form:
        raise invalid("input_values", "VALUE_REQUIRED", "input values are expected")
    _check_inputs(world, pool, form["input_values"])
    own = ("pool_id", "overlap", "infinite_overlap", "id", "created", "remaining_overlap")
    doc = {name: value for name, value in form.items() if name not in own}
    key = world.ids.within("task", pool.id)
    return Task(key, pool.id, world.now, doc, None, kind=_kind(pool, form))


def overlap_of(pool: PlatformPool, form: Doc, allow_defaults: bool) -> int | None:
    """Overlap of a new task or suite; None for infinite overlap.

    Raises:
        ApiError: the form has no overlap, and defaults are not allowed.
    """
    if form.get("infinite_overlap"):
        return None
    if "overlap" in form:
        return _overlap(form["overlap"])
    if pool.training:
        return None
    overlap = default_overlap(pool) if allow_defaults else None
    if overlap is None:
        raise invalid("overlap", "VALUE_REQUIRED", "overlap or infinite_overlap is expected")
    return overlap


def _kind(pool: PlatformPool, form: Doc) -> str:
    if not form.get("known_solutions"):
        return REAL
    return TRAINING if pool.training or "message_on_unknown_solution" in form else GOLDEN


def pool_of(world: PlatformState, form: Doc) -> PlatformPool:
    """The pool of a new item.

    Raises:
        ApiError: the pool does not exist, or is archived.
    """
    pool = world.pools.get(str(form.get("pool_id")))
    if pool is None:
        raise invalid("pool_id", "ENTITY_DOES_NOT_EXIST", f"pool {form.get('pool_id')} is unknown")
    if pool.status == ARCHIVED:
        raise conflict("POOL_ARCHIVED", f"Pool {pool.id} is archived")
    return pool


def _check_inputs(world: PlatformState, pool: PlatformPool, values: Doc) -> None:
    spec = world.project(pool.doc["project_id"])["task_spec"]["input_spec"]
    for name, field in spec.items():
        if field.get("required", True) and values.get(name) in (None, ""):
            raise invalid(
                f"input_values.{name}",
                "VALUE_REQUIRED",
                "Value must be present and not equal to null",
            )
    for name in values:
        if name not in spec:
            raise invalid(f"input_values.{name}", "UNKNOWN_FIELD", "the project has no such field")


def _overlap(value: int) -> int:
    if not 1 <= value <= _MOST_OVERLAP:
        raise invalid("overlap", "VALUE_OUT_OF_RANGE", f"between 1 and {_MOST_OVERLAP}")
    return value


@route("GET", "/v1/tasks")
def list_tasks(world: PlatformState, request: Request) -> Reply:
    """Tasks of a pool."""
    pool = world.pools.get(request.query.get("pool_id", ""))
    records = pool.tasks if pool else list(world.tasks.values())
    listed = page(records, request.query, ("pool_id", "overlap"), Task.view, 100_000, Task.read)
    return Reply(200, listed)


@route("GET", "/v1/tasks/{id}")
def get_task(world: PlatformState, request: Request) -> Reply:
    """One task."""
    return Reply(200, _get(world, request.id()).view())


@route("PATCH", "/v1/tasks/{id}", body=TASK_PATCH)
def patch_task(world: PlatformState, request: Request) -> Reply:
    """Change overlap or known solutions."""
    task = _get(world, request.id())
    form = plain(request.body)
    for name in ("baseline_solutions", "message_on_unknown_solution", "known_solutions"):
        if name in form:
            task.doc[name] = form[name]
    return patch_overlap(world, request, task, form)


@route("PATCH", "/v1/tasks/{id}/set-overlap-or-min", body=OVERLAP_OR_MIN)
def set_task_overlap_or_min(world: PlatformState, request: Request) -> Reply:
    """Set overlap, at least to the number of assignments already issued."""
    return set_overlap_or_min(world, _get(world, request.id()), plain(request.body))


def patch_overlap(world: PlatformState, request: Request, asked: TaskOrSuite, form: Doc) -> Reply:
    """Change the overlap of a task or suite, and open its pool if the request asks for it."""
    pool = world.pool(asked.pool_id)
    if pool.status == ARCHIVED:
        raise conflict("POOL_ARCHIVED", f"Pool {pool.id} is archived")
    if form.get("infinite_overlap"):
        asked.overlap = None
    elif "overlap" in form:
        _set_overlap(world, pool, asked, form["overlap"])
    if request.flag("open_pool") and not pool.is_open:
        open_checked(world, pool)
    world.changed()
    return Reply(200, asked.view())


def set_overlap_or_min(world: PlatformState, asked: TaskOrSuite, form: Doc) -> Reply:
    """Set the overlap of a task or suite, at least to the number of assignments issued."""
    if form.get("infinite_overlap"):
        asked.overlap = None
    else:
        wanted = max(form["overlap"], asked.given)
        _set_overlap(world, world.pool(asked.pool_id), asked, wanted)
    world.changed()
    return Reply(200, asked.view())


def _set_overlap(
    world: PlatformState, pool: PlatformPool, asked: TaskOrSuite, overlap: int
) -> None:
    """Set an overlap; an open pool raises it when the clock next moves, and lowers it at once."""
    before, asked.overlap = asked.remaining, overlap
    staff = staff_at(pool)
    if not pool.is_open or staff is None or not counts(pool, asked):
        return
    if asked.remaining >= before:
        raise_overlap(pool, asked, asked.remaining - before)
    else:
        work.ask_raised(world, pool)
        staff.lower(asked)
        work.look_whether_complete(world, pool)


def _get(world: PlatformState, key: str) -> Task:
    if key not in world.tasks:
        raise not_found("task", key)
    return world.tasks[key]
