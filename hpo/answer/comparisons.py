"""What stands beside the answer: own labels, sensitivity to assumptions, the other price model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hpo.answer.own_labels import own_labels_today
from hpo.answer.sensitivity import compare_price_models, difficulty_sensitivity, other_price_model
from hpo.settings.config import StudyConfig
from hpo.trial.world import World
from labeling.types import LabelPlan

Search = Callable[[StudyConfig], Mapping[str, Any]]
"""Runs a study of a configuration and returns its report."""


def look_beside(plan: LabelPlan | None, world: World, search: Search) -> dict[str, Any]:
    """Measure what the configuration asks for beside the search.

    Args:
        plan: the recommended plan, if there is one.
        world: the study's world.
        search: runs the study under the other price model, whose labels its own crowd gives.

    Returns:
        JSON types, to be stored; `tell_beside` puts them into a report.
    """
    both = world.config.price_models == "both"
    return {
        "own_labels": own_labels_today(world),
        "difficulty": difficulty_sensitivity(plan, world) if plan else None,
        "other_price_model": _other(world, search) if both else None,
    }


def _other(world: World, search: Search) -> dict[str, Any]:
    return {"recommended": search(other_price_model(world.config))["recommended"]}


def tell_beside(
    report: dict[str, Any], found: Mapping[str, Any] | None, world: World
) -> dict[str, Any]:
    """A report with what was found beside it, and notes in words."""
    if found is None:
        return {**report, "own_labels": None, "sensitivity": None, "price_models": None}
    notes = list(report["notes"])
    other = found["other_price_model"]
    prices = compare_price_models(report, other, world.config) if other else None
    if prices is not None and not prices["same_price"]:
        notes.append(
            "The evidence does not decide the price: under the other assumption on whom pay "
            "attracts, another price is recommended."
        )
    elif prices is not None:
        notes.append("Both assumptions on whom pay attracts recommend the same price.")
    lean = found["difficulty"]
    if lean is not None:
        notes.append(
            "If images are hard where classes overlap, instead of independently of what they "
            f"look like, the recommended plan gives {100 * lean['difference']:+.1f} +- "
            f"{196 * lean['standard_error']:.1f} points."
        )
    own = found["own_labels"]
    if own is not None:
        notes.append(
            f"Own labels: {own['answers']} answers on {own['labelled_images']} images give "
            f"{100 * own['final']['accuracy']:.1f} % today."
        )
    return {
        **report,
        "own_labels": own,
        "sensitivity": lean,
        "price_models": prices,
        "notes": notes,
    }
