"""CrowdSource: the simulated platform as a market of labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from budget.errors import InputError
from budget.tariff import Tariff
from labeling.campaign.campaign import OBJECTIVE, Campaign
from labeling.campaign.exam_tasks import set_apart
from labeling.crowd.engine.engine import Crowd
from labeling.crowd.engine.minutes_forecast import Flow, make_flow, mean_overlap
from labeling.crowd.engine.pool import PoolSettings, milliseconds
from labeling.crowd.engine.rounds import OrderRun, answers_of, run_order
from labeling.crowd.people.audience import audience
from labeling.crowd.people.exam_items import set_exam
from labeling.crowd.people.items import Items, clear_controls
from labeling.crowd.people.opinions import Opinions, make_opinions
from labeling.crowd.scenario import Scenario
from labeling.seeds import stream
from labeling.source import Pool, checked_tasks, orders_before
from labeling.types import (
    Answers,
    Assignment,
    Condition,
    Order,
    Page,
    Restriction,
)

_PAGE = 50  # assignments


@dataclass(frozen=True, slots=True)
class _SimulatedCondition:
    """A condition's engine and its simulated orders, by tranche."""

    crowd: Crowd
    done: list[OrderRun]


class CrowdSource:
    """A market of simulated annotators.

    The seed and the condition alone determine the annotators' answers. An order is simulated from
    the condition's beginning, through its earlier orders, so a fresh process yields the same pages.
    Engines stay in memory only to save this work.

    Args:
        scenario: the annotators.
        campaign: the questions and the rules.
        items: truth, difficulty and distractor of every row of the image index, for the campaign's
            first objective question; for a campaign without one, only their number matters.
        controls: rows of the control tasks, exam tasks included.
        tariff: the market's tariff.
        seed: the study's seed.
        earlier: returns the ended orders of a condition.
        further: items of the campaign's other objective questions, by name. Opinions on
            subjective questions are drawn from the scenario.

    Attributes:
        scenario: the given scenario, before the campaign's filter.
        campaign: the given campaign.
        items: the items that annotators see: `items` with clear control tasks.

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
        self._simulated: dict[str, _SimulatedCondition] = {}
        self._flows: dict[str, Flow] = {}
        self._check_rows(items)
        self._further = [self._seen(at, len(items), further or {}) for at in self._others]
        self.items = clear_controls(items, self._controls, scenario.control_error)

    @property
    def tariff(self) -> Tariff:
        """The market's tariff."""
        return self._tariff

    @property
    def further(self) -> dict[str, Items | Opinions]:
        """Items or opinions of the campaign's other questions, by name."""
        names = [self.campaign.questions[at].name for at in self._others]
        return dict(zip(names, self._further, strict=True))

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """Minutes until an order of `assignments` is complete, recompletion included."""
        flow = self._flows.get(condition.key)
        if flow is None:
            pool = self._settings(condition)
            flow = make_flow(self._scenario, pool, self.items_in(pool))
            self._flows[condition.key] = flow
        return flow.minutes(assignments)

    def expected_overlap(self, condition: Condition) -> float | None:
        """Expected usable answers per task under dynamic overlap; None for a fixed overlap."""
        if condition.dynamic is None:
            return None
        pool = self._settings(condition)
        return mean_overlap(self._scenario, pool, self.items_in(pool), condition.dynamic)

    def place(self, order: Order) -> Pool:
        """Name the order's pool; `collect` simulates it.

        Raises:
            InputError: the order cannot be served: another campaign, too few control tasks, rows
                outside the image index, or a reward below the tariff's smallest.
        """
        self._tariff.check_rate(order.condition.reward)
        self._settings(order.condition)
        tasks, _ = checked_tasks(order, self._controls.tolist())
        if len(tasks) and (tasks.min() < 0 or tasks.max() >= len(self.items)):
            raise InputError(f"order: tasks are rows below {len(self.items)} of the image index")
        return Pool(f"sim-{order.condition.key[:16]}", order)

    def collect(self, pool: Pool) -> Iterator[Page]:
        """Simulate the order and yield its assignments in the order of submission."""
        simulated, done = self._run(pool.order)
        first, last = done.submissions
        ban = done.bans[0]
        while True:
            upto = min(first + _PAGE, last)
            suites = simulated.crowd.submitted[first:upto]
            ban_end = ban
            while ban_end < done.bans[1] and simulated.crowd.bans[ban_end].suite in suites:
                ban_end += 1
            yield Page(
                tuple(
                    self._assignment(simulated.crowd, done, suite, first + at - done.submissions[0])
                    for at, suite in enumerate(suites)
                ),
                tuple(self._restriction(simulated.crowd, done, at) for at in range(ban, ban_end)),
                done.end if upto == last else None,
            )
            if upto == last:
                return
            first, ban = upto, ban_end

    def close(self) -> None:
        """Forget the engines; collecting an order again simulates it with the same result."""
        self._simulated.clear()

    def simulate(self, order: Order) -> tuple[Crowd, OrderRun]:
        """The order's pool, in columns, and the order's range in it.

        The condition's later orders continue the same pool.
        """
        simulated, done = self._run(order)
        return simulated.crowd, done

    def answers(self, order: Order) -> Answers:
        """The order's answers, in columns."""
        return answers_of(*self.simulate(order))

    def open_pool(self, condition: Condition) -> Crowd:
        """A condition's pool before its first order."""
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

    def _run(self, order: Order) -> tuple[_SimulatedCondition, OrderRun]:
        """The order's simulation, after all earlier orders of its condition."""
        key, before = order.condition.key, order.tranche
        simulated = self._simulated.get(key)
        if simulated and len(simulated.done) > before and simulated.done[before].order == order:
            return simulated, simulated.done[before]
        # An engine only runs forward: a kept one serves if its orders are exactly the earlier ones.
        orders = orders_before(order, self._earlier(order.condition))
        if simulated is None or [done.order for done in simulated.done] != orders:
            simulated = _SimulatedCondition(self.open_pool(order.condition), [])
            self._simulated[key] = simulated
            for old in orders:
                self._run_next(simulated, old)
        self._run_next(simulated, order)
        return simulated, simulated.done[before]

    def _run_next(self, simulated: _SimulatedCondition, order: Order) -> None:
        before, horizon = [done.order for done in simulated.done], self._scenario.horizon_minutes
        simulated.done.append(run_order(simulated.crowd, order, horizon, before))

    def items_in(self, pool: PoolSettings) -> Items:
        """The items of a pool; its exam tasks have the scenario's pass rates."""
        if pool.exam is None or not self._scenario.exam_pass_rates:
            return self.items
        return set_exam(self._scenario, self.items, pool.exam_rows, self._classes)

    def _seen(
        self, at: int, rows: int, further: Mapping[str, Items | Opinions]
    ) -> Items | Opinions:
        """Items or opinions of a question that control tasks do not check."""
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
        """A condition's pool settings, with exam tasks set apart from control tasks.

        Raises:
            InputError: the condition does not belong to the campaign, or needs more control tasks
                than the market has.
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
        # The stream's name holds no condition: all conditions share the same exam tasks.
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
        # Both times are rounded before the difference, as platforms report times.
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
