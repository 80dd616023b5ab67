"""Work: pools open and close, annotators take suites and hand them in, and what follows."""

from __future__ import annotations

from dataclasses import dataclass

from labeling.crowd.engine.pool import Visitor
from labeling.toloka.server.engine import review, rules
from labeling.toloka.server.engine.admission import admitted, banned, gates_of
from labeling.toloka.server.engine.attached_files import attach
from labeling.toloka.server.engine.staff import Gate, Staff, staff_at, staff_of
from labeling.toloka.server.model import pricing
from labeling.toloka.server.model.clock import from_iso
from labeling.toloka.server.model.records import (
    ACTIVE,
    CLOSED,
    EXPIRED,
    OPEN,
    SKIPPED,
    SUBMITTED,
    Doc,
    PlatformAssignment,
    PlatformPool,
    Task,
)
from labeling.toloka.server.model.world import PlatformState


@dataclass(frozen=True, slots=True)
class PoolReferee:
    """Admits and bans the annotators of a pool as its requester has set it up."""

    world: PlatformState
    pool: PlatformPool

    def admits(self, visitor: Visitor) -> bool:
        """Record the exam they sat, if there is one, and look at the pool's filter."""
        staff = staff_of(self.pool)
        user = staff.user(visitor.person)
        self.world.people[user] = (self.pool.id, visitor.person)
        if staff.gates and not _sit(self.world, self.pool, visitor.person):
            return False
        return admitted(self.world, self.pool, user)

    def verdict(self, visitor: Visitor, suite: int) -> str | None:
        """Record the submission, and apply the rules."""
        staff = staff_of(self.pool)
        assignment = self.pool.active.pop(suite)
        assignment.submitted = staff.ms(float(staff.crowd.suites.end[suite]))
        submit(self.world, self.pool, assignment)
        visitor.admitted = admitted(self.world, self.pool, assignment.user_id)
        return banned(self.world, self.pool, assignment.user_id)

    def given_up(self, visitor: Visitor, suite: int) -> None:
        """Record it, and apply the rules."""
        _give_up(self.world, self.pool, suite)
        user = staff_of(self.pool).user(visitor.person)
        visitor.banned = banned(self.world, self.pool, user) is not None
        visitor.admitted = admitted(self.world, self.pool, user)


# --- opening and closing ---


def open_pool(world: PlatformState, pool: PlatformPool) -> None:
    """Issue suites from now on; the annotators come on the first opening."""
    pool.status = OPEN
    world.working[pool.id] = pool
    pool.last_started = world.now
    pool.last_close_reason = None
    pool.raises.clear()
    pool.complete = None
    if pool.asked():
        staff = staff_at(pool)
        if staff is None:
            staff = Staff(world, pool, gates_of(world, pool), PoolReferee(world, pool))
            pool.staff = staff
        staff.open(pool.asked(), world.now)
        look_whether_complete(world, pool)
    world.changed()


def close_pool(world: PlatformState, pool: PlatformPool, reason: str, timed: bool = False) -> None:
    """Issue nothing more; active assignments may still be submitted.

    Args:
        world: the platform.
        pool: an open pool.
        reason: such as MANUAL or EXPIRED.
        timed: whether the platform's clock closes it, between two events of its own.
    """
    pool.status = CLOSED
    pool.last_stopped = world.now
    pool.last_close_reason = reason
    pool.complete = None
    pool.raises.clear()
    staff = staff_at(pool)
    if staff is not None:
        staff.close(world.now if timed else None)
        gather(world, pool)
    let_go(world, pool)
    world.changed()


def let_go(world: PlatformState, pool: PlatformPool) -> None:
    """Look no more at a pool that is closed and has nothing active."""
    if not pool.is_open and not pool.active:
        world.working.pop(pool.id, None)


def reopen(world: PlatformState) -> None:
    """Open the pools that a rule wants opened again."""
    while world.to_open:
        pool = world.pools[world.to_open.pop()]
        expired = from_iso(pool.doc["will_expire"]) <= world.now
        if pool.status == CLOSED and not expired:
            open_pool(world, pool)


def ask_raised(world: PlatformState, pool: PlatformPool) -> None:
    """Ask the annotators of an open pool for the answers by which overlap was raised."""
    staff = staff_at(pool)
    if pool.raises and pool.is_open and staff is not None:
        asked = [world.asked(key) for key in pool.raises]
        staff.add(asked, list(pool.raises.values()), world.now)
        pool.raises.clear()
        look_whether_complete(world, pool)


# --- what annotators did ---


def submit(world: PlatformState, pool: PlatformPool, assignment: PlatformAssignment) -> None:
    """An assignment has come in: pay or keep it for review, then apply the pool's rules."""
    assignment.status = SUBMITTED
    pool.history.setdefault(assignment.user_id, []).append(assignment)
    pool.skipped[assignment.user_id] = 0
    attach(world, pool, assignment)
    for task, answer in zip(assignment.tasks, assignment.answers, strict=True):
        task.answered.append((assignment.user_id, answer))
    world.account.reserve(assignment.id, assignment.reward)
    world.changed()
    if pool.doc.get("auto_accept_solutions", True):
        decide(world, assignment, "ACCEPTED", None)
    rules.after_submission(world, pool, assignment)


