"""Importance of knobs: shares of what plans differ by."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from budget.money import Money
from hpo.answer.advice.importance import importance
from labeling.types import DynamicOverlap, LabelPlan

PLANS = [
    LabelPlan(Money(price), overlap, 1, tasks, False)
    for price, overlap, tasks in product((1000, 2000), (1, 3), (100, 200, 400))
]
KNOBS = ["price", "overlap", "tasks"]


def shares(quality: list[float]) -> dict[str, float]:
    rows = importance(PLANS, np.array([quality, quality]), KNOBS)
    return {row["knob"]: row["share"] for row in rows}


def test_a_knob_that_alone_decides_has_it_all_and_comes_first() -> None:
    rows = importance(PLANS, np.array([[np.log(p.tasks) for p in PLANS]] * 3), KNOBS)
    assert rows[0] == {"knob": "tasks", "share": 1.0, "interval_95": [1.0, 1.0]}
    assert [row["share"] for row in rows[1:]] == [0, 0]


def test_effects_that_add_share_by_their_variance() -> None:
    found = shares([3.0 * (p.overlap == 3) + 1.0 * (p.price == Money(2000)) for p in PLANS])
    assert found["overlap"] == pytest.approx(0.9)
    assert found["price"] == pytest.approx(0.1)
    assert found["tasks"] == 0


def test_what_only_two_knobs_together_do_belongs_to_neither() -> None:
    found = shares([float((p.overlap == 3) != (p.price == Money(2000))) for p in PLANS])
    assert found == {"price": 0, "overlap": 0, "tasks": 0}


def test_plans_of_dynamic_overlap_are_left_out() -> None:
    rule = LabelPlan(Money(1000), 5, 1, 100, False, DynamicOverlap(2, 5, 0.9))
    quality = [float(p.tasks) for p in PLANS]
    rows = importance([*PLANS, rule], np.array([[*quality, 1e6]]), KNOBS)
    assert {row["knob"]: row["share"] for row in rows} == shares(quality)


def test_plans_that_do_not_differ_have_no_importance() -> None:
    assert set(shares([1.0] * len(PLANS)).values()) == {0}
