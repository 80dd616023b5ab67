"""What own annotators change in a configuration: defaults, and what they are paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.money import Money
from budget.tariffs.hourly import HourlyTariff
from budget.tariffs.piece import PieceTariff
from budget.tariffs.staff import Group, StaffTariff, WorkTime
from budget.tariffs.wages import EVERYBODY, read_wages
from hpo.settings.rows.staff import HOURLY, PER_ANSWER

WAGE = Money(18_000_000)
# Own annotators are few, are trained before, and have all day.
_DEFAULTS = {
    "overlap": (1, 2, 3),
    "exam": (False,),
    "scenario": "office",
    "max_minutes": None,
    "allowance": Fraction(1, 5),
}
_PRICES = ("0.01", "0.02", "0.04")


def staff_defaults(read: Mapping[str, Any], origin: Mapping[str, str]) -> dict[str, Any]:
    """Defaults for own annotators. With a wage, the price is no knob: it is the wage.

    Raises:
        InputError: prices are given beside a wage.
    """
    if read["pay"] != HOURLY:
        return {**_DEFAULTS, "price": tuple(map(Money.parse, _PRICES))}
    wage = read.get("wage", WAGE)
    if read.get("price", (wage,)) != (wage,):
        raise InputError(
            f"{origin.get('price', 'price')}: own annotators earn a wage, so a price per task is "
            "no choice; leave it out, give --wage, or --pay per-answer"
        )
    return {**_DEFAULTS, "price": (wage,), "wage": wage}


def staff_tariff(
    pay: str, seconds: tuple[float | None, float, float], people: int, wages: str | None
) -> StaffTariff:
    """What own annotators earn.

    Args:
        pay: how they are paid.
        seconds: longest, shortest and expected paid time of an answer.
        people: how many work at once.
        wages: the file with wages of their own.

    Raises:
        InputError: the file of wages cannot be read, or times are in no order.
    """
    most, least, usual = seconds
    bounds = (3 * usual if most is None else most, least, usual)
    time = WorkTime(*(round(1000 * bound) for bound in bounds))
    if pay == PER_ANSWER:
        return PieceTariff(time, people)
    return HourlyTariff(time, people, read_wages(Path(wages)).wages if wages else ())


def staff_groups(names: Sequence[str], wages: str | None, overlap: int) -> tuple[Group, ...]:
    """The groups of own annotators that a study may ask.

    Args:
        names: of groups; everybody together is none.
        wages: the file that tells who is in which.
        overlap: the most answers that a plan may want on one task.

    Raises:
        InputError: a group is unknown or too small, or the file cannot be read.
    """
    wanted = [name for name in names if name != EVERYBODY]
    if not wanted:
        return ()
    groups = read_wages(Path(wages)).groups if wages else ()
    known = {group.name: group for group in groups}
    for name in wanted:
        if name not in known:
            there = ", ".join(known) or "none"
            raise InputError(
                f"--group: {name}: no such group; the table [groups] of --wages FILE has {there}"
            )
        if overlap > (people := len(known[name].members)):
            raise InputError(
                f"--overlap: {overlap} answers per task are more than the group {name} has people "
                f"({people}); give at most that, or leave the group out"
            )
    return tuple(known[name] for name in wanted)
