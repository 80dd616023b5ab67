"""What a platform charges."""

from __future__ import annotations

from fractions import Fraction

import pytest

from budget.errors import InputError
from budget.money import Money
from budget.tariff import assignments_for, expected_assignments
from budget.tariffs.suite import SuiteTariff


def test_the_published_campaign_to_the_cent() -> None:
    suites = expected_assignments(tasks=980, overlap=3, real_per_suite=9)
    assert suites == 327
    reward = Money.parse("0.002") * 10
    assert reward * suites == Money.parse("6.54")
    assert SuiteTariff().fee(suites, reward) == Money.parse("1.962")
    assert SuiteTariff().cost(suites, reward) == Money.parse("8.502")


def test_the_smallest_fee_counts_for_small_rewards() -> None:
    tariff = SuiteTariff(Fraction(3, 10), Money(5_000))
    assert tariff.fee(10, Money(10_000)) == Money(50_000)
    assert tariff.fee(10, Money(20_000)) == Money(60_000)


def test_a_fee_below_a_micro_is_rounded_up_per_assignment() -> None:
    tariff = SuiteTariff(Fraction(1, 3), Money(0), Money(0))
    assert tariff.fee(3, Money(10)) == Money(12)


def test_a_reward_below_the_smallest_is_refused_with_both_amounts() -> None:
    with pytest.raises(InputError, match=r"--price: \$0.004 .* \$0.005; raise"):
        SuiteTariff().check_rate(Money(4_000), "--price")
    SuiteTariff().check_rate(Money(5_000))


@pytest.mark.parametrize(
    "wrong",
    [
        {"fee_share": Fraction(-1, 10)},
        {"fee_minimum": Money(-1)},
        {"smallest_reward": Money(-1)},
    ],
)
def test_a_negative_tariff_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="at least 0"):
        SuiteTariff(**wrong)  # type: ignore[arg-type]


def test_a_suite_full_of_control_tasks_is_refused() -> None:
    with pytest.raises(InputError, match="leave a place for a real task"):
        expected_assignments(10, 3, 0)


def test_few_tasks_still_need_an_assignment_per_answer() -> None:
    assert expected_assignments(tasks=2, overlap=5, real_per_suite=9) == 5
    assert expected_assignments(tasks=0, overlap=5, real_per_suite=9) == 0
    assert assignments_for(answers=12, most=7, real_per_suite=9) == 7
