"""Simulated own annotators: the queue at their desks, working hours, pay."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

import numpy as np
import pytest

from budget.errors import InputError
from budget.money import ZERO, Money
from budget.tariffs.hourly import HourlyTariff
from budget.tariffs.piece import PieceTariff
from budget.tariffs.staff import Group, StaffTariff, WorkTime
from labeling.campaign.campaign import Campaign, Question
from labeling.crowd.office.source import OfficeSource
from labeling.crowd.office.staff import Worked, staff_names
from labeling.crowd.people.items import make_items
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.types import Assignment, Condition, DynamicOverlap, Order, Page

CAMPAIGN = Campaign("office", (Question("q", "Which?", ("a", "b", "c")),), "")
TASKS, CONTROLS = 120, 20
TRUTH = np.random.default_rng(0).integers(0, 3, TASKS + CONTROLS)
OFFICE = load_scenario("office")
HOURLY = HourlyTariff(WorkTime(18_000), people=5)


def office(
    scenario: Scenario = OFFICE,
    tariff: StaffTariff = HOURLY,
    ended: tuple[Order, ...] = (),
) -> OfficeSource:
    items = make_items(scenario, TRUTH, 3, 0)
    truth = {row: int(TRUTH[row]) for row in range(TASKS, TASKS + CONTROLS)}
    return OfficeSource(
        scenario, CAMPAIGN, items, truth, tariff, 0, lambda _: list(ended), prelabels=WRONG
    )


WRONG = {row: int(truth + 1) % 3 for row, truth in enumerate(TRUTH)}
"""Predictions that are all wrong."""


def order(overlap: int = 2, tranche: int = 0, **changes: object) -> Order:
    condition = Condition(
        "d", "office", CAMPAIGN.key, Money.parse("18"), 1, 10, False, one_by_one=True
    )
    made = Order(condition, tranche, tuple((row, overlap) for row in range(TASKS)), 400, None)
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def bought(source: OfficeSource, wanted: Order) -> tuple[list[Assignment], Page]:
    pages = list(source.collect(source.place(wanted)))
    return [one for page in pages for one in page.assignments], pages[-1]


def test_every_task_gets_its_answers_and_every_person_each_control_once() -> None:
    done, last = bought(office(), order())
    assert last.end is not None
    assert (last.end.reason, last.end.missing) == ("complete", 0)
    real = Counter(one.tasks[0] for one in done if not one.control[0])
    assert set(real.values()) == {2}
    checks = Counter((one.annotator, one.tasks[0]) for one in done if one.control[0])
    assert set(checks.values()) == {1}
    assert len({task for _, task in checks}) == 6  # a tenth of each person's 53 answers, rounded up


def test_a_group_answers_alone_as_its_people_answer_anyway() -> None:
    group, source = Group("seniors", staff_names(2)), office()
    condition = dataclasses.replace(order().condition, group=group)
    done, last = bought(source, order(condition=condition))
    assert last.end is not None
    assert (last.end.missing, last.end.looked) == (0, 2)
    assert {one.annotator for one in done} == set(group.members)
    few, all_of_them = (source.expected_minutes(c, 240) for c in (condition, order().condition))
    assert few == pytest.approx(2.5 * all_of_them)


def test_dynamic_overlap_asks_until_the_label_is_sure() -> None:
    rule = DynamicOverlap(2, 4, 0.9)
    condition = dataclasses.replace(order().condition, dynamic=rule, controls=3)
    wanted = order(overlap=rule.most, condition=condition, limit=2000)
    done, last = bought(office(), wanted)
    assert last.end is not None
    assert (last.end.reason, last.end.missing) == ("complete", 0)
    votes: defaultdict[int, list[int]] = defaultdict(list)
    for one in done:
        if not one.control[0]:
            votes[one.tasks[0]].append(one.labels[0])
    sizes = Counter(len(given) for given in votes.values())
    assert set(sizes) == {2, 3, 4}
    assert all(len(set(given)) == 1 for given in votes.values() if len(given) == 2)


def usable(pages: Sequence[Page], banned: Collection[str]) -> Counter[int]:
    """Usable answers to each real task."""
    return Counter(
        one.tasks[0]
        for page in pages
        for one in page.assignments
        if one.annotator not in banned and not one.control[0]
    )


def test_a_ban_takes_votes_away_that_made_labels_sure() -> None:
    rule = DynamicOverlap(2, 4, 0.9)
    sloppy = dataclasses.replace(OFFICE, careless=0.4, careless_guess=0.9)
    condition = dataclasses.replace(order().condition, dynamic=rule)
    source = office(sloppy)
    pages = list(source.collect(source.place(order(4, condition=condition, limit=2000))))
    banned = {ban.annotator for page in pages for ban in page.restrictions}
    assert banned
    answers = usable(pages, banned)
    assert min(answers[task] for task in range(TASKS)) >= rule.least


def test_pay_is_wage_times_time_within_the_hold() -> None:
    wanted = order()
    done, _ = bought(office(), wanted)
    for one in done:
        assert one.reward == HOURLY.earned(
            one.annotator, Money.parse("18"), round(1000 * one.seconds)
        )
    paid = sum((one.reward for one in done), ZERO)
    assert paid <= HOURLY.most(wanted.limit, wanted.condition.reward)


def test_pay_per_answer_is_the_price() -> None:
    wanted = order()
    cheap = dataclasses.replace(wanted.condition, price=Money.parse("0.02"))
    done, _ = bought(
        office(tariff=PieceTariff(WorkTime(18_000), 5)),
        dataclasses.replace(wanted, condition=cheap),
    )
    assert {one.reward for one in done} == {Money.parse("0.02")}


def test_a_night_passes_between_two_working_days() -> None:
    short = dataclasses.replace(OFFICE, office_hours=0.05)
    _, last = bought(office(short), order())
    _, day = bought(office(), order())
    assert last.end is not None
    assert day.end is not None
    assert last.end.minutes > 24 * 60 > day.end.minutes
    few, many = (office(short).expected_minutes(order().condition, n) for n in (20, 400))
    assert few < 3 < 24 * 60 < many


def test_the_deadline_ends_an_order() -> None:
    done, last = bought(office(), order(minutes=1.0))
    assert last.end is not None
    assert last.end.reason == "deadline"
    assert last.end.missing > 0
    assert all(one.submitted_s - one.seconds <= 61 for one in done)


def test_more_answers_than_people_end_at_the_supply() -> None:
    _, last = bought(office(), order(overlap=6, limit=2000))
    assert last.end is not None
    assert (last.end.reason, last.end.missing) == ("supply", TASKS)


def test_a_careless_person_is_banned_and_replaced() -> None:
    sloppy = dataclasses.replace(OFFICE, careless=0.4, careless_guess=0.9)
    source = office(sloppy)
    pages = list(source.collect(source.place(order(limit=2000))))
    banned = {ban.annotator for page in pages for ban in page.restrictions}
    assert banned
    answers = usable(pages, banned)
    assert all(answers[task] >= 2 for task in range(TASKS))


def test_an_answer_depends_on_person_task_and_work_done_only() -> None:
    condition = order().condition
    one, other = office().staff(condition), office().staff(condition)
    first = [one.answer(one.names[0], task, Worked()) for task in range(20)]
    again = [other.answer(one.names[0], task, Worked()) for task in reversed(range(20))]
    assert first == again[::-1]


def test_more_tasks_a_day_tire() -> None:
    tired = dataclasses.replace(OFFICE, fatigue=0.05)
    staff = office(tired).staff(order().condition)

    def right(today: int) -> int:
        work = Worked(today, today)
        given = [staff.answer(name, row, work) for name in staff.names for row in range(TASKS)]
        return sum(one.labels[0] == TRUTH[at % TASKS] for at, one in enumerate(given))

    assert right(0) > right(200)


def test_an_open_crowd_is_no_office() -> None:
    with pytest.raises(InputError, match="--scenario office"):
        office(load_scenario("default"))


def test_predictions_shown_anchor_answers_and_save_time() -> None:
    condition = order().condition
    shown = dataclasses.replace(condition, prelabels="wrong")

    def given(anchoring: float, where: Condition) -> tuple[float, float]:
        """Share of answers that are the prediction, and mean seconds."""
        crowd = dataclasses.replace(OFFICE, anchoring=anchoring, prelabel_time=0.5)
        staff = office(crowd).staff(where)
        answers = [(row, staff.answer(n, row, Worked())) for n in staff.names for row in WRONG]
        as_shown = [answer.labels[0] == WRONG[row] for row, answer in answers]
        return float(np.mean(as_shown)), float(np.mean([a.seconds for _, a in answers]))

    unmoved, saved = given(0.0, shown)
    followed, _ = given(1.0, shown)
    hidden, usual = given(1.0, condition)
    assert followed == 1.0
    assert abs(unmoved - hidden) < 0.1  # another draw of the same people
    assert hidden < 0.4
    assert saved < 0.7 * usual
