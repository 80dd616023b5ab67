"""Work: pools open and close, annotators take and submit suites, and rules apply."""

from __future__ import annotations

from dataclasses import dataclass

from labeling.crowd.engine.pool import Visitor
from labeling.toloka.server.engine import review, rules
from labeling.toloka.server.engine.admission import admission_pools_of, admitted, banned
from labeling.toloka.server.engine.attached_files import attach
from labeling.toloka.server.engine.staff import AdmissionPool, Staff, staff_at, staff_of
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
    """Admits and bans the annotators of a pool by its requester's settings."""

    world: PlatformState
    pool: PlatformPool

    def admits(self, visitor: Visitor) -> bool:
        """Record the annotator's exam, if there is one, and apply the pool's filter."""
        staff = staff_of(self.pool)
        user = staff.user(visitor.person)
        self.world.people[user] = (self.pool.id, visitor.person)
        if staff.admission_pools and not _sit(self.world, self.pool, visitor.person):
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
        """Record the handing back or expiry, and apply the rules."""
        _give_up(self.world, self.pool, suite)
        user = staff_of(self.pool).user(visitor.person)
        visitor.banned = banned(self.world, self.pool, user) is not None
        visitor.admitted = admitted(self.world, self.pool, user)


# --- opening and closing ---


def open_pool(world: PlatformState, pool: PlatformPool) -> None:
    """Start to issue suites; the first opening creates the pool's annotators."""
    pool.status = OPEN
    world.working[pool.id] = pool
    pool.last_started = world.now
    pool.last_close_reason = None
    pool.raises.clear()
    pool.complete = None
    if pool.asked():
        staff = staff_at(pool)
        if staff is None:
            staff = Staff(world, pool, admission_pools_of(world, pool), PoolReferee(world, pool))
            pool.staff = staff
        staff.open(pool.asked(), world.now)
        look_whether_complete(world, pool)
    world.changed()


def close_pool(world: PlatformState, pool: PlatformPool, reason: str, timed: bool = False) -> None:
    """Issue no further suites; active assignments may still be submitted.

    Args:
        world: the platform's state.
        pool: an open pool.
        reason: reason of the closing, such as MANUAL or EXPIRED.
        timed: whether the platform's clock closes the pool, between two events of the pool.
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
    """Remove a closed pool without active assignments from the working pools."""
    if not pool.is_open and not pool.active:
        world.working.pop(pool.id, None)


def reopen(world: PlatformState) -> None:
    """Open the pools that a rule opens again."""
    while world.to_open:
        pool = world.pools[world.to_open.pop()]
        expired = from_iso(pool.doc["will_expire"]) <= world.now
        if pool.status == CLOSED and not expired:
            open_pool(world, pool)


def ask_raised(world: PlatformState, pool: PlatformPool) -> None:
    """Ask the crowd of an open pool for the answers by which overlap was raised."""
    staff = staff_at(pool)
    if pool.raises and pool.is_open and staff is not None:
        asked = [world.asked(key) for key in pool.raises]
        staff.add(asked, list(pool.raises.values()), world.now)
        pool.raises.clear()
        look_whether_complete(world, pool)


# --- what annotators did ---


def submit(world: PlatformState, pool: PlatformPool, assignment: PlatformAssignment) -> None:
    """Take a submitted assignment: pay it or keep it for review, then apply the pool's rules."""
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
    """Accept or reject an assignment, and apply the rules on this."""
    event = review.decide(world, assignment, status, comment)
    rules.after_review(world, assignment, event)


def gather(world: PlatformState, pool: PlatformPool) -> None:
    """Record the suites that were issued since the last call."""
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
    """Record that a suite was handed back or has expired: its tasks are free again."""
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
    """Record the exam of an annotator; return False if the exam was closed."""
    staff = staff_of(pool)
    begun = float(staff.crowd.people.traits.arrival[person])
    if not all(
        _was_open(admission_pool.pool, staff.ms(begun)) for admission_pool in staff.admission_pools
    ):
        return False
    sat, user = staff.crowd.exams[-1], staff.user(person)
    answers = staff.exam_answers(sat.labels)
    for admission_pool in staff.admission_pools:
        mine, answers = answers[: len(admission_pool.tasks)], answers[len(admission_pool.tasks) :]
        _hand_in(world, admission_pool, user, mine, staff.ms(begun), staff.ms(sat.at))
    return True


def _was_open(pool: PlatformPool, begun: int) -> bool:
    """Whether an exam could begin at a time (ms); a begun exam is finished after a closing."""
    return pool.is_open or (pool.last_stopped is not None and begun <= pool.last_stopped)


def _hand_in(
    world: PlatformState,
    admission_pool: AdmissionPool,
    user: str,
    answers: list[Doc],
    start: int,
    end: int,
) -> None:
    """Submit the suites of an exam, one after the other."""
    size = max(1, sum(admission_pool.pool.mix()))
    parts = [slice(at, at + size) for at in range(0, len(admission_pool.tasks), size)]
    for number, part in enumerate(parts):
        tasks: list[Task] = admission_pool.tasks[part]
        created = start + (end - start) * number // len(parts)
        finished = start + (end - start) * (number + 1) // len(parts)
        assignment = PlatformAssignment(
            id=world.ids.within("assignment", admission_pool.pool.id),
            task_suite_id=world.ids.within("suite", admission_pool.pool.id),
            pool_id=admission_pool.pool.id,
            user_id=user,
            reward=admission_pool.pool.reward,
            tasks=tuple(tasks),
            answers=answers[part],
            seconds=(finished - created) / 1000,
            created=created,
            status=ACTIVE,
            submitted=finished,
        )
        _keep(world, admission_pool.pool, assignment)
        submit(world, admission_pool.pool, assignment)


def look_whether_complete(world: PlatformState, pool: PlatformPool) -> None:
    """Note the time since which an open pool has no work."""
    staff = staff_at(pool)
    idle = pool.is_open and staff is not None and staff.crowd.idle
    if not idle:
        pool.complete = None
    elif pool.complete is None:
        pool.complete = world.now
