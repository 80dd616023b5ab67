"""Defaults that depend on other settings: on the market, the pay and the known labels."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from budget.errors import InputError
from budget.money import Money
from hpo.settings.market_kinds import split_market
from hpo.settings.rows.staff import HOURLY, PLATFORM, STAFF

# A recording knows nothing about price, and mostly not who answered.
_REPLAY_DEFAULTS = {
    "price": (Money(2_000),),
    "controls": (0,),
    "exam": (False,),
    "overlap": (1, 2, 3),
}
# Control tasks and exams need known labels.
_UNLABELLED_DEFAULTS = {"controls": (0,), "exam": (False,)}


def fill_in(read: dict[str, Any], origin: Mapping[str, str]) -> None:
    """Fill in what the market, the pay and the lack of known labels change.

    Args:
        read: values by name, as read; it is changed.
        origin: where each value came from, for messages.

    Raises:
        InputError: a setting is given that another one leaves no choice of.
    """
    if not split_market(read.get("market", "simulated"))[0].knows_price:
        for name, value in _REPLAY_DEFAULTS.items():
            read.setdefault(name, value)
    if read.get("classes") and not read.get("labels"):
        for name, value in _UNLABELLED_DEFAULTS.items():
            read.setdefault(name, value)
    if read.get("dynamic_overlap"):
        read.setdefault("sampler", "tpe")
    read.setdefault("pay", split_market(read.get("market", "simulated"))[0].pay)
    if read["pay"] != PLATFORM:
        _staff_defaults(read, origin)


# Own annotators are few, are trained before, and have all day.
_STAFF_DEFAULTS = {
    "overlap": (1, 2, 3),
    "exam": (False,),
    "scenario": "office",
    "max_minutes": None,
    "allowance": Fraction(1, 5),
}
_PIECE_PRICES = ("0.01", "0.02", "0.04")


def _staff_defaults(read: dict[str, object], origin: Mapping[str, str]) -> None:
    """Fill in what own annotators change. With a wage, the price is no knob: it is the wage."""
    for name, value in _STAFF_DEFAULTS.items():
        read.setdefault(name, value)
    if read["pay"] != HOURLY:
        read.setdefault("price", tuple(map(Money.parse, _PIECE_PRICES)))
        return
    wage_row = next(row for row in STAFF if row.name == "wage")
    wage = read.setdefault("wage", wage_row.read(wage_row.default, "wage"))
    if read.setdefault("price", (wage,)) != (wage,):
        raise InputError(
            f"{origin.get('price', 'price')}: own annotators earn a wage, so a price per task is "
            "no choice; leave it out, give --wage, or --pay per-answer"
        )
