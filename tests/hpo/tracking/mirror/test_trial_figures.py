"""Figures of one trial."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from budget.money import Money
from hpo.tracking.clearml.mirror.pages.trial_figures import in_condition
from hpo.trial.outcome import Outcome
from labeling.types import LabelPlan


def outcome(key: str) -> Outcome:
    plan = LabelPlan.parse(key)
    return Outcome(plan, 0.9, 0.8, 1.0, 0, 0, 0, Money(1), 1.0, plan.tasks, plan.tasks, "soft", 1)


def test_a_curve_over_labels_joins_plans_that_differ_in_tasks_alone() -> None:
    mine = "w18.00-k2-c1-n40-prelabel-by-seniors"
    others = [
        "w18.00-k2-c1-n20-prelabel-by-seniors",
        "w18.00-k2-c1-n20-prelabel",
        "w18.00-k2-c1-n20-by-seniors",
        "w18.00-k2-c1-n20-prelabel-by-juniors",
        "w18.00-k2-c0-n20-prelabel-by-seniors",
        "w18.00-k1-c1-n20-prelabel-by-seniors",
        "w20.00-k2-c1-n20-prelabel-by-seniors",
    ]
    run: Any = SimpleNamespace(latest={key: outcome(key) for key in (*others, mine)})
    child: Any = SimpleNamespace(outcome=outcome(mine))
    assert [o.plan.key for o in in_condition(run, child)] == [others[0], mine]
