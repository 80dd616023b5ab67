"""Tasks on the market: upload, overlap and reading back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from budget.errors import MarketError
from labeling.toloka.api.client import Api, kit
from labeling.toloka.api.intents import DONE, INTENT, IntentLog
from labeling.toloka.describe.spec import IMAGE

CHUNK = 1000  # tasks in one request
_LISTED = 10_000  # tasks in one answer
_AT_ONCE = 8  # requests; the platform takes 300 a second
_ATTEMPTS = 5  # ids of an operation to try, if earlier operations have failed
_SPACE = uuid.UUID("6f2c1f2e-6a57-5d3f-9c53-1f0b8a0f7d11")
_INDEX = "__item_idx"  # field by which toloka-kit finds its items in an operation's log


@dataclass(frozen=True, slots=True)
class Upload:
    """Tasks to create together.

    Attributes:
        pool_id: id of the pool.
        key: name of the upload, such as the order's key; unique in the pool, and never reused.
        rows: image row of each task.
        make: creates the task of a row.
    """

    pool_id: str
    key: str
    rows: Sequence[int]
    make: Callable[[int], Any]


def operation_id(pool_id: str, key: str, chunk: int, attempt: int = 0) -> uuid.UUID:
    """Id of an upload operation; the same tasks get the same id, so they are created once."""
    again = f"/{attempt}" if attempt else ""
    return uuid.uuid5(_SPACE, f"{pool_id}/{key}/tasks/{chunk}{again}")


def upload(api: Api, journal: IntentLog, wanted: Upload) -> dict[str, int]:
    """Create tasks once; a repeated call returns the same tasks.

    Returns:
        Image row of each task, by the task's id, in the given order.

    Raises:
        MarketError: the platform refuses a task; then it has created none.
    """
    ids: dict[str, int] = {}
    for chunk, start in enumerate(range(0, len(wanted.rows), CHUNK)):
        rows = wanted.rows[start : start + CHUNK]
        name = str(operation_id(wanted.pool_id, wanted.key, chunk))
        record = journal.done("tasks", name)
        if record is None:
            made = _create(api, journal, wanted, chunk, rows)
            facts = {"pool": wanted.pool_id, "of": wanted.key, "rows": list(rows), "ids": made}
            record = journal.write("tasks", name, DONE, **facts)
        ids |= dict(zip(record["ids"], record["rows"], strict=True))
    return ids


def _create(
    api: Api, journal: IntentLog, wanted: Upload, chunk: int, rows: Sequence[int]
) -> list[str]:
    """Create a chunk of tasks; return their ids, in the order of the rows.

    A failed operation has created no tasks, and its id cannot be used again: the next attempt takes
    the next id.
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
            # An earlier start used this id, and its operation failed.
            continue
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
    # If the answer is lost, the operation is read by its id: it exists if the platform took it.
    started = api.write(
        "uploading tasks",
        lambda client: client.create_tasks_async(tasks, parameters),
        lambda client: client.get_operation(key),
    )
    wait_for(api, started)
    log = api.read(lambda client: client.get_operation_log(key))
    ids = {
        int(item.input[_INDEX]): str(item.output["task_id"])
        for item in log
        if item.success and _INDEX in item.input and "task_id" in item.output
    }
    if sorted(ids) != list(range(len(tasks))):
        raise MarketError(_complaint(api, log, len(tasks), len(ids)))
    return [ids[at] for at in range(len(tasks))]


def _indexed(task: Any, at: int) -> Any:
    """The task with its place in the request, in toloka-kit's own field."""
    return kit().Task.structure({**task.unstructure(), _INDEX: str(at)})


def wait_for(api: Api, operation: Any) -> Any:
    """Wait for the end of an operation, successful or failed; return its final state."""
    key = operation.id
    while not operation.is_completed():
        api.clock.sleep(1)
        operation = api.read(lambda client: client.get_operation(key))
    return operation


def _complaint(api: Api, log: Sequence[Any], wanted: int, made: int) -> str:
    said = next((str(item.output) for item in log if not item.success), "no reason given")
    return f"{api.name}: {made} of {wanted} tasks were taken: {said[:300]}"


def tasks_of(journal: IntentLog, pool_id: str, key: str | None = None) -> dict[str, int]:
    """Image row of every task that the journal recorded for a pool, by the task's id.

    Args:
        journal: records uploads.
        pool_id: id of the pool.
        key: key of an upload; None for all uploads.
    """
    rows: dict[str, int] = {}
    for record in journal.records("tasks"):
        is_it = record["state"] == DONE and record["pool"] == pool_id
        if is_it and key in (None, record["of"]):
            rows |= dict(zip(record["ids"], record["rows"], strict=True))
    return rows


def read_tasks(api: Api, pool_id: str) -> dict[str, Any]:
    """All tasks of a pool on the platform, by id."""
    tasks = api.read(lambda client: list(client.get_tasks(pool_id=pool_id, batch_size=_LISTED)))
    return {task.id: task for task in tasks}


def rows_by_address(tasks: Mapping[str, Any], rows: Mapping[str, int]) -> dict[str, int]:
    """Image row of each task, matched by the image's address; needs no journal.

    Args:
        tasks: tasks by id.
        rows: rows by address.
    """
    return {
        key: rows[task.input_values[IMAGE]]
        for key, task in tasks.items()
        if task.input_values.get(IMAGE) in rows
    }


def set_overlaps(api: Api, changes: Mapping[str, tuple[int, bool]]) -> None:
    """Set the overlap of many tasks of a closed pool.

    The platform has no request for several tasks. So a few requests are under way at once; a killed
    process repeats those that had no effect.

    Args:
        api: the platform.
        changes: by id of the task the answers wanted in all, and whether these are fewer.
    """
    workers = ThreadPoolExecutor(_AT_ONCE)
    try:
        made = [workers.submit(set_overlap, api, key, *change) for key, change in changes.items()]
        for one in as_completed(made):
            one.result()
    finally:
        workers.shutdown(cancel_futures=True)  # after an error or a signal no request is begun


def set_overlap(api: Api, task_id: str, overlap: int, lower: bool = False) -> None:
    """Set the number of answers in all to a task; a repeated call changes nothing.

    Args:
        api: the platform.
        task_id: id of the task.
        overlap: answers wanted in all, answers of earlier orders included.
        lower: whether this is fewer than before.
    """

    def act(client: Any) -> bool:
        # This call accepts 0, and never sets fewer than the assignments already issued.
        if lower:
            patch = {"overlap": overlap, "infinite_overlap": False}
            return bool(client.patch_task_overlap_or_min(task_id, **patch))
        return bool(client.patch_task(task_id, overlap=overlap, infinite_overlap=False))

    api.write(
        "changing an overlap",
        act,
        lambda client: client.get_task(task_id).overlap == overlap or None,
    )
