"""Own annotators: what an answer earns, and what is held for it."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.errors import InputError
from budget.money import ZERO, Money
from budget.tariff import affordable, assignments_for, expected_cost
from budget.tariffs.hourly import HourlyTariff
from budget.tariffs.piece import PieceTariff
from budget.tariffs.staff import StaffTariff, WorkTime
from tests.drawn import examples

HOUSE = settings(deadline=None, max_examples=examples(150), derandomize=True)
WAGE = Money.parse("18")
TIME = WorkTime(most_ms=20_000)
TARIFF = HourlyTariff(TIME, people=4, wages=(("ann", Money.parse("36")),))

wages = st.integers(1, 10**9).map(Money)
seconds = st.one_of(st.floats(-1e9, 1e12), st.just(math.nan), st.just(math.inf))
times = st.builds(
    lambda least, typical, most: WorkTime(least + typical + most, least, least + typical),
    st.integers(0, 10_000),
    st.integers(0, 60_000),
    st.integers(1, 10**6),
)
hourly = st.builds(
    lambda time, people, own: HourlyTariff(time, people, (("ann", own),)),
    times,
    st.integers(0, 8),
    wages,
)
tariffs = st.one_of(hourly, st.builds(PieceTariff, times, st.integers(0, 8)))


def test_an_answer_earns_the_wage_of_its_time() -> None:
    assert TARIFF.earned("bob", WAGE, TIME.paid_ms(10.0)) == Money.parse("0.05")
    assert TARIFF.earned("ann", WAGE, TIME.paid_ms(10.0)) == Money.parse("0.10")


def test_times_have_a_floor_and_a_cap() -> None:
    for worked, paid in ((-3, 1_000), (0, 1_000), (0.4, 1_000), (7.25, 7_250), (1e9, 20_000)):
        assert TIME.paid_ms(worked) == paid


def test_a_person_is_paid_for_three_times_the_usual_time_at_most() -> None:
    assert TIME.paid_ms(15.0, usual_ms=4_000) == 12_000
    assert TIME.paid_ms(15.0, usual_ms=100) == 1_000
    assert TIME.paid_ms(15.0, usual_ms=9_000) == 15_000


def test_the_hold_counts_one_answer_more_of_each_person_at_the_highest_wage() -> None:
    assert TARIFF.most(10, WAGE) == Money.parse("0.20") * 14
    assert TARIFF.most(0, WAGE) == ZERO


def test_a_pay_is_rounded_up_once() -> None:
    assert TARIFF.earned("bob", Money(1), 1_000) == Money(1)


def test_bounds_in_the_wrong_order_name_their_settings() -> None:
    with pytest.raises(InputError, match="--most-seconds"):
        WorkTime(most_ms=4_000)
    with pytest.raises(InputError, match="wage per hour"):
        TARIFF.check_rate(ZERO)
    with pytest.raises(InputError, match="price per answer"):
        PieceTariff(TIME).check_rate(ZERO)


@HOUSE
@given(tariffs, wages, st.lists(st.tuples(st.sampled_from(["ann", "bob"]), seconds), max_size=30))
def test_no_answers_cost_more_than_their_hold(
    tariff: StaffTariff, wage: Money, done: list[tuple[str, float]]
) -> None:
    rewards = [tariff.earned(name, wage, tariff.time.paid_ms(worked)) for name, worked in done]
    cost = sum((tariff.cost(1, reward) for reward in rewards), ZERO)
    limit = max(0, len(done) - tariff.people)
    if limit or not done:
        assert cost <= tariff.most(limit, wage)


@HOUSE
@given(tariffs, wages, st.integers(0, 10**5), st.integers(0, 10**5))
def test_holds_grow_with_the_limit_and_cover_the_expectation(
    tariff: StaffTariff, wage: Money, n: int, m: int
) -> None:
    assert tariff.most(n, wage) <= tariff.most(n + m, wage)
    assert expected_cost(tariff, n, wage) <= tariff.most(n, wage)


@HOUSE
@given(tariffs, wages, st.integers(0, 10**12).map(Money))
def test_the_affordable_limit_is_the_largest_one(
    tariff: StaffTariff, wage: Money, left: Money
) -> None:
    limit = affordable(tariff, left, wage)
    assert tariff.most(limit, wage) <= left
    assert tariff.most(limit + 1, wage) > left


def test_single_tasks_count_their_share_of_control_tasks() -> None:
    assert assignments_for(90, 3, Fraction(9, 10)) == 100
    assert assignments_for(91, 3, Fraction(9, 10)) == 102
    assert isinstance(assignments_for(91, 3, Fraction(9, 10)), int)
