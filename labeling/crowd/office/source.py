"""OfficeSource: simulated own annotators as a market of labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from budget.errors import InputError
from budget.tariffs.staff import StaffTariff
from labeling.campaign.campaign import OBJECTIVE, Campaign
from labeling.crowd.office.desk import Desk
from labeling.crowd.office.staff import OfficeStaff
from labeling.crowd.people.items import Items, clear_controls
from labeling.crowd.people.opinions import Opinions, make_opinions
from labeling.crowd.scenario import Scenario
from labeling.source import Pool, orders_before
from labeling.timesheet.controls import controls_for
from labeling.timesheet.orders import (
    Counted,
    answers_on,
    check_order,
    end_of,
    pages_of,
    staff_minutes,
)
from labeling.timesheet.sheet import Sheet
from labeling.types import Answers, Assignment, Condition, Order, Page


@dataclass(frozen=True, slots=True)
class _Done:
    """A simulated order: its pages."""

    order: Order
    pages: tuple[Page, ...]


@dataclass(slots=True)
class _AtWork:
    """A condition's people at work, and its simulated orders by tranche."""

    desk: Desk
    sheet: Sheet
    answers: int = 0
    done: list[_Done] = field(default_factory=list)


class OfficeSource:
    """A market of simulated own annotators, who are the same people in all conditions.

    An order is simulated from its condition's beginning, so a fresh process yields the same pages.

    Args:
        scenario: the people.
        campaign: the questions and the rules.
        items: truth, difficulty and distractor of every row, for the judged question.
        controls: class of each control task.
        tariff: what an answer earns.
        seed: the study's seed.
        earlier: returns the ended orders of a condition.
        further: items of the campaign's other objective questions, by name.
        prelabels: class that is shown with each task, in conditions that show predictions.

    Raises:
        InputError: the scenario has no people, or the campaign no question that it can judge.
    """

    def __init__(
        self,
        scenario: Scenario,
        campaign: Campaign,
        items: Items,
        controls: Mapping[int, int],
        tariff: StaffTariff,
        seed: int,
        earlier: Callable[[Condition], Sequence[Order]],
        further: Mapping[str, Items | Opinions] | None = None,
        prelabels: Mapping[int, int] | None = None,
    ) -> None:
        if not scenario.office_people:
            raise InputError(
                f"scenario {scenario.name}: it has no own annotators (office_people is 0); give "
                "--scenario office, or --people simulated:5"
            )
        self.scenario = scenario
        self.campaign = campaign
        self.items = clear_controls(items, sorted(controls), scenario.control_error)
        self._controls = controls
        self._tariff = tariff
        self._seed = seed
        self._earlier = earlier
        self._prelabels = prelabels or {}
        self._others = _others(campaign, scenario, len(items), seed, further or {})
        self._at_work: dict[str, _AtWork] = {}

    @property
    def tariff(self) -> StaffTariff:
        """What an answer earns."""
        return self._tariff

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """Minutes that the people need for a number of answers, nights included."""
        people = condition.people(self.scenario.office_people)
        hours = self.scenario.office_hours
        return staff_minutes(assignments, self._tariff, people, hours)

    def place(self, order: Order) -> Pool:
        """Name the order's pool; `collect` simulates it.

        Raises:
            InputError: the order cannot be served: an exam, a rate that pays nothing, or rows
                outside the image index.
        """
        tasks = check_order(order, self.campaign, self._tariff, self._controls)
        if len(tasks) and (tasks.min() < 0 or tasks.max() >= len(self.items)):
            raise InputError(f"order: tasks are rows below {len(self.items)} of the image index")
        return Pool(f"office-{order.condition.key[:16]}", order)

    def collect(self, pool: Pool) -> Iterator[Page]:
        """Simulate the order and yield its answers in the order of submission."""
        yield from self._run(pool.order).pages

    def answers(self, order: Order) -> Answers:
        """The order's answers, in columns."""
        return answers_on(self._run(order).pages)

    def close(self) -> None:
        """Forget the work; collecting an order again simulates it with the same result."""
        self._at_work.clear()

    def staff(self, condition: Condition) -> OfficeStaff:
        """The people as they answer in a condition."""
        questions, judged = self.campaign.questions, self.campaign.judged
        others = [at for at in range(len(questions)) if at != judged]
        first = len(questions[judged].classes) if judged is not None else 2
        classes = (first, *(len(questions[at].classes) for at in others))
        return OfficeStaff(
            self.scenario,
            self.items,
            classes,
            self._others,
            judged,
            self.campaign.suite_size,
            self._seed,
            condition.key,
            self._prelabels if condition.prelabels else None,
            condition.group,
        )

    def _run(self, order: Order) -> _Done:
        key, before = order.condition.key, order.tranche
        now = self._at_work.get(key)
        if now and len(now.done) > before and now.done[before].order == order:
            return now.done[before]
        orders = orders_before(order, self._earlier(order.condition))
        if now is None or [done.order for done in now.done] != orders:
            now = self._open(order.condition)
            for old in orders:
                now.done.append(self._simulate(now, old))
            self._at_work[key] = now
        now.done.append(self._simulate(now, order))
        return now.done[before]

    def _open(self, condition: Condition) -> _AtWork:
        sheet = Sheet(self.campaign, self._tariff, self._controls)
        hours = self.scenario.office_hours
        return _AtWork(Desk(self.staff(condition), sheet, condition, hours, self._seed), sheet)

    def _simulate(self, now: _AtWork, order: Order) -> _Done:
        desk, sheet = now.desk, now.sheet
        opened = desk.clock_s(desk.worked_s)
        sheet.open(order, opened)
        now.answers += order.answers_wanted
        people = order.condition.people(self.scenario.office_people)
        rows = list(self._controls)
        controls = controls_for(order.condition, now.answers, people, rows, self._seed)
        came: list[Counted] = []
        for answer in desk.run(order, controls):
            counted, ban = sheet.take(answer, desk.clock_s(answer.at_s))
            if isinstance(counted, Assignment):
                came.append((counted, ban))
        end = end_of(order, sheet, came, desk.names)
        return _Done(order, tuple(pages_of(order, came, end)))


def _others(
    campaign: Campaign,
    scenario: Scenario,
    rows: int,
    seed: int,
    further: Mapping[str, Items | Opinions],
) -> tuple[Items | Opinions, ...]:
    """Items or opinions of the questions that control tasks do not check."""
    seen: list[Items | Opinions] = []
    for at, question in enumerate(campaign.questions):
        if at == campaign.judged:
            continue
        given = further.get(question.name)
        if given is None and question.kind == OBJECTIVE:
            raise InputError(f"question {question.name!r}: it needs the true class of each image")
        classes = len(question.classes)
        seen.append(given or make_opinions(scenario, rows, classes, seed, question.name))
    return tuple(seen)
