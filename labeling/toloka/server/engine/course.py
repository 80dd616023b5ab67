"""The course of events: what happens next on the platform, and when."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from labeling.toloka.server.engine import rules, work
from labeling.toloka.server.engine.staff import staff_at, staff_of
from labeling.toloka.server.model.clock import DAY, from_iso
from labeling.toloka.server.model.records import Doc, PlatformAssignment, PlatformPool
from labeling.toloka.server.model.world import PlatformState


def move(world: PlatformState, events: int = 1) -> None:
    """Move the clock to the next event that a client can see.

    Args:
        world: the platform.
        events: how many such events, at most: a pool that closes or opens again ends it.
    """
    before = _open(world)
    for _ in range(events):
        version = world.version
        while world.version == version:
            if not step(world):
                return
        if _open(world) != before:
            return


def _open(world: PlatformState) -> list[str]:
    return [pool.id for pool in world.working.values() if pool.is_open]


def advance(world: PlatformState, until: int) -> None:
    """Move the clock to a time, with everything that happens until then."""
    while step(world, until):
        pass
    world.now = max(world.now, until)


def due(world: PlatformState) -> float:
    """When (ms) the next event is due; infinite if there is none."""
    return _next(world)[0]


def is_only_review(world: PlatformState) -> bool:
    """Whether nothing is to come but that answers nobody has reviewed are accepted."""
    return isinstance(_next(world)[1], _Deadline) and not world.working


def step(world: PlatformState, until: float = math.inf) -> bool:
    """Let the next event happen, if it does by a time (ms); whether it did."""
    for pool in list(world.working.values()):
        work.ask_raised(world, pool)
    at, happen = _next(world)
    if at > until or at == math.inf:
        return False
    happen()
    work.reopen(world)
    return True


def _next(world: PlatformState) -> tuple[float, Callable[[], None]]:
    """When the next event is due, and what it is: annotators before the clock's own deadlines."""
    first, happen = math.inf, _nothing
    for pool in world.working.values():
        staff = staff_at(pool)
        at = staff.next_ms() if staff is not None else math.inf
        if at < first:
            first, happen = at, _Work(world, pool)
    for at, deadline in _deadlines(world):
        if at < first:
            first, happen = at, _Deadline(world, at, deadline)
    return first, happen


def _deadlines(world: PlatformState) -> list[tuple[int, Callable[[], None]]]:
    found: list[tuple[int, Callable[[], None]]] = []
    for pool in world.working.values():
        if pool.is_open and "will_expire" in pool.doc:
            found.append((from_iso(pool.doc["will_expire"]), _Close(world, pool, "EXPIRED")))
        if pool.is_open and pool.complete is not None:
            delay = int(pool.doc.get("auto_close_after_complete_delay_seconds") or 0)
            found.append((pool.complete + 1000 * delay, _Close(world, pool, "COMPLETED")))
    for key in world.account.reserved:
        waiting = world.assignments[key]
        days = int(world.pools[waiting.pool_id].doc.get("auto_accept_period_day") or 21)
        if waiting.submitted is not None:
            found.append((waiting.submitted + days * DAY, _Accept(world, waiting)))
    for restriction in world.ending:
        if "will_expire" in restriction and not restriction.get("over"):
            found.append((from_iso(restriction["will_expire"]), _Lift(world, restriction)))
    return found


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class _Deadline:
    world: PlatformState
    at: int
    then: Callable[[], None]

    def __call__(self) -> None:
        self.world.now = max(self.world.now, self.at)
        self.then()


@dataclass(frozen=True, slots=True)
class _Close:
    world: PlatformState
    pool: PlatformPool
    reason: str

    def __call__(self) -> None:
        work.close_pool(self.world, self.pool, self.reason, timed=True)


@dataclass(frozen=True, slots=True)
class _Accept:
    world: PlatformState
    assignment: PlatformAssignment

    def __call__(self) -> None:
        work.decide(self.world, self.assignment, "ACCEPTED", None)


@dataclass(frozen=True, slots=True)
class _Lift:
    world: PlatformState
    restriction: Doc

    def __call__(self) -> None:
        rules.lift(self.world, self.restriction)


@dataclass(frozen=True, slots=True)
class _Work:
    """An annotator does something."""

    world: PlatformState
    pool: PlatformPool

    def __call__(self) -> None:
        staff = staff_of(self.pool)
        self.world.now = max(self.world.now, staff.ms(staff.crowd.next_event))
        staff.crowd.step()
        work.gather(self.world, self.pool)
        work.let_go(self.world, self.pool)
        work.look_whether_complete(self.world, self.pool)
