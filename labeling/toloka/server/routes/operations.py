"""Operations: long-running actions of the platform, and their logs."""

from __future__ import annotations

from typing import Any

from labeling.toloka.server.model.clock import to_iso
from labeling.toloka.server.model.errors import conflict, not_found
from labeling.toloka.server.model.paging import page
from labeling.toloka.server.model.records import Doc
from labeling.toloka.server.model.world import PlatformState
from labeling.toloka.server.routes.routing import Reply, Request, route


def start(
    world: PlatformState,
    kind: str,
    parameters: Doc,
    details: Any = None,
    log: list[Doc] | None = None,
    key: str | None = None,
    status: str = "SUCCESS",
) -> Reply:
    """Record an operation that has already taken effect, and answer with it.

    Args:
        world: the platform's state.
        kind: type of the operation, such as "POOL.OPEN".
        parameters: parameters of the request.
        details: result of the operation.
        log: log of the operation, item by item.
        key: the client's own id of the operation.
        status: SUCCESS or FAIL.
    """
    now, operation = to_iso(world.now), key or world.ids.unique("operation")
    doc: Doc = {
        "id": operation,
        "type": kind,
        "status": status,
        "submitted": now,
        "started": now,
        "finished": now,
        "progress": 100,
        "parameters": parameters,
    }
    if details is not None:
        doc["details"] = details
    world.operations[operation] = doc
    world.logs[operation] = log or []
    if world.settings.running:
        return Reply(202, _running(doc))
    return Reply(202, doc)


def check_new(world: PlatformState, key: str | None) -> None:
    """Refuse an operation id that was used before.

    Raises:
        ApiError: OPERATION_ALREADY_EXISTS.
    """
    if key is not None and key in world.operations:
        raise conflict("OPERATION_ALREADY_EXISTS", f"Operation {key} already exists")


def _running(doc: Doc) -> Doc:
    """The JSON form of an operation before it is finished."""
    left_out = ("finished", "details")
    started = {name: value for name, value in doc.items() if name not in left_out}
    return {**started, "status": "RUNNING", "progress": 0}


@route("GET", "/v1/operations")
def list_operations(world: PlatformState, request: Request) -> Reply:
    """All operations, by type and status."""
    records = list(world.operations.values())
    return Reply(200, page(records, request.query, ("type", "status"), dict, most=500))


@route("GET", "/v1/operations/{id}")
def get_operation(world: PlatformState, request: Request) -> Reply:
    """One operation."""
    if request.id() not in world.operations:
        raise not_found("operation", request.id())
    return Reply(200, world.operations[request.id()])


@route("GET", "/v1/operations/{id}/log")
def get_log(world: PlatformState, request: Request) -> Reply:
    """The log of an operation: the result of each item."""
    if request.id() not in world.logs:
        raise not_found("operation", request.id())
    return Reply(200, world.logs[request.id()])
