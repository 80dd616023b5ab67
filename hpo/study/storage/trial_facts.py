"""Trials as flat facts: numbers and texts by name, for tables and for Optuna's own tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from budget.money import ZERO, Money

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

PURCHASE, EVALUATION, AFTERWARDS, REFUSED = "purchase", "evaluation", "after the search", "refused"
"""What a trial was: labels bought; a plan contained in labels owned, evaluated during the search or
after it; a purchase that the money or the limits did not bear."""
KIND = "kind"
_BESIDE = ("low", "high", "minutes", "labels")  # of an outcome, beside Optuna's values
_OWN_ANNOTATORS = ("prelabel", "group")  # of a plan, where it has them


def kind_of(trial: FrozenTrial) -> str:
    """What a trial was."""
    attrs = trial.user_attrs
    if "refused" in attrs:
        return REFUSED
    if attrs.get("after_search"):
        return AFTERWARDS
    return PURCHASE if attrs.get("bought") else EVALUATION


def flat_facts(trial: FrozenTrial) -> dict[str, Any]:
    """What is known of a trial: plan, measured scores, money in dollars, minutes, labels."""
    attrs = trial.user_attrs
    facts: dict[str, Any] = {"kind": kind_of(trial)}
    plan: Mapping[str, Any] = attrs.get("plan") or {}
    made: Mapping[str, Any] | None = attrs.get("outcome")
    if plan:
        facts |= {
            "plan": plan["key"],
            "price_per_task": plan["price_micros"] / 1e6,
            "overlap": plan["overlap"],
            "controls": plan["controls"],
            "tasks": plan["tasks"],
            "exam": plan["exam"],
            **{name: plan[name] for name in _OWN_ANNOTATORS if name in plan},
        }
    if made is not None:
        facts |= {
            "accuracy": made["accuracy"],
            "price_tag": made["price_tag"] / 1e6,
            **{name: made[name] for name in _BESIDE},
            "answers": made["answers"],
            "trained_on": made["target"],
        }
    return {**facts, "version": attrs.get("version", "")}


def told_attributes(
    kind: str, made: Mapping[str, Any] | None = None, paid: Money = ZERO
) -> dict[str, Any]:
    """What is stored with a trial for readers of the database; decisions do not depend on it.

    Args:
        kind: what the trial was.
        made: its outcome, as it is stored; None of a refused trial.
        paid: for what it bought.
    """
    beside = {} if made is None else {name: made[name] for name in _BESIDE}
    return {KIND: kind, **beside, "paid": paid.dollars}
