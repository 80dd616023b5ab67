"""The outcome of a trial, and its plain form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from budget.money import Money
from labeling.aggregation.dynamic_overlap import parse_overlap
from labeling.types import (
    DynamicOverlap,
    LabelPlan,
)

SCORES = ("macro_f1", "ece", "log_loss")
"""Scores of an outcome that may not have been measured."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The measurements of an evaluated plan, on the validation images.

    Attributes:
        accuracy: share of validation images classified right, with its 95 % interval low..high.
        macro_f1, ece, log_loss: further scores; None where they were not measured, such as the
            first two of a question of taste.
        price_tag: expected cost of the plan when bought alone in this condition.
        minutes: from the opening of the plan's pool to its last answer when it is bought at once;
            None where time is not known.
        labels: tasks with at least one usable answer.
        answers: usable answers behind them.
        target: kind of training target that cross-validation chose.
        penalty: L2 penalty that cross-validation chose.
        draws: repeat draws averaged in the scores: other subsets of the answers owned where the
            plan has fewer, and folds dealt anew. Target and penalty are the first draw's.
        view: the study's view, as text; the labels and answers are then those inside it.
        luck: variance of the accuracy over redrawn annotators; None where it was not computed.
        images: images that the accuracy is as sure as on, were each classified right or wrong;
            None where they were not counted.
    """

    plan: LabelPlan
    accuracy: float
    low: float
    high: float
    macro_f1: float | None
    ece: float | None
    log_loss: float | None
    price_tag: Money
    minutes: float | None
    labels: int
    answers: int
    target: str
    penalty: float
    draws: int = 1
    view: str | None = None
    luck: float | None = None
    images: float | None = None


def plan_to_plain(plan: LabelPlan) -> dict[str, Any]:
    """A plan as JSON types."""
    return {
        "key": plan.key,
        "price_micros": plan.price.micros,
        "overlap": plan.overlap,
        "controls": plan.controls,
        "tasks": plan.tasks,
        "exam": plan.exam,
        **({"dynamic": str(plan.dynamic)} if plan.dynamic else {}),
        **({"wage": True} if plan.wage else {}),
        **({"prelabel": True} if plan.prelabel else {}),
        **({"group": plan.group} if plan.group else {}),
    }


def plan_from_plain(raw: Mapping[str, Any]) -> LabelPlan:
    """The plan of `plan_to_plain`."""
    rule = parse_overlap(raw["dynamic"]) if "dynamic" in raw else None
    return LabelPlan(
        Money(raw["price_micros"]),
        raw["overlap"],
        raw["controls"],
        raw["tasks"],
        raw["exam"],
        rule if isinstance(rule, DynamicOverlap) else None,
        raw.get("wage", False),
        raw.get("prelabel", False),
        raw.get("group", ""),
    )


def outcome_to_plain(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON types."""
    raw = {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__}
    return {
        **raw,
        "plan": plan_to_plain(outcome.plan),
        "price_tag": outcome.price_tag.micros,
    }


def outcome_from_plain(raw: Mapping[str, Any]) -> Outcome:
    """The outcome of `outcome_to_plain`."""
    return Outcome(
        **{
            **dict.fromkeys(SCORES),
            **raw,
            "plan": plan_from_plain(raw["plan"]),
            "price_tag": Money(raw["price_tag"]),
        }
    )


@dataclass(frozen=True, slots=True)
class Purchase:
    """A trial that bought something: its outcome, the order's key and the label version."""

    outcome: Outcome
    order: str
    version: str
