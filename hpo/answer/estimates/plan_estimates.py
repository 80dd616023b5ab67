"""The model of the answer: accuracy, price and minutes of any plan, under the study's limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from budget.money import Money
from hpo.answer.estimates.evidence import Measurement, coding_of, evidence_of
from hpo.answer.estimates.learning_curve import LearningCurve, fit
from hpo.trial.plan_costs import PlanCosts
from hpo.trial.world import World
from labeling.seeds import generator
from labeling.types import Floats, LabelPlan

_TOLERANCE, _TOLERANCE_SHARE = 0.01, 0.1
_BOUNDS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is expected of a plan.

    Attributes:
        plan: the plan.
        accuracy: of its model, on average over purchases and images; low..high hold it with 95 %.
        price: expected price tag when it is bought at once.
        minutes: expected minutes then; None where time is not known.
    """

    plan: LabelPlan
    accuracy: float
    low: float
    high: float
    price: Money
    minutes: float | None


class PlanEstimates:
    """What a study's measurements say of every plan.

    Args:
        world: the study's world.
        measured: every measurement, each of another model or on other images.
    """

    def __init__(self, world: World, measured: Sequence[Measurement]) -> None:
        self.world = world
        self.measured = measured
        self.coding = coding_of(measured, world)

    @cached_property
    def costs(self) -> PlanCosts:
        """Prices and minutes of plans."""
        return PlanCosts(self.world)

    @cached_property
    def curve(self) -> LearningCurve:
        """The posterior of the learning curve."""
        chance = 1 - 1 / len(self.world.market.asked.classes)
        has_luck = self.world.market.kind.sells_again
        evidence = evidence_of(self.measured, self.coding, chance, has_luck)
        return fit(evidence, generator(self.world.config.seed, "learning curve"))

    def draws(self, plans: Sequence[LabelPlan]) -> Floats:
        """[D, n] posterior draws of the accuracies of plans, the same draw in a row."""
        return self.curve.accuracy(self.coding.plans(plans))

    def of(self, plans: Sequence[LabelPlan]) -> list[Estimate]:
        """What is expected of plans."""
        if not plans:
            return []
        drawn = self.draws(plans)
        mean = drawn.mean(axis=0).tolist()
        low, high = np.quantile(drawn, _BOUNDS, axis=0).tolist()
        return [
            Estimate(
                plan,
                round(mean[i], 6),
                round(low[i], 6),
                round(high[i], 6),
                self.costs.price(plan),
                self.costs.minutes(plan),
            )
            for i, plan in enumerate(plans)
        ]

    def is_tried(self, plan: LabelPlan) -> bool:
        """Whether something was measured in a plan's condition."""
        return self.coding.condition_of(plan) in self.coding.codes


def tolerance(best: float) -> float:
    """How much less accurate than the best a plan may be to be recommended in its place.

    One point, and never more than a tenth of the error: from 97 to 96 % is a third more errors.
    """
    return min(_TOLERANCE, _TOLERANCE_SHARE * (1 - best))
