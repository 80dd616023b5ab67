"""Importance: the share of the variation between plans that each setting explains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hpo.answer.estimates.plan_estimates import BOUNDS_95
from labeling.types import Floats, LabelPlan


def importance(
    plans: Sequence[LabelPlan], samples: Floats, knobs: Sequence[str]
) -> list[dict[str, Any]]:
    """Each knob's share of the variance of a quality over plans: its main effect alone.

    The functional analysis of variance of Hutter et al. 2014 ("An Efficient Approach for Assessing
    Hyperparameter Importance", section 3), of first order: the variance of the means of a knob's
    levels over the variance of all plans, here on draws of the learning curve.

    Args:
        plans: the n plans of a space; those with dynamic overlap are left out.
        samples: [draws, n] draws of the quality of each plan.
        knobs: fields of a plan that have several levels.

    Returns:
        A row a knob, largest share first: the share's mean over draws and its 95 % interval. No
        row where every plan has dynamic overlap.
    """
    fixed = np.array([plan.dynamic is None for plan in plans])
    kept = [plan for plan in plans if plan.dynamic is None]
    if not kept:
        return []
    values = samples[:, fixed]
    whole = np.maximum(values.var(axis=1), 1e-12)
    rows = []
    for knob in knobs:
        _, level = np.unique([_level(getattr(plan, knob)) for plan in kept], return_inverse=True)
        count = np.bincount(level)
        means = np.stack([np.bincount(level, row) / count for row in values])
        away = means - values.mean(axis=1, keepdims=True)
        share = (away**2 @ (count / count.sum())) / whole
        low, high = np.quantile(share, BOUNDS_95)
        rows.append(
            {
                "knob": knob,
                "share": round(float(share.mean()), 3),
                "interval_95": [round(float(low), 3), round(float(high), 3)],
            }
        )
    return sorted(rows, key=lambda row: -float(row["share"]))


def _level(value: Any) -> Any:
    return getattr(value, "micros", value)
