"""Amounts are read as people write them, kept exactly and printed so that nothing is hidden."""

from __future__ import annotations

from fractions import Fraction

import pytest

from budget.errors import InputError
from budget.money import ZERO, Money


@pytest.mark.parametrize(
    "text", ["twenty", "", "$", "--5", "1,5", "nan", "inf", "-inf", "sNaN", "0x10", "1e400", "1e9"]
)
def test_what_is_no_amount_is_refused_by_name(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Money.parse(text, "--budget")
    message = str(caught.value)
    assert message.startswith(f"--budget: {text!r}")
    assert "\n" not in message


@pytest.mark.parametrize("text", ["0.0000001", "1e-7", "0.10000000000000000000000000000000001"])
def test_more_decimals_than_the_unit_are_refused_and_never_rounded(text: str) -> None:
    with pytest.raises(InputError, match="more than six decimals"):
        Money.parse(text)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("20", 20_000_000),
        ("$6.54", 6_540_000),
        (" 0.002 ", 2_000),
        ("0.000001", 1),
        ("-5", -5_000_000),
        ("0.10000000000000000000000000000000000", 100_000),
        ("999999999.999999", 999_999_999_999_999),
    ],
)
def test_amounts_as_people_write_them(text: str, micros: int) -> None:
    assert Money.parse(text) == Money(micros)


@pytest.mark.parametrize("bad", [1.0, True, "1", None])
def test_money_is_made_of_whole_micros_only(bad: object) -> None:
    with pytest.raises(TypeError):
        Money(bad)  # type: ignore[arg-type]


def test_floats_cannot_slip_in_by_arithmetic() -> None:
    with pytest.raises(TypeError):
        Money(5) * 0.5  # type: ignore[operator]


@pytest.mark.parametrize(
    ("micros", "exact", "text", "cents"),
    [
        (20_000_000, "20.00", "$20.00", "$20.00"),
        (6_500, "0.0065", "$0.0065", "$0.01"),
        (1, "0.000001", "$0.000001", "$0.01"),
        (0, "0.00", "$0.00", "$0.00"),
        (-1_500_000, "-1.50", "-$1.50", "-$1.50"),
        (-5, "-0.000005", "-$0.000005", "$0.00"),
    ],
)
def test_how_amounts_are_printed(micros: int, exact: str, text: str, cents: str) -> None:
    money = Money(micros)
    assert (money.exact(), str(money), money.cents()) == (exact, text, cents)


def test_the_seed_campaign_costs_6_54_and_not_a_float_less() -> None:
    assert 327 * Money.parse("0.02") == Money.parse("6.54")
    assert sum([Money.parse("0.02")] * 327, ZERO).exact() == "6.54"


def test_a_share_is_rounded_up_to_a_micro() -> None:
    assert Money(10).share(Fraction(1, 3)) == Money(4)
    assert Money(9).share(Fraction(1, 3)) == Money(3)
