"""Defaults that depend on other settings: on the market, the pay and the known labels."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.money import Money
from hpo.settings.market_kinds import split_market
from hpo.settings.parsing import as_name
from hpo.settings.rows.staff import HOURLY, PLATFORM
from hpo.settings.table import BY_NAME, MODEL, PLAN, SETTINGS

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
    """Fill in the settings that are not given; some defaults depend on others that are.

    Args:
        read: values by name, as read; it is changed.
        origin: where each value came from, for messages.

    Raises:
        InputError: a setting is given that another one leaves no choice of.
    """
    _market_defaults(read, origin)
    if read.get("classes") and not read.get("labels"):
        for name, value in _UNLABELLED_DEFAULTS.items():
            read.setdefault(name, value)
    read.setdefault("goal", _default_goal(read))
    read.setdefault("study", _default_name(read.get("data", "digits3")))
    for row in SETTINGS:
        if row.name not in read:
            read[row.name] = row.read(row.default, row.name)


def _market_defaults(read: dict[str, Any], origin: Mapping[str, str]) -> None:
    """Fill in what the market changes."""
    if not split_market(read.get("market", "simulated"))[0].knows_price:
        for name, value in _REPLAY_DEFAULTS.items():
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
    wage = read.setdefault("wage", BY_NAME["wage"].read(BY_NAME["wage"].default, "wage"))
    if read.setdefault("price", (wage,)) != (wage,):
        raise InputError(
            f"{origin.get('price', 'price')}: own annotators earn a wage, so a price per task is "
            "no choice; leave it out, give --wage, or --pay per-answer"
        )


def _default_goal(read: Mapping[str, object]) -> str:
    """A model, unless the question is about a plan for a campaign elsewhere."""
    about_plans = ("pool_size", "target", "dynamic_overlap", "campaign")
    return PLAN if any(read.get(name) for name in about_plans) else MODEL


def _default_name(data: str) -> str:
    kind, _, rest = data.partition(":")
    if not rest:
        return kind
    stem = as_name(Path(rest).stem)
    return f"{kind}-{stem or 'images'}"
