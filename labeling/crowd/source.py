"""CrowdSource: the simulated platform as a market of labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from budget.errors import InputError
from budget.tariff import Tariff
from labeling.campaign.campaign import OBJECTIVE, Campaign
from labeling.campaign.exam_tasks import set_apart
from labeling.crowd.engine.engine import Crowd
from labeling.crowd.engine.minutes_forecast import Flow, make_flow, mean_overlap
from labeling.crowd.engine.pool import PoolSettings, milliseconds
from labeling.crowd.engine.rounds import OrderRun, run_order
from labeling.crowd.people.audience import audience
from labeling.crowd.people.exam_items import set_exam
from labeling.crowd.people.items import Items
from labeling.crowd.people.opinions import Opinions, make_opinions
from labeling.crowd.scenario import Scenario
from labeling.seeds import stream
from labeling.source import Pool, checked_tasks, orders_before
from labeling.types import (
    Assignment,
    Condition,
    Ints,
    Order,
    Page,
    Restriction,
)

_PAGE = 50  # assignments


@dataclass(frozen=True, slots=True)
class _Live:
    """A condition's engine and the orders it has run, by tranche."""

    crowd: Crowd
    done: list[OrderRun]


class CrowdSource:
    """A market of simulated annotators.

    What a condition's annotators do follows from the seed and the condition alone: an order is
    simulated from the condition's beginning, through its earlier orders, so a fresh process comes
    to the same pages. Engines are kept in memory only to save that work.

    Args:
        scenario: who the annotators are.
        campaign: what they are asked, under which rules.
        items: truth, difficulty and distractor of every row of the image index, for the campaign's
            first objective question; without one, only their number matters.
        controls: rows of the control tasks, the exam's included.
        tariff: what the market charges.
        seed: the study's seed.
        earlier: the orders already ended in a condition.
        further: items of the campaign's other objective questions, by name. Opinions on
            subjective questions are drawn from the scenario.

    Attributes:
        scenario: as it was given, before the campaign's filter.
        campaign: as it was given.
        items: what annotators see: `items` with clear control tasks.

    Raises:
        InputError: control tasks or classes that do not fit the items or the campaign, or a
            question without items.
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
        further: Mapping[str, Items | Opinions] | None = None,
    ) -> None:
        self.scenario = scenario
        self.campaign = campaign
        self._scenario = audience(scenario, campaign)
        judged = campaign.judged
        self._classes = len(campaign.questions[judged].classes) if judged is not None else 2
        self._others = [at for at in range(len(campaign.questions)) if at != judged]
        self._controls = np.array(controls, dtype=np.int64)
        self._tariff = tariff
        self._seed = seed
        self._earlier = earlier
        self._live: dict[str, _Live] = {}
        self._flows: dict[str, Flow] = {}
        self._check_rows(items)
        self._further = [self._seen(at, len(items), further or {}) for at in self._others]
        self.items = _with_clear_controls(items, self._controls, scenario.control_error)

    @property
    def tariff(self) -> Tariff:
        """What the market charges."""
        return self._tariff

    @property
    def further(self) -> dict[str, Items | Opinions]:
        """What annotators see in the campaign's other questions, by name."""
        names = [self.campaign.questions[at].name for at in self._others]
        return dict(zip(names, self._further, strict=True))

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """Minutes until an order that lists at `assignments` is complete, recompletion included."""
        flow = self._flows.get(condition.key)
        if flow is None:
            pool = self._settings(condition)
            flow = make_flow(self._scenario, pool, self.items_in(pool))
            self._flows[condition.key] = flow
        return flow.minutes(assignments)

    def expected_overlap(self, condition: Condition) -> float | None:
        """Usable answers a task is expected to get where overlap is dynamic; None elsewhere."""
        if condition.dynamic is None:
            return None
        pool = self._settings(condition)
        return mean_overlap(self._scenario, pool, self.items_in(pool), condition.dynamic)

    def place(self, order: Order) -> Pool:
        """Name the order's pool; nothing is simulated before it is collected.

        Raises:
            InputError: the order cannot be served: another campaign, too few control tasks, rows
                that do not exist, or a reward below the tariff's smallest.
        """
        self._tariff.check_reward(order.condition.reward)
        self._settings(order.condition)
        tasks, _ = checked_tasks(order, self._controls.tolist())
        if len(tasks) and (tasks.min() < 0 or tasks.max() >= len(self.items)):
            raise InputError(f"order: tasks are rows below {len(self.items)} of the image index")
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

    def simulate(self, order: Order) -> tuple[Crowd, OrderRun]:
        """The order's pool, in columns, and where the order lies in it.

        The same pool goes on with the condition's later orders.
        """
        live, done = self._run(order)
        return live.crowd, done

    def open_pool(self, condition: Condition) -> Crowd:
        """A condition's pool before its first order, nothing asked yet."""
        pool = self._settings(condition)
        classes = [len(self.campaign.questions[at].classes) for at in self._others]
        return Crowd(
            self._scenario,
            pool,
            self.items_in(pool),
            self._seed,
            condition.key,
            self._further,
            classes,
        )

    def _run(self, order: Order) -> tuple[_Live, OrderRun]:
        """The order's simulation, after all earlier orders of its condition."""
        key, before = order.condition.key, order.tranche
        live = self._live.get(key)
        if live and len(live.done) > before and live.done[before].order == order:
            return live, live.done[before]
        orders = orders_before(order, self._earlier(order.condition))
        if live is None or [done.order for done in live.done] != orders:
            live = _Live(self.open_pool(order.condition), [])
            for old in orders:
                live.done.append(run_order(live.crowd, old, self._scenario.horizon_minutes))
            self._live[key] = live
        live.done.append(run_order(live.crowd, order, self._scenario.horizon_minutes))
        return live, live.done[before]

    def items_in(self, pool: PoolSettings) -> Items:
        """The items of a pool: its exam tasks as hard as the scenario says."""
        if pool.exam is None or not self._scenario.exam_pass_rates:
            return self.items
        return set_exam(self._scenario, self.items, pool.exam_rows, self._classes)

    def _seen(
        self, at: int, rows: int, further: Mapping[str, Items | Opinions]
    ) -> Items | Opinions:
        """What annotators see in a question that control tasks do not check."""
        question = self.campaign.questions[at]
        classes = len(question.classes)
        items = further.get(question.name)
        if question.kind != OBJECTIVE:
            if isinstance(items, Opinions) and items.appeal.shape == (rows, classes):
                return items
            return make_opinions(self._scenario, rows, classes, self._seed, question.name)
        if not isinstance(items, Items) or len(items) != rows:
            raise InputError(
                f"question {question.name!r}: it needs the true class of each of {rows} images"
            )
        _check_classes(items, classes)
        return items

    def _settings(self, condition: Condition) -> PoolSettings:
        """A condition's pool, its exam tasks set apart from its control tasks.

        Raises:
            InputError: the condition does not belong to the campaign, or needs more control tasks
                than there are.
        """
        campaign, controls = self.campaign, self._controls
        if condition.campaign != campaign.key or condition.suite_size != campaign.suite_size:
            raise ValueError("order: its condition belongs to another campaign than this market's")
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
        if campaign.judged is None and (exam or condition.controls or condition.dynamic):
            raise InputError(
                f"campaign {campaign.name}: subjective questions have no right answer that control "
                "tasks, an exam or dynamic overlap could go by; set controls = 0, no exam and a "
                "fixed overlap"
            )
        shuffled = stream(self._seed, "exam tasks").permutation(controls)
        names = campaign.questions[campaign.judged].classes if campaign.judged is not None else ()
        exam_rows, control_rows = set_apart(exam, shuffled, self.items.truth[shuffled], names)
        return PoolSettings(
            price=condition.price,
            suite_size=condition.suite_size,
            controls=condition.controls,
            exam=exam,
            rules=campaign.rules,
            assignment_seconds=campaign.assignment_seconds,
            classes=self._classes,
            control_rows=control_rows,
            exam_rows=exam_rows,
            dynamic=condition.dynamic,
        )

    def _assignment(self, crowd: Crowd, done: OrderRun, suite: int, number: int) -> Assignment:
        log, condition = crowd.suites, done.order.condition
        shown = log.tasks[suite] >= 0
        answers = [log.further[suite, shown, at] for at in range(len(self._others))]
        if self.campaign.judged is not None:
            answers.insert(self.campaign.judged, log.labels[suite][shown])
        first, *further = (tuple(labels.tolist()) for labels in answers)
        started = milliseconds(float(log.start[suite]) - done.opened)
        submitted = milliseconds(float(log.end[suite]) - done.opened)
        return Assignment(
            id=f"{done.order.key[:12]}-{number:06d}",
            annotator=_annotator(condition, int(log.person[suite])),
            tasks=tuple(log.tasks[suite][shown].tolist()),
            labels=first,
            control=tuple(log.control[suite][shown].tolist()),
            submitted_s=submitted / 1000,
            seconds=(submitted - started) / 1000,
            reward=condition.reward,
            further=tuple(further),
        )

    def _restriction(self, crowd: Crowd, done: OrderRun, at: int) -> Restriction:
        ban = crowd.bans[at]
        name = _annotator(done.order.condition, ban.person)
        return Restriction(name, milliseconds(ban.at - done.opened) / 1000, ban.reason)

    def _check_rows(self, items: Items) -> None:
        rows = self._controls
        if len(np.unique(rows)) < len(rows):
            raise InputError("controls: each control task may be given once")
        if len(rows) and (rows.min() < 0 or rows.max() >= len(items)):
            raise InputError(f"controls: rows must be below {len(items)}, the number of items")
        if self.campaign.judged is not None:
            _check_classes(items, self._classes)


def _check_classes(items: Items, classes: int) -> None:
    if len(items) and max(items.truth.max(), items.distractor.max()) >= classes:
        raise InputError(f"items: a class is above the campaign's {classes} classes")


def _annotator(condition: Condition, person: int) -> str:
    return f"{condition.key[:10]}-{person:07d}"


def _with_clear_controls(items: Items, controls: Ints, factor: float) -> Items:
    """Items whose control rows are easier by a factor on their error."""
    error = items.error.copy()
    error[controls] *= factor
    return replace(items, error=error)
