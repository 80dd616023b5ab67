"""Wages and groups of own annotators: the file, and what a group's answers cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from budget.errors import InputError
from budget.money import Money
from budget.tariffs.hourly import HourlyTariff
from budget.tariffs.piece import PieceTariff
from budget.tariffs.staff import Group, WorkTime
from budget.tariffs.wages import read_wages

TIME = WorkTime(20_000, expected_ms=10_000)
WAGE = Money.parse("18")
TARIFF = HourlyTariff(TIME, people=5, wages=(("ann", Money.parse("36")), ("bob", Money.parse("9"))))
OTHERS = Group("others", ("bob", "eve"))


def read(tmp_path: Path, text: str) -> object:
    path = tmp_path / "wages.toml"
    path.write_text(text)
    return read_wages(path)


def test_a_file_holds_wages_groups_or_both(tmp_path: Path) -> None:
    wages, groups = "[wages]\nann = 36\n", '[groups]\nothers = ["eve", "bob"]\n'
    both = read(tmp_path, wages + groups)
    assert both.wages == (("ann", Money.parse("36")),)  # type: ignore[attr-defined]
    assert both.groups == (OTHERS,)  # type: ignore[attr-defined]
    assert read(tmp_path, wages).groups == ()  # type: ignore[attr-defined]
    assert read(tmp_path, groups).wages == ()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a table"),
        ("[people]", "a table"),
        ("groups = 3", "a table"),
        ("[wages]\nann = 0", "a wage is above"),
        ("[groups]\nothers = []", "group others: it is empty"),
        ('[groups]\nothers = ["bob", "bob"]', "somebody is in it twice"),
        ('[groups]\nothers = "bob"', "a list of annotators"),
        ('[groups]\nall = ["bob"]', "all means everybody"),
        ('[groups]\nOld-Boys = ["bob"]', "small letters"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        read(tmp_path, text)
    assert "\n" not in str(raised.value)


def test_a_group_costs_what_its_people_earn() -> None:
    mine = TARIFF.among(OTHERS)
    assert mine.expected(10, WAGE) == Money.parse("0.375")  # $13.50 an hour in the mean, 100 s
    assert mine.most(10, WAGE) == Money.parse("0.1") * 12  # the dearest is at the usual wage
    assert TARIFF.most(10, WAGE) == Money.parse("0.2") * 15
    assert mine.earned("eve", WAGE, 10_000) == Money.parse("0.05")
    assert TARIFF.among(None) == TARIFF


def test_a_piece_rate_holds_one_answer_more_of_each_of_the_group() -> None:
    tariff = PieceTariff(TIME, people=5)
    assert tariff.among(OTHERS).most(10, Money.parse("0.1")) == Money.parse("1.2")
