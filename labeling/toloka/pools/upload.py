"""Tasks on the market: uploaded once, their overlap set, read back before a pool is opened."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from budget.errors import MarketError
from labeling.toloka.api.client import Api, kit
from labeling.toloka.api.intents import DONE, INTENT, IntentLog
from labeling.toloka.describe.spec import IMAGE

CHUNK = 1000  # tasks in one request
_LISTED = 10_000  # tasks in one answer
_ATTEMPTS = 5  # names of an operation, should earlier ones have failed
_SPACE = uuid.UUID("6f2c1f2e-6a57-5d3f-9c53-1f0b8a0f7d11")
_INDEX = "__item_idx"  # by which toloka-kit itself finds its items in an operation's log


@dataclass(frozen=True, slots=True)
class Upload:
    """Tasks to create together.

    Attributes:
        pool_id: where.
        key: what they are, such as the order's key; with the pool it names them for good.
        rows: image row of each.
        make: the task of a row.
    """

    pool_id: str
    key: str
    rows: Sequence[int]
    make: Callable[[int], Any]


def operation_id(pool_id: str, key: str, chunk: int, attempt: int = 0) -> uuid.UUID:
    """The same name for the same tasks, so that the platform creates them once."""
    again = f"/{attempt}" if attempt else ""
    return uuid.uuid5(_SPACE, f"{pool_id}/{key}/tasks/{chunk}{again}")


def upload(api: Api, journal: IntentLog, wanted: Upload) -> dict[str, int]:
    """Create tasks, once, however often it is asked for.

    Returns:
        Image row of each task, by the task's id, in the order given.

    Raises:
        MarketError: the platform does not take one of them; then it has taken none.
    """
    ids: dict[str, int] = {}
    for chunk, start in enumerate(range(0, len(wanted.rows), CHUNK)):
        rows = wanted.rows[start : start + CHUNK]
        name = str(operation_id(wanted.pool_id, wanted.key, chunk))
        known = journal.done("tasks", name)
        if known is None:
            made = _create(api, journal, wanted, chunk, rows)
            facts = {"pool": wanted.pool_id, "of": wanted.key, "rows": list(rows), "ids": made}
            known = journal.write("tasks", name, DONE, **facts)
        ids |= dict(zip(known["ids"], known["rows"], strict=True))
    return ids


def _create(
    api: Api, journal: IntentLog, wanted: Upload, chunk: int, rows: Sequence[int]
) -> list[str]:
    """Create a chunk of tasks. Returns their ids, in the order of the rows.

    An operation that failed has created nothing, and its name is used up: the next start takes
    the next name.
    """
    tc = kit()
    tasks = [_indexed(wanted.make(row), at) for at, row in enumerate(rows)]
    for attempt in range(_ATTEMPTS):
        operation = operation_id(wanted.pool_id, wanted.key, chunk, attempt)
        facts = {"pool": wanted.pool_id, "of": wanted.key, "count": len(rows)}
        name = str(operation_id(wanted.pool_id, wanted.key, chunk))
        journal.write("tasks", name, INTENT, operation=str(operation), **facts)
        try:
            return _run(api, operation, tasks)
        except tc.exceptions.FailedOperation:
            continue  # it was used before, and failed
    raise MarketError(
        f"{api.name}: tasks were refused {_ATTEMPTS} times; look into pool {wanted.pool_id}"
    )


def _run(api: Api, operation: uuid.UUID, tasks: list[Any]) -> list[str]:
    """Create tasks as an operation, and read their ids from its log."""
    parameters = kit().task.CreateTasksParameters(
        operation_id=operation,
        async_mode=True,
        allow_defaults=True,
        skip_invalid_items=False,
        open_pool=False,
    )
    key = str(operation)
    started = api.write(
        "uploading tasks",
        lambda client: client.create_tasks_async(tasks, parameters),
        lambda client: client.get_operation(key),
    )
    wait_for(api, started)
    log = api.read(lambda client: client.get_operation_log(key))
    found = {
        int(item.input[_INDEX]): str(item.output["task_id"])
        for item in log
        if item.success and _INDEX in item.input and "task_id" in item.output
    }
    if sorted(found) != list(range(len(tasks))):
        raise MarketError(_complaint(api, log, len(tasks), len(found)))
    return [found[at] for at in range(len(tasks))]


def _indexed(task: Any, at: int) -> Any:
    """The task with its place in the request, as toloka-kit adds it."""
    return kit().Task.structure({**task.unstructure(), _INDEX: str(at)})


def wait_for(api: Api, operation: Any) -> Any:
    """The operation of the platform when it has come to its end, good or bad."""
    key = operation.id
    while not operation.is_completed():
        api.clock.sleep(1)
        operation = api.read(lambda client: client.get_operation(key))
    return operation


def _complaint(api: Api, log: Sequence[Any], wanted: int, made: int) -> str:
    said = next((str(item.output) for item in log if not item.success), "no reason given")
    return f"{api.name}: {made} of {wanted} tasks were taken: {said[:300]}"


def tasks_of(journal: IntentLog, pool_id: str, key: str | None = None) -> dict[str, int]:
    """Image row of every task that the journal has seen uploaded to a pool, by the task's id.

    Args:
        journal: where uploads are written down.
        pool_id: the pool.
        key: only the upload of this key; None for all.
    """
    rows: dict[str, int] = {}
    for record in journal.records("tasks"):
        is_it = record["state"] == DONE and record["pool"] == pool_id
        if is_it and key in (None, record["of"]):
            rows |= dict(zip(record["ids"], record["rows"], strict=True))
    return rows


def read_tasks(api: Api, pool_id: str) -> dict[str, Any]:
    """All tasks of a pool as the platform has them, by id."""
    tasks = api.read(lambda client: list(client.get_tasks(pool_id=pool_id, batch_size=_LISTED)))
    return {task.id: task for task in tasks}


def rows_by_address(tasks: Mapping[str, Any], rows: Mapping[str, int]) -> dict[str, int]:
    """Image row of each task by its image's address: where the journal is not at hand.

    Args:
        tasks: tasks by id.
        rows: row by address.
    """
    return {
        key: rows[task.input_values[IMAGE]]
        for key, task in tasks.items()
        if task.input_values.get(IMAGE) in rows
    }


def set_overlap(api: Api, task_id: str, overlap: int, lower: bool = False) -> None:
    """Have so many answers in all on a task. Asking twice changes nothing.

    Args:
        api: the platform.
        task_id: the task.
        overlap: answers wanted, those that were given in earlier orders included.
        lower: whether that is fewer than were asked for until now.
    """

    def act(client: Any) -> bool:
        if lower:  # takes 0 too, and never less than has been given out
            patch = {"overlap": overlap, "infinite_overlap": False}
            return bool(client.patch_task_overlap_or_min(task_id, **patch))
        return bool(client.patch_task(task_id, overlap=overlap, infinite_overlap=False))

    api.write(
        "changing an overlap",
        act,
        lambda client: client.get_task(task_id).overlap == overlap or None,
    )
