"""Assignments: list, review, and download as a table."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from labeling.tables.writing import csv_text
from labeling.toloka.server.engine import work
from labeling.toloka.server.engine.admission import banned
from labeling.toloka.server.model.clock import to_iso
from labeling.toloka.server.model.errors import not_found
from labeling.toloka.server.model.paging import page
from labeling.toloka.server.model.questions import right
from labeling.toloka.server.model.records import (
    ACCEPTED,
    REAL,
    Doc,
    PlatformAssignment,
    PlatformPool,
    Task,
)
from labeling.toloka.server.model.world import PlatformState
from labeling.toloka.server.routes.routing import Reply, Request, route
from labeling.toloka.server.routes.shapes.objects import REVIEW

_MOST = 100_000
# The table's words for states.
_WORDS = {"APPROVED": "ACCEPTED"}
_DEFAULT_FIELDS = (
    "ASSIGNMENT:link,ASSIGNMENT:assignment_id,ASSIGNMENT:worker_id,ASSIGNMENT:status,"
    "ASSIGNMENT:started"
)


@route("GET", "/v1/assignments", news=True)
def list_assignments(world: PlatformState, request: Request) -> Reply:
    """Assignments, by pool, suite, task, annotator and status."""
    query = dict(request.query)
    pool = world.pools.get(query.get("pool_id", ""))
    records = list(world.assignments.values())
    if pool is not None:
        del query["pool_id"]
        # Ids rise: a client that reads on from an id needs no earlier assignments.
        first = bisect_left(pool.assignments, query.get("id_gt", ""), key=lambda a: a.id)
        records = pool.assignments[first:]
    if "task_id" in query:
        wanted = query.pop("task_id")
        records = [a for a in records if any(task.id == wanted for task in a.tasks)]

    def view(assignment: PlatformAssignment) -> Doc:
        return assignment.view(world.owner)

    fields = ("pool_id", "task_suite_id", "status", "user_id")
    return Reply(200, page(records, query, fields, view, _MOST, PlatformAssignment.read))


@route("GET", "/v1/assignments/{id}", news=True)
def get_assignment(world: PlatformState, request: Request) -> Reply:
    """One assignment."""
    return Reply(200, _get(world, request.id()).view(world.owner))


@route("PATCH", "/v1/assignments/{id}", body=REVIEW)
def patch_assignment(world: PlatformState, request: Request) -> Reply:
    """Accept or reject an assignment, with a comment to the annotator."""
    assignment = _get(world, request.id())
    status, comment = request.body.get("status"), request.body.get("public_comment")
    if status is None:
        assignment.public_comment = comment
    else:
        work.decide(world, assignment, status, comment)
        work.reopen(world)
    return Reply(200, assignment.view(world.owner))


def _get(world: PlatformState, key: str) -> PlatformAssignment:
    if key not in world.assignments:
        raise not_found("assignment", key)
    return world.assignments[key]


@route("GET", "/new/requester/pools/{id}/assignments.tsv", news=True)
def download(world: PlatformState, request: Request) -> Reply:
    """The answers as a table, one row per task."""
    pool = world.pool(request.id())
    query = request.query
    words = query.get("status", "APPROVED").split(",")
    wanted = {_WORDS.get(word, word) for word in words}
    fields = query.get("field", _DEFAULT_FIELDS).split(",")
    leave_out = query.get("excludeBanned", "false").lower() == "true"
    spec = world.project(pool.doc["project_id"])["task_spec"]
    inputs, outputs = list(spec["input_spec"]), list(spec["output_spec"])
    header = (
        [f"INPUT:{name}" for name in inputs]
        + [f"OUTPUT:{name}" for name in outputs]
        + [f"GOLDEN:{name}" for name in outputs]
        + ["HINT:text"]
        + fields
    )
    rows: list[list[str]] = []
    for assignment in pool.assignments:
        if assignment.status not in wanted:
            continue
        if leave_out and banned(world, pool, assignment.user_id) is not None:
            continue
        for task, answer in zip(assignment.tasks, assignment.answers, strict=True):
            solution = (task.doc.get("known_solutions") or [{"output_values": {}}])[0]
            shown = [
                *(task.doc["input_values"].get(name) for name in inputs),
                *(answer.get(name) for name in outputs),
                *(solution["output_values"].get(name) for name in outputs),
                task.doc.get("message_on_unknown_solution"),
                *(_field(world, pool, assignment, task, answer, name) for name in fields),
            ]
            rows.append([_cell(value) for value in shown])
    return Reply(200, csv_text(header, rows, "\t"), "text/tab-separated-values; charset=utf-8")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _field(
    world: PlatformState,
    pool: PlatformPool,
    assignment: PlatformAssignment,
    task: Task,
    answer: Doc,
    name: str,
) -> Any:
    status = {v: k for k, v in _WORDS.items()}.get(assignment.status, assignment.status)
    golden = task.kind != REAL
    plain: Doc = {
        "link": f"/task/{pool.id}/{assignment.id}",
        "assignment_id": assignment.id,
        "task_id": task.id,
        "task_suite_id": assignment.task_suite_id,
        "worker_id": assignment.user_id,
        "status": status,
        "reward": assignment.reward.exact(),
        "started": to_iso(assignment.created),
        "submitted": _time(assignment.submitted),
        "accepted": _time(assignment.accepted),
        "rejected": _time(assignment.rejected),
        "skipped": _time(assignment.skipped),
        "expired": _time(assignment.expired),
    }
    group, _, field = name.partition(":")
    if group == "ASSIGNMENT" and field in plain:
        return plain[field]
    if name == "ACCEPT:verdict":
        return "+" if assignment.status == ACCEPTED else "-"
    if name == "ACCEPT:comment":
        return assignment.public_comment
    if name == "GOLDEN:correct" and golden:
        return right(task, answer)
    return None


def _time(at: int | None) -> str | None:
    return to_iso(at) if at is not None else None