def decide(
    world: PlatformState, assignment: PlatformAssignment, status: str, comment: str | None
) -> None:
    """Accept or reject an assignment, and apply the rules that look at this."""
    event = review.decide(world, assignment, status, comment)
    rules.after_review(world, assignment, event)


def gather(world: PlatformState, pool: PlatformPool) -> None:
    """Write down the suites that were issued since the last look."""
    for suite in staff_of(pool).news_issued():
        _issue(world, pool, suite)


def _issue(world: PlatformState, pool: PlatformPool, suite: int) -> None:
    staff = staff_of(pool)
    user = staff.user(int(staff.crowd.suites.person[suite]))
    suite_asked = staff.page(suite)
    assignment = PlatformAssignment(
        id=world.ids.within("assignment", pool.id),
        task_suite_id=suite_asked.id if suite_asked else world.ids.within("suite", pool.id),
        pool_id=pool.id,
        user_id=user,
        suite=suite_asked,
        reward=pricing.reward_for(world, pool, user),
        tasks=tuple(staff.tasks(suite)),
        answers=staff.answers(suite),
        seconds=float(staff.crowd.suites.seconds[suite]),
        created=staff.ms(float(staff.crowd.suites.start[suite])),
    )
    for asked in (*assignment.tasks, *([suite_asked] if suite_asked else [])):
        asked.given += 1
        if staff.crowd.ballots and asked.overlap is not None:
            asked.overlap = max(asked.overlap, asked.given)
    _keep(world, pool, assignment)
    pool.active[suite] = assignment
    if pricing.free(world) < world.account.price(pool.reward) and pool.is_open:
        close_pool(world, pool, "NOT_ENOUGH_BALANCE")


def _keep(world: PlatformState, pool: PlatformPool, assignment: PlatformAssignment) -> None:
    pool.assignments.append(assignment)
    world.assignments[assignment.id] = assignment
    world.changed()


def _give_up(world: PlatformState, pool: PlatformPool, suite: int) -> None:
    """A suite was handed back or has expired: its tasks are free again."""
    staff, assignment = staff_of(pool), pool.active.pop(suite)
    log = staff.crowd.suites
    at = staff.ms(float(log.end[suite]))
    longest = float(pool.doc["assignment_max_duration_seconds"])
    if log.end[suite] - log.start[suite] < longest:
        assignment.status, assignment.skipped = SKIPPED, at
        pool.skipped[assignment.user_id] = pool.skipped.get(assignment.user_id, 0) + 1
        rules.after_skipping(world, pool, assignment)
    else:
        assignment.status, assignment.expired = EXPIRED, at
    for asked in (*assignment.tasks, *([assignment.suite] if assignment.suite else [])):
        asked.given -= 1
    world.changed()


def _sit(world: PlatformState, pool: PlatformPool, person: int) -> bool:
    """Write down the exam that someone has just sat; False if it cannot be sat now."""
    staff = staff_of(pool)
    begun = float(staff.crowd.people.traits.arrival[person])
    if not all(_was_open(gate.pool, staff.ms(begun)) for gate in staff.gates):
        return False
    sat, user = staff.crowd.exams[-1], staff.user(person)
    answers = staff.exam_answers(sat.labels)
    for gate in staff.gates:
        mine, answers = answers[: len(gate.tasks)], answers[len(gate.tasks) :]
        _hand_in(world, gate, user, mine, staff.ms(begun), staff.ms(sat.at))
    return True


def _was_open(pool: PlatformPool, begun: int) -> bool:
    """Whether an exam could be begun: one that was is finished though its pool has closed."""
    return pool.is_open or (pool.last_stopped is not None and begun <= pool.last_stopped)


def _hand_in(
    world: PlatformState, gate: Gate, user: str, answers: list[Doc], start: int, end: int
) -> None:
    """The suites of an exam, one after the other."""
    size = max(1, sum(gate.pool.mix()))
    parts = [slice(at, at + size) for at in range(0, len(gate.tasks), size)]
    for number, part in enumerate(parts):
        tasks: list[Task] = gate.tasks[part]
        created = start + (end - start) * number // len(parts)
        finished = start + (end - start) * (number + 1) // len(parts)
        assignment = PlatformAssignment(
            id=world.ids.within("assignment", gate.pool.id),
            task_suite_id=world.ids.within("suite", gate.pool.id),
            pool_id=gate.pool.id,
            user_id=user,
            reward=gate.pool.reward,
            tasks=tuple(tasks),
            answers=answers[part],
            seconds=(finished - created) / 1000,
            created=created,
            status=ACTIVE,
            submitted=finished,
        )
        _keep(world, gate.pool, assignment)
        submit(world, gate.pool, assignment)


def look_whether_complete(world: PlatformState, pool: PlatformPool) -> None:
    """Note since when an open pool has had nothing to do."""
    staff = staff_at(pool)
    idle = pool.is_open and staff is not None and staff.crowd.idle
    if not idle:
        pool.complete = None
    elif pool.complete is None:
        pool.complete = world.now
