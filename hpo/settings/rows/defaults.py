"""Defaults that depend on other settings: on the market, the pay and the known labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from budget.money import Money
from hpo.settings.market_kinds import split_market
from hpo.settings.rows.staff import PLATFORM
from hpo.settings.rows.staff_defaults import staff_defaults

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
    kind = split_market(read.get("market", "simulated"))[0]
    pay = read.setdefault("pay", kind.pay)
    has_labels = read.get("labels") or not read.get("classes")
    defaults = {
        **({} if kind.knows_price else _REPLAY_DEFAULTS),
        **({} if has_labels else _UNLABELLED_DEFAULTS),
        **({} if pay == PLATFORM else staff_defaults(read, origin)),
        **({"sampler": "tpe"} if read.get("dynamic_overlap") else {}),
    }
    for name, value in defaults.items():
        read.setdefault(name, value)
