"""Properties of amounts and tariffs."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from budget.money import ZERO, Money, add_up_in_cents
from budget.tariff import assignments_for, expected_assignments
from budget.tariffs.suite import SuiteTariff
from tests.drawn import examples

HOUSE = settings(deadline=None, max_examples=examples(150), derandomize=True)

amounts = st.integers(-(10**14), 10**14).map(Money)
rewards = st.integers(0, 10**9).map(Money)
counts = st.integers(0, 10**5)
shares = st.fractions(0, 2, max_denominator=1000)
tariffs = st.builds(SuiteTariff, shares, st.integers(0, 10**5).map(Money), rewards)


@HOUSE
@given(amounts)
def test_what_is_printed_is_read_back(money: Money) -> None:
    assert Money.parse(money.exact()) == money
    text = str(money)
    assert Money.parse(text.replace("$", "")) == money
    assert text.count("$") == 1


@HOUSE
@given(amounts, amounts, amounts)
def test_sums_are_exact(a: Money, b: Money, c: Money) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b - b == a
    assert a + ZERO == a
    assert (a < b) == (a.micros < b.micros)


@HOUSE
@given(amounts, st.integers(0, 1000))
def test_a_multiple_is_a_sum(money: Money, count: int) -> None:
    assert money * count == sum([money] * count, ZERO) == count * money


@HOUSE
@given(amounts, shares)
def test_a_share_is_rounded_up_by_less_than_a_micro(money: Money, share: Fraction) -> None:
    exact = money.micros * share
    assert 0 <= money.share(share).micros - exact < 1


def shown(text: str) -> Money:
    return Money.parse(text.replace("$", ""))


@HOUSE
@given(st.lists(st.integers(0, 10**10).map(Money), min_size=1, max_size=6))
def test_printed_parts_add_up_to_the_printed_whole(parts: list[Money]) -> None:
    whole = sum(parts, ZERO)
    printed = [shown(text) for text in add_up_in_cents(parts)]
    assert sum(printed, ZERO) == shown(whole.cents())
    assert printed[0] == shown(parts[0].cents())
    for amount, part in zip(printed, parts, strict=True):
        assert abs(amount.micros - part.micros) < 10_000
        assert amount >= ZERO


@HOUSE
@given(amounts, amounts, amounts)
def test_printed_parts_add_up_also_after_an_overrun(spent: Money, held: Money, cap: Money) -> None:
    printed = add_up_in_cents([spent, held, cap - spent - held])
    assert sum(map(shown, printed), ZERO) == shown(cap.cents())


@HOUSE
@given(amounts)
def test_cents_are_rounded_up_by_less_than_a_cent(money: Money) -> None:
    printed = shown(money.cents())
    assert ZERO <= printed - money < Money(10_000)


@HOUSE
@given(tariffs, counts, counts, rewards, rewards)
def test_a_tariff_is_monotone_and_linear_in_assignments(
    tariff: SuiteTariff, n: int, m: int, reward: Money, more: Money
) -> None:
    assert tariff.cost(n, reward) + tariff.cost(m, reward) == tariff.cost(n + m, reward)
    assert tariff.cost(n, reward) <= tariff.cost(n, reward + more)
    assert tariff.cost(n, reward) <= tariff.cost(n + m, reward)
    assert tariff.cost(n, reward) == reward * n + tariff.fee(n, reward)


@HOUSE
@given(tariffs, counts, rewards)
def test_a_fee_is_never_rounded_down(tariff: SuiteTariff, n: int, reward: Money) -> None:
    exact = max(reward.micros * tariff.fee_share, Fraction(tariff.fee_minimum.micros)) * n
    assert 0 <= tariff.fee(n, reward).micros - exact < max(n, 1)


@HOUSE
@given(st.integers(1, 2000), st.integers(1, 20), st.integers(1, 50))
def test_expected_assignments_hold_all_answers_and_no_suite_too_many(
    tasks: int, overlap: int, real: int
) -> None:
    assignments = expected_assignments(tasks, overlap, real)
    assert assignments * real >= tasks * overlap
    assert assignments >= overlap
    assert (assignments - 1) * real < tasks * overlap or assignments == overlap
    assert assignments <= expected_assignments(tasks + 1, overlap, real)
    assert assignments <= expected_assignments(tasks, overlap + 1, real)
    assert assignments == assignments_for(tasks * overlap, overlap, real)
