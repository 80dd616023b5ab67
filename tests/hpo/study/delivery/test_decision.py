"""The plan that labels are bought by: the practitioner's, unless the data tell of a better one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from budget.money import Money
from hpo.study.delivery.decision import DATA, PRIOR, decide
from labeling.types import LabelPlan

PRICES = (Money(1_000), Money(4_000))
SPACE = tuple(LabelPlan(price, 1, 0, 100, exam) for price in PRICES for exam in (True, False))
USUAL = SPACE[0]


class Told:
    """Estimates of plans by their price and exam: an accuracy, and how sure it is."""

    def __init__(self, accuracy: dict[tuple[int, bool], float], sd: float, tried: bool) -> None:
        self._accuracy, self._sd, self._tried = accuracy, sd, tried
        self.asked: list[LabelPlan] = []
        self.costs = SimpleNamespace(
            price=lambda plan: plan.price * (plan.tasks * plan.overlap),
            minutes=lambda plan: None,
            is_in_time=lambda plan: True,
        )

    def is_tried(self, plan: LabelPlan) -> bool:
        return self._tried

    def draws(self, plans: list[LabelPlan]) -> Any:
        self.asked += plans
        rng = np.random.default_rng(0)
        mean = [self._accuracy.get((p.price.micros, p.exam), 0.8) for p in plans]
        return np.array(mean) + self._sd * rng.standard_normal((400, len(plans)))

    def is_better(self, plan: LabelPlan, over: LabelPlan) -> bool:
        both = self.draws([plan, over])
        return float(np.quantile(both[:, 0] - both[:, 1], 0.025)) > 0


def choice(told: Told, money: str = "1") -> tuple[LabelPlan, str]:
    world = SimpleNamespace(
        config=SimpleNamespace(max_minutes=None), space=SimpleNamespace(plans=SPACE)
    )
    made = decide(told, world, Money.parse(money))  # type: ignore[arg-type]
    return made.plan, made.by


def test_the_prior_decides_where_no_plan_is_told_from_noise() -> None:
    better = {(4_000, True): 0.85}
    assert choice(Told(better, sd=0.1, tried=True)) == (USUAL, PRIOR)


def test_a_plan_that_is_better_beyond_doubt_is_bought_by() -> None:
    better = {(4_000, True): 0.85, (4_000, False): 0.9}
    assert choice(Told(better, sd=0.001, tried=True)) == (SPACE[3], DATA)


def test_a_plan_that_was_never_tried_is_not_bought_by() -> None:
    assert choice(Told({(4_000, True): 0.99}, sd=0.001, tried=False)) == (USUAL, PRIOR)


@pytest.mark.parametrize(("money", "answers"), [("0.2", 200), ("0.05", 50)])
def test_plans_are_compared_at_the_same_money(money: str, answers: int) -> None:
    told = Told({}, sd=0.1, tried=True)
    choice(told, money)
    sizes = {(p.price.micros, p.tasks * p.overlap) for p in told.asked if p.price == PRICES[0]}
    assert sizes == {(1_000, answers)}
    assert max(p.tasks * p.overlap for p in told.asked if p.price == PRICES[1]) <= answers / 4
