"""Which answers of own annotators count, what they earn, and who is trusted."""

from __future__ import annotations

import dataclasses
import math

import pytest

from budget.money import ZERO, Money
from budget.tariffs.hourly import HourlyTariff
from budget.tariffs.staff import Group, WorkTime
from labeling.campaign.campaign import FAST_RESPONSES, WRONG_CONTROLS, Campaign, Question
from labeling.timesheet.controls import controls_for
from labeling.timesheet.sheet import Refusal, Sheet, WorkedAnswer
from labeling.types import Assignment, Condition, Order

CAMPAIGN = Campaign("sheet", (Question("q", "Which?", ("a", "b", "c")),), "")
WAGE = Money.parse("18")
TARIFF = HourlyTariff(WorkTime(20_000), people=2)
CONDITION = Condition("d", "office", CAMPAIGN.key, WAGE, 1, 10, False, one_by_one=True)
TRUTH = {100 + row: 0 for row in range(20)}


def order(tasks: int = 20, overlap: int = 1, limit: int = 100) -> Order:
    return Order(CONDITION, 0, tuple((row, overlap) for row in range(tasks)), limit, None)


def opened(**settings: int) -> Sheet:
    sheet = Sheet(CAMPAIGN, TARIFF, TRUTH)
    sheet.open(order(**settings), 1_000.0)
    return sheet


def answer(
    number: int, task: int | None, who: str = "ann", label: int | None = 0, seconds: float = 5.0
) -> WorkedAnswer:
    labels = None if label is None else (label,)
    return WorkedAnswer(str(number), who, task, labels, 1_000.0 + number, seconds)


def test_an_answer_is_an_assignment_of_one_task_paid_by_its_time() -> None:
    made, ban = opened().take(answer(1, 3, label=2))
    assert isinstance(made, Assignment)
    assert (made.tasks, made.labels, made.control) == ((3,), (2,), (False,))
    assert (made.submitted_s, made.seconds, made.reward) == (1.0, 5.0, Money.parse("0.025"))
    assert ban is None


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (answer(2, 3), "second answer of a person to a task"),
        (answer(2, 55), "the task is not the study's"),
        (answer(2, None), "the task is not the study's"),
        (answer(2, 4, label=None), "unknown class"),
        (dataclasses.replace(answer(2, 4), fault="in another's name"), "in another's name"),
    ],
)
def test_an_answer_that_cannot_count_is_refused_with_its_reason(
    wrong: WorkedAnswer, reason: str
) -> None:
    sheet = opened()
    sheet.take(answer(1, 3))
    assert sheet.take(wrong) == (Refusal("2", "ann", reason), None)
    assert int(sheet.missing().sum()) == 19


def test_answers_above_the_limit_and_one_of_each_person_are_refused() -> None:
    sheet = opened(limit=3)
    taken = [sheet.take(answer(n, n))[0] for n in range(6)]
    assert [isinstance(one, Assignment) for one in taken] == [True] * 5 + [False]
    assert isinstance(taken[5], Refusal)
    assert taken[5].reason == "above the limit"
    assert sheet.left == -2


def test_only_answers_of_the_group_count_and_its_people_bound_the_limit() -> None:
    sheet, one = Sheet(CAMPAIGN, TARIFF, TRUTH), order(limit=3)
    condition = dataclasses.replace(CONDITION, group=Group("seniors", ("ann",)))
    sheet.open(dataclasses.replace(one, condition=condition), 1_000.0)
    refusal = Refusal("1", "bob", "not of the group seniors")
    assert sheet.take(answer(1, 3, who="bob")) == (refusal, None)
    taken = [sheet.take(answer(n, n))[0] for n in range(5)]
    assert [isinstance(made, Assignment) for made in taken] == [True] * 4 + [False]
    earned = [one.reward for one in taken if isinstance(one, Assignment)]
    assert sum(earned, ZERO) <= TARIFF.most(3, WAGE)


@pytest.mark.parametrize("odd", [-3.0, 0.0, math.nan])
def test_odd_times_are_paid_at_the_floor(odd: float) -> None:
    made, _ = opened().take(answer(1, 3, seconds=odd))
    assert isinstance(made, Assignment)
    assert made.seconds == 1.0


def test_a_task_left_open_is_paid_up_to_the_cap_and_to_three_times_the_usual() -> None:
    sheet = opened()
    first, _ = sheet.take(answer(1, 1, seconds=1e9))
    assert isinstance(first, Assignment)
    assert first.seconds == 20.0
    sheet = opened()
    for n in range(5):
        sheet.take(answer(n, n, seconds=2.0))
    late, _ = sheet.take(answer(6, 6, seconds=900.0))
    assert isinstance(late, Assignment)
    assert late.seconds == 6.0


def test_half_of_three_control_answers_wrong_is_a_ban_and_asks_again() -> None:
    sheet = opened()
    sheet.take(answer(0, 5))
    bans = [sheet.take(answer(n + 1, 100 + n, label=min(n, 1)))[1] for n in range(3)]
    assert [ban is not None for ban in bans] == [False, False, True]
    assert bans[2] is not None
    assert bans[2].reason == WRONG_CONTROLS
    assert int(sheet.missing().sum()) == 20
    made, again = sheet.take(answer(9, 6))  # paid, but not trusted
    assert isinstance(made, Assignment)
    assert again is None
    assert int(sheet.missing().sum()) == 20


def test_one_wrong_control_answer_of_many_is_forgiven() -> None:
    sheet = opened()
    bans = [sheet.take(answer(n, 100 + n, label=int(n == 2)))[1] for n in range(10)]
    assert bans == [None] * 10


def test_half_of_ten_answers_too_fast_is_a_ban() -> None:
    sheet = opened()
    bans = [sheet.take(answer(n, n, seconds=0.2))[1] for n in range(12)]
    assert [ban.reason for ban in bans if ban] == [FAST_RESPONSES]


def test_who_can_still_answer_is_told() -> None:
    sheet = opened(tasks=1, overlap=2)
    assert sheet.can_answer(["ann"])
    sheet.take(answer(1, 0))
    assert not sheet.can_answer(["ann"])
    assert sheet.can_answer(["ann", "bob"])


def test_nobody_is_waited_for_whose_answer_was_refused() -> None:
    sheet = opened(tasks=1, overlap=2)
    sheet.take(answer(1, 0))
    sheet.take(dataclasses.replace(answer(2, 0, "bob"), fault="marked as known truth"))
    assert not sheet.can_answer(["ann", "bob"])
    sheet.take(answer(3, 0, "bob"))  # bob deleted the first one, and was asked again
    assert not sheet.missing().any()


def test_controls_are_a_share_of_each_persons_work_and_only_grow() -> None:
    rows = list(range(100, 150))
    few = controls_for(CONDITION, 90, 5, rows, 0)
    many = controls_for(CONDITION, 180, 5, rows, 0)
    assert len(few) == 2
    assert len(many) == 4
    assert many[:2] == few
    assert controls_for(dataclasses.replace(CONDITION, controls=0), 90, 5, rows, 0) == []
    assert len(controls_for(CONDITION, 10**6, 5, rows, 0)) == 50


def test_an_answer_that_is_shown_late_stands_where_it_was_seen() -> None:
    sheet = opened()
    made = [sheet.take(answer(number, task))[0] for task, number in enumerate((3, 2, 4))]
    assert [one.submitted_s for one in made if isinstance(one, Assignment)] == [3.0, 3.0, 4.0]
