"""Where a study's money went: parts that add up to its cap, as printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from budget.money import Money, add_up_in_cents
from hpo.answer.terminal import BOUGHT


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """A part of the cap: its name, cents as printed, exact dollars, and share in percent."""

    key: str
    name: str
    cents: str
    exact: str
    share: float


def money_rows(report: Mapping[str, Any]) -> list[MoneyRow]:
    """What was bought by kind, what is held, and what is left."""
    money = report["money"]
    parts = {key: Money.from_json(value) for key, value in money["bought"].items()}
    names = {**BOUGHT, "held": "held for open orders", "left": "left"}
    rest = {key: Money.from_json(money[key]) for key in ("held", "left")}
    kept = {key: value for key, value in {**parts, **rest}.items() if value.micros}
    total = sum(value.micros for value in kept.values()) or 1
    told = add_up_in_cents(list(kept.values()))
    return [
        MoneyRow(key, names[key], shown, str(value), 100 * value.micros / total)
        for (key, value), shown in zip(kept.items(), told, strict=True)
    ]
