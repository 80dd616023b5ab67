"""The course of events: the platform's next event and its time."""

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
        world: the platform's state.
        events: largest number of such events; the move ends when a pool opens or closes.
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
    """Move the clock to a time and run all events until then."""
    while step(world, until):
        pass
    world.now = max(world.now, until)


def due(world: PlatformState) -> float:
    """Time (ms) of the next event; infinite without events."""
    return _next(world)[0]


def is_only_review(world: PlatformState) -> bool:
    """Whether the only coming events accept answers without review."""
    return isinstance(_next(world)[1], _Deadline) and not world.working


def step(world: PlatformState, until: float = math.inf) -> bool:
    """Run the next event if it is due by a time (ms); return whether it ran."""
    for pool in list(world.working.values()):
        work.ask_raised(world, pool)
    at, happen = _next(world)
    if at > until or at == math.inf:
        return False
    happen()
    work.reopen(world)
    return True


def _next(world: PlatformState) -> tuple[float, Callable[[], None]]:
    """Time of the next event, and the event; annotators come before deadlines of the same time."""
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
    deadlines: list[tuple[int, Callable[[], None]]] = []
    for pool in world.working.values():
        if pool.is_open and "will_expire" in pool.doc:
            deadlines.append((from_iso(pool.doc["will_expire"]), _Close(world, pool, "EXPIRED")))
        if pool.is_open and pool.complete is not None:
            delay = int(pool.doc.get("auto_close_after_complete_delay_seconds") or 0)
            deadlines.append((pool.complete + 1000 * delay, _Close(world, pool, "COMPLETED")))
    for key in world.account.reserved:
        waiting = world.assignments[key]
        days = int(world.pools[waiting.pool_id].doc.get("auto_accept_period_day") or 21)
        if waiting.submitted is not None:
            deadlines.append((waiting.submitted + days * DAY, _Accept(world, waiting)))
    for restriction in world.ending:
        if "will_expire" in restriction and not restriction.get("over"):
            deadlines.append((from_iso(restriction["will_expire"]), _Lift(world, restriction)))
    return deadlines


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
    """An event of a pool's annotators."""

    world: PlatformState
    pool: PlatformPool

    def __call__(self) -> None:
        staff = staff_of(self.pool)
        self.world.now = max(self.world.now, staff.ms(staff.crowd.next_event))
        staff.crowd.step()
        work.gather(self.world, self.pool)
        work.let_go(self.world, self.pool)
        work.look_whether_complete(self.world, self.pool)
