"""What the settings do: of each setting, what its levels can give inside the limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from budget.money import Money
from budget.tariffs.wages import EVERYBODY
from hpo.answer.advice.importance import importance
from hpo.answer.estimates.plan_estimates import BOUNDS_95, PlanEstimates, tolerance
from labeling.types import LabelPlan

SETTINGS = ("price", "overlap", "controls", "tasks", "exam", "prelabel", "group")


def levels(plans: Sequence[LabelPlan], setting: str) -> list[Any]:
    """A setting's levels; none for a setting that the study does not turn."""
    values = sorted({getattr(plan, setting) for plan in plans if plan.dynamic is None})
    return values if len(values) > 1 else []


def turned(plans: Sequence[LabelPlan]) -> list[str]:
    """Settings of several levels."""
    return [name for name in SETTINGS if levels(plans, name)]


def matters(estimates: PlanEstimates, most: Money) -> list[dict[str, Any]]:
    """Of each setting, the accuracy of every level's best plan, and the difference it makes.

    A level's best plan keeps the study's limits and costs no more than the recommended plan: a
    price that leaves no time for many tasks shows in it.

    Args:
        estimates: what is known of the plans.
        most: the recommended plan's price.
    """
    space = estimates.world.space.plans
    costs = estimates.costs
    able = [
        plan
        for plan in space
        if plan.dynamic is None and costs.outside(plan) is None and costs.price(plan) <= most
    ]
    drawn = estimates.draws(able) if able else np.zeros((1, 0))
    mean = drawn.mean(axis=0)
    rows = []
    measured = [m.plan for m in estimates.measured]
    for setting in turned(space):
        best: list[tuple[Any, int]] = []
        for level in levels(space, setting):
            at = [i for i, plan in enumerate(able) if getattr(plan, setting) == level]
            if at:
                best.append((level, max(at, key=lambda i: mean[i])))
        if best:
            is_tried = bool(levels(measured, setting))
            rows.append({**_row(setting, best, drawn), "tried": is_tried})
    return rows


def _row(setting: str, best: Sequence[tuple[Any, int]], drawn: Any) -> dict[str, Any]:
    """One setting: the best plan of each of its levels, and the best against the worst."""
    accuracy = [float(drawn[:, i].mean()) for _, i in best]
    words = [level.exact() if isinstance(level, Money) else level for level, _ in best]
    words = [level if level != "" else EVERYBODY for level in words]
    top, bottom = int(np.argmax(accuracy)), int(np.argmin(accuracy))
    gain = 100 * (drawn[:, best[top][1]] - drawn[:, best[bottom][1]])
    low, high = np.quantile(gain, BOUNDS_95)
    return {
        "knob": setting,
        "levels": words,
        "accuracy": [round(value, 6) for value in accuracy],
        "points": round(float(gain.mean()), 2),
        "interval_95": [round(float(low), 2), round(float(high), 2)],
        "best": words[top],
        "matters": bool(low > 0 and gain.mean() >= 100 * tolerance(accuracy[top]) / 2),
    }


def importances(estimates: PlanEstimates) -> list[dict[str, Any]]:
    """The share of the variation between plans of the space that each setting explains alone.

    Only of settings of which several levels were measured: nothing else is known of the others.
    """
    space = estimates.world.space.plans
    logs = np.log(np.maximum(1 - estimates.draws(space)[::4], 1e-6))
    measured = [m.plan for m in estimates.measured]
    tried = [setting for setting in turned(space) if levels(measured, setting)]
    return importance(space, logs, tried)
