"""CrowdSource: the simulated platform as a market of labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from budget.errors import InputError
from budget.tariff import Tariff
from labeling.campaign import Campaign
from labeling.crowd.engine import Crowd, PoolSettings
from labeling.crowd.forecast import Flow, make_flow
from labeling.crowd.items import Items
from labeling.crowd.scenario import Scenario
from labeling.crowd.streams import stream
from labeling.recompletion import (
    assignments_left,
    missing_answers,
    next_round,
    wanted_arrays,
)
from labeling.source import Pool
from labeling.types import (
    Assignment,
    Condition,
    Ints,
    Order,
    OrderEnd,
    Page,
    Restriction,
)

_PAGE = 50  # assignments


@dataclass(frozen=True, slots=True)
class _Done:
    """A simulated order: where its submissions and bans lie in the engine's logs.

    Attributes:
        opened: seconds of pool time at which it was opened.
        submissions: [first, last) places in the engine's submissions.
        bans: [first, last) places in the engine's bans.
    """

    order: Order
    opened: float
    submissions: tuple[int, int]
    bans: tuple[int, int]
    end: OrderEnd


@dataclass(frozen=True, slots=True)
class _Live:
    """A condition's engine and the orders it has run, by tranche."""

    crowd: Crowd
    done: list[_Done]


