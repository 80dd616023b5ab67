"""Analytics: figures about pools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from budget.money import ZERO
from labeling.toloka.server.model.clock import to_iso
from labeling.toloka.server.model.records import (
    ACCEPTED,
    ACTIVE,
    DONE,
    EXPIRED,
    REAL,
    REJECTED,
    SKIPPED,
    SUBMITTED,
    PlatformPool,
)
from labeling.toloka.server.model.world import PlatformState
from labeling.toloka.server.routes import operations
from labeling.toloka.server.routes.routing import Reply, Request, route
from labeling.toloka.server.routes.shapes.shape import form, identifier, listing, one_of

_MOST = 10


def _count(*states: str) -> Callable[[PlatformState, PlatformPool], Any]:
    return lambda world, pool: sum(a.status in states for a in pool.assignments)


def _completion(world: PlatformState, pool: PlatformPool) -> Any:
    real = [task for task in pool.of_kind(REAL) if task.overlap is not None]
    wanted = sum(task.overlap or 0 for task in real)
    got = sum(min(len(task.answered), task.overlap or 0) for task in real)
    return {"value": 100 * got // wanted if wanted else 100}


def _spent(world: PlatformState, pool: PlatformPool) -> Any:
    paid = sum((a.reward for a in pool.assignments if a.status == ACCEPTED), ZERO)
    return float(paid.exact())


def _people(*states: str) -> Callable[[PlatformState, PlatformPool], Any]:
    return lambda world, pool: len({a.user_id for a in pool.assignments if a.status in states})


def _average(world: PlatformState, pool: PlatformPool) -> Any:
    done = [a for a in pool.assignments if a.status in DONE and a.submitted is not None]
    times = [(a.submitted or 0) - a.created for a in done]
    return round(sum(times) / len(times)) if times else 0


def _estimated(world: PlatformState, pool: PlatformPool) -> Any:
    real = max(1, pool.mix()[0])
    wanted = sum(task.overlap or 0 for task in pool.of_kind(REAL))
    return -(-wanted // real)


_FIGURES: dict[str, Callable[[PlatformState, PlatformPool], Any]] = {
    "real_tasks_count": lambda world, pool: len(pool.of_kind(REAL)),
    "submitted_assignments_count": _count(*DONE),
    "approved_assignments_count": _count(ACCEPTED),
    "rejected_assignments_count": _count(REJECTED),
    "skipped_assignments_count": _count(SKIPPED),
    "expired_assignments_count": _count(EXPIRED),
    "active_assignments_count": _count(ACTIVE),
    "pending_assignments_count": _count(SUBMITTED),
    "completion_percentage": _completion,
    "spent_budget": _spent,
    "avg_submit_assignment_millis": _average,
    "unique_workers_count": _people(ACTIVE, SKIPPED, EXPIRED, *DONE),
    "unique_submitters_count": _people(*DONE),
    "active_workers_by_filter_count": _people(ACTIVE, *DONE),
    "estimated_assignments_count": _estimated,
}
_ASKED = listing(
    form({"name": one_of(*_FIGURES), "subject": one_of("POOL"), "subject_id": identifier}),
    1,
    _MOST,
)


@route("POST", "/staging/analytics-2", news=True, body=_ASKED)
def analytics(world: PlatformState, request: Request) -> Reply:
    """Up to ten figures, as an operation."""
    asked = request.body
    results = []
    for query in asked:
        result = _FIGURES[query["name"]](world, world.pool(query["subject_id"]))
        results.append({"request": query, "result": result, "finished": to_iso(world.now)})
    return operations.start(world, "ANALYTICS", {"value": asked}, {"value": results})
