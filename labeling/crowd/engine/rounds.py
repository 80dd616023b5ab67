"""Rounds: an order in a pool; further rounds ask again for answers that bans made unusable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeling.crowd.engine.engine import Crowd
from labeling.crowd.engine.pool import milliseconds
from labeling.source import (
    assignments_left,
    filled,
    missing_answers,
    next_round,
    wanted_arrays,
)
from labeling.types import Answers, Ints, Order, OrderEnd


@dataclass(frozen=True, slots=True)
class OrderRun:
    """A simulated order: the ranges of its submissions and bans in the engine's logs.

    Attributes:
        opened: seconds of pool time at the pool's opening.
        submissions: [first, last) indices of the engine's submissions.
        bans: [first, last) indices of the engine's bans.
    """

    order: Order
    opened: float
    submissions: tuple[int, int]
    bans: tuple[int, int]
    end: OrderEnd


def run_order(
    crowd: Crowd, order: Order, horizon_minutes: float, before: Sequence[Order] = ()
) -> OrderRun:
    """Open the pool for an order, run its rounds, close the pool and let active suites end.

    Args:
        crowd: the condition's pool, after its earlier orders.
        order: the order.
        horizon_minutes: minutes after which an incomplete order is out of supply.
        before: the pool's earlier orders, by tranche.
    """
    opened, submitted, bans = crowd.clock, len(crowd.submitted), len(crowd.bans)
    failed = crowd.exam_failed
    tasks, wanted = wanted_arrays(order)
    deadline = opened + 60 * order.minutes if order.minutes is not None else math.inf
    horizon = opened + 60 * horizon_minutes
    if crowd.ballots:
        crowd.ballots.allow(tasks, wanted)
    first = filled(_missing(crowd, tasks, wanted, []), order.condition)
    listed = _as_listed(order, before)
    asked = listed[first[listed] > 0]
    crowd.open(tasks[asked], first[asked], order.limit)
    reason = _rounds(crowd, order, submitted, min(deadline, horizon))
    closed = crowd.clock
    # Active assignments are paid when they are submitted: the order ends only after the last one.
    crowd.close()
    crowd.advance()
    mine = crowd.submitted[submitted:]
    missing = int(_missing(crowd, tasks, wanted, mine).sum())
    if not missing:
        reason = "complete"
    elif reason == "time":
        reason = "deadline" if closed >= deadline else "supply"
    last = float(crowd.suites.end[mine[-1]]) if mine else closed
    end = OrderEnd(
        reason=reason,
        minutes=milliseconds((max(last, closed) if missing else last) - opened) / 60_000,
        missing=missing,
        looked=crowd.people.looked(opened, closed),
        joined=len(np.unique(crowd.suites.person[mine])),
        exam_failed=crowd.exam_failed - failed,
    )
    now = (len(crowd.submitted), len(crowd.bans))
    return OrderRun(order, opened, (submitted, now[0]), (bans, now[1]), end)


def _as_listed(order: Order, before: Sequence[Order]) -> Ints:
    """Places of an order's tasks as a platform lists them: by when each was first asked for."""
    tasks = [task for each in (*before, order) for task, _ in each.wanted]
    place = {task: at for at, task in enumerate(dict.fromkeys(tasks))}
    return np.argsort([place[task] for task, _ in order.wanted])


def answers_of(crowd: Crowd, run: OrderRun) -> Answers:
    """All answers of an order in columns, in order of submission; a code is a person's number."""
    log, mine = crowd.suites, crowd.submitted[slice(*run.submissions)]
    shown = log.tasks[mine]
    there = shown >= 0
    people = np.broadcast_to(log.person[mine][:, None], shown.shape)[there]
    banned = np.array([ban.person for ban in crowd.bans], dtype=np.int64)
    return Answers(
        task=shown[there],
        annotator=people,
        label=log.labels[mine][there],
        control=log.control[mine][there],
        usable=~np.isin(people, banned),
    )


def _rounds(crowd: Crowd, order: Order, start: int, until: float) -> str:
    """Run rounds until no answer is missing, the limit is reached or time is up.

    The pool closes once submitted and active assignments reach the limit. An active assignment may
    still be handed back; its answers then stay missing.
    """
    tasks, wanted = wanted_arrays(order)
    while True:
        crowd.advance(until)
        if not crowd.idle and crowd.is_open:
            return "time"
        # A pool closed at its limit waits for its active assignments, also beyond the deadline.
        crowd.advance()
        mine = crowd.submitted[start:]
        missing = _missing(crowd, tasks, wanted, mine)
        left = assignments_left(order.limit, len(mine), crowd.active)
        raised = next_round(missing, order.condition.real_per_suite, left)
        if not raised.any() or not crowd.is_open:
            return "limit" if missing.any() else "complete"
        # The missing answers include those still in the queue: they must not be asked twice.
        crowd.slots.clear()
        raised = filled(raised, order.condition)
        crowd.add(tasks[raised > 0], raised[raised > 0])


def _missing(crowd: Crowd, tasks: Ints, wanted: Ints, suites: list[int]) -> Ints:
    """Usable answers missing after the given submissions."""
    if crowd.ballots:
        return crowd.ballots.lacking(tasks)
    log = crowd.suites
    people, which = np.unique(log.person[suites], return_inverse=True)
    trusted = np.array([not crowd.banned(int(person)) for person in people], dtype=np.bool_)
    shown = log.tasks[suites]
    real = (shown >= 0) & ~log.control[suites]
    usable = np.broadcast_to(trusted[which][:, None], shown.shape)
    return missing_answers(tasks, wanted, shown[real], usable[real])