class CrowdSource:
    """A market of simulated annotators.

    What a condition's annotators do follows from the seed and the condition alone: an order is
    simulated from the condition's beginning, through its earlier orders, so a fresh process comes
    to the same pages. Engines are kept in memory only to save that work.

    Args:
        scenario: who the annotators are.
        campaign: what they are asked, under which rules; its first question is answered.
        items: truth, difficulty and distractor of every row of the image index.
        controls: rows of the control tasks, the exam's included.
        tariff: what the market charges.
        seed: the study's seed.
        earlier: the orders already ended in a condition.

    Raises:
        InputError: control tasks or classes that do not fit the items or the campaign.
    """

    def __init__(
        self,
        scenario: Scenario,
        campaign: Campaign,
        items: Items,
        controls: Sequence[int],
        tariff: Tariff,
        seed: int,
        earlier: Callable[[Condition], Sequence[Order]],
    ) -> None:
        self._scenario = scenario
        self._campaign = campaign
        self._classes = len(campaign.questions[0].classes)
        self._controls = np.array(controls, dtype=np.int64)
        self._tariff = tariff
        self._seed = seed
        self._earlier = earlier
        self._live: dict[str, _Live] = {}
        self._flows: dict[str, Flow] = {}
        self._check_rows(items)
        self._items = _with_clear_controls(items, self._controls, scenario.control_error)

    @property
    def tariff(self) -> Tariff:
        """What the market charges."""
        return self._tariff

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """Minutes until an order that lists at `assignments` is complete, recompletion included."""
        flow = self._flows.get(condition.key)
        if flow is None:
            flow = make_flow(self._scenario, self._settings(condition), self._items)
            self._flows[condition.key] = flow
        return flow.minutes(assignments)

    def place(self, order: Order) -> Pool:
        """Name the order's pool; nothing is simulated before it is collected.

        Raises:
            InputError: the order cannot be served: another campaign, too few control tasks, rows
                that do not exist, or a reward below the tariff's smallest.
        """
        self._tariff.check_reward(order.condition.reward)
        self._settings(order.condition)
        tasks, wanted = wanted_arrays(order)
        if len(np.unique(tasks)) < len(tasks) or np.any(wanted < 1):
            raise InputError("order: each task is wanted once, with at least one answer")
        if len(tasks) and (tasks.min() < 0 or tasks.max() >= len(self._items)):
            raise InputError(f"order: tasks are rows below {len(self._items)} of the image index")
        if np.isin(tasks, self._controls).any():
            raise InputError("order: a control task cannot be bought as a real task")
        return Pool(f"sim-{order.condition.key[:16]}", order)

    def collect(self, pool: Pool) -> Iterator[Page]:
        """Simulate the order and yield its assignments in the order of submission."""
        live, done = self._run(pool.order)
        first, last = done.submissions
        ban = done.bans[0]
        while True:
            upto = min(first + _PAGE, last)
            suites = live.crowd.submitted[first:upto]
            ban_end = ban
            while ban_end < done.bans[1] and live.crowd.bans[ban_end].suite in suites:
                ban_end += 1
            yield Page(
                tuple(
                    self._assignment(live.crowd, done, suite, first + at - done.submissions[0])
                    for at, suite in enumerate(suites)
                ),
                tuple(self._restriction(live.crowd, done, at) for at in range(ban, ban_end)),
                done.end if upto == last else None,
            )
            if upto == last:
                return
            first, ban = upto, ban_end

    def close(self) -> None:
        """Forget the engines; collecting again simulates again, with the same result."""
        self._live.clear()

    def _run(self, order: Order) -> tuple[_Live, _Done]:
        """The order's simulation, after all earlier orders of its condition."""
        key, before = order.condition.key, order.tranche
        live = self._live.get(key)
        if live and len(live.done) > before and live.done[before].order == order:
            return live, live.done[before]
        orders = sorted(
            (o for o in self._earlier(order.condition) if o.tranche < before),
            key=lambda o: o.tranche,
        )
        if [o.tranche for o in orders] != list(range(before)):
            raise InputError(
                f"order {order.key}: tranche {before} needs the {before} orders before it; "
                f"{len(orders)} are known"
            )
        if live is None or [done.order for done in live.done] != orders:
            pool = self._settings(order.condition)
            live = _Live(Crowd(self._scenario, pool, self._items, self._seed, key), [])
            for old in orders:
                live.done.append(self._simulate(live.crowd, old))
            self._live[key] = live
        live.done.append(self._simulate(live.crowd, order))
        return live, live.done[before]

    def _simulate(self, crowd: Crowd, order: Order) -> _Done:
        opened, submitted, bans = crowd.clock, len(crowd.submitted), len(crowd.bans)
        failed = crowd.exam_failed
        tasks, wanted = wanted_arrays(order)
        deadline = opened + 60 * order.minutes if order.minutes is not None else math.inf
        horizon = opened + 60 * self._scenario.horizon_minutes
        crowd.open(tasks, wanted, order.limit)
        reason = self._rounds(crowd, order, submitted, min(deadline, horizon))
        closed = crowd.clock
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
            minutes=(max(last, closed) - opened) / 60,
            missing=missing,
            looked=crowd.people.looked(opened, closed),
            joined=len(np.unique(crowd.suites.person[mine])),
            exam_failed=crowd.exam_failed - failed,
        )
        now = (len(crowd.submitted), len(crowd.bans))
        return _Done(order, opened, (submitted, now[0]), (bans, now[1]), end)

    def _rounds(self, crowd: Crowd, order: Order, start: int, until: float) -> str:
        """Work in rounds until nothing is missing, the limit is reached or time is up."""
        tasks, wanted = wanted_arrays(order)
        while True:
            crowd.advance(until)
            if not crowd.idle:
                return "time"
            mine = crowd.submitted[start:]
            missing = _missing(crowd, tasks, wanted, mine)
            left = assignments_left(order.limit, len(mine), crowd.active)
            raised = next_round(missing, order.condition.real_per_suite, left)
            if not raised.any():
                return "limit" if missing.any() else "complete"
            crowd.slots.clear()
            crowd.add(tasks[raised > 0], raised[raised > 0])

    def _settings(self, condition: Condition) -> PoolSettings:
        """A condition's pool, its exam tasks set apart from its control tasks.

        Raises:
            InputError: the condition does not belong to the campaign, or needs more control tasks
                than there are.
        """
        campaign, controls = self._campaign, self._controls
        if condition.campaign != campaign.key or condition.suite_size != campaign.suite_size:
            raise InputError("order: its condition belongs to another campaign than this market's")
        exam = campaign.exam if condition.exam else None
        sat = exam.tasks if exam else 0
        if not 0 <= condition.controls < condition.suite_size:
            raise InputError(
                f"controls: {condition.controls} control tasks leave no place for real tasks in a "
                f"suite of {condition.suite_size}"
            )
        if sat + condition.controls > len(controls):
            raise InputError(
                f"controls: {condition.controls} per suite and {sat} exam tasks need more than the "
                f"{len(controls)} control tasks there are; give more or ask fewer"
            )
        shuffled = stream(self._seed, "exam tasks").permutation(controls)
        return PoolSettings(
            price=condition.price,
            suite_size=condition.suite_size,
            controls=condition.controls,
            exam=exam,
            rules=campaign.rules,
            assignment_seconds=campaign.assignment_seconds,
            classes=self._classes,
            control_rows=shuffled[sat:],
            exam_rows=shuffled[:sat],
        )

    def _assignment(self, crowd: Crowd, done: _Done, suite: int, number: int) -> Assignment:
        log, condition = crowd.suites, done.order.condition
        shown = log.tasks[suite] >= 0
        return Assignment(
            id=f"{done.order.key[:12]}-{number:06d}",
            annotator=_annotator(condition, int(log.person[suite])),
            tasks=tuple(log.tasks[suite][shown].tolist()),
            labels=tuple(log.labels[suite][shown].tolist()),
            control=tuple(log.control[suite][shown].tolist()),
            submitted_s=float(log.end[suite]) - done.opened,
            seconds=float(log.seconds[suite]),
            reward=condition.reward,
        )

    def _restriction(self, crowd: Crowd, done: _Done, at: int) -> Restriction:
        ban = crowd.bans[at]
        name = _annotator(done.order.condition, ban.person)
        return Restriction(name, ban.at - done.opened, ban.reason)

    def _check_rows(self, items: Items) -> None:
        rows = self._controls
        if len(np.unique(rows)) < len(rows):
            raise InputError("controls: each control task may be given once")
        if len(rows) and (rows.min() < 0 or rows.max() >= len(items)):
            raise InputError(f"controls: rows must be below {len(items)}, the number of items")
        if len(items) and max(items.truth.max(), items.distractor.max()) >= self._classes:
            raise InputError(f"items: a class is above the campaign's {self._classes} classes")


def _annotator(condition: Condition, person: int) -> str:
    return f"{condition.key[:10]}-{person:07d}"


def _missing(crowd: Crowd, tasks: Ints, wanted: Ints, suites: list[int]) -> Ints:
    """Usable answers missing after the given submissions."""
    log = crowd.suites
    people, which = np.unique(log.person[suites], return_inverse=True)
    trusted = np.array([not crowd.banned(int(person)) for person in people], dtype=np.bool_)
    shown = log.tasks[suites]
    real = (shown >= 0) & ~log.control[suites]
    usable = np.broadcast_to(trusted[which][:, None], shown.shape)
    return missing_answers(tasks, wanted, shown[real], usable[real])


def _with_clear_controls(items: Items, controls: Ints, factor: float) -> Items:
    """Items whose control rows are easier by a factor on their error."""
    error = items.error.copy()
    error[controls] *= factor
    return replace(items, error=error)
