"""The model of the answer: accuracy, price and minutes of any plan, under the study's limits."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from budget.money import Money
from hpo.answer.estimates.evidence import (
    Measurement,
    coding_of,
    evidence_of,
    luck_rate,
)
from hpo.answer.estimates.learning_curve import REFERENCE_TASKS, LearningCurve, reach
from hpo.answer.estimates.posterior import TRAINING_SD, fit, fit_once
from hpo.settings.config import StudyConfig
from hpo.trial.plan_costs import PlanCosts
from hpo.trial.world import World
from labeling.types import Floats, LabelPlan
from training.evaluate import Z95

_TOLERANCE, _TOLERANCE_SHARE = 0.01, 0.1
BOUNDS_95 = (0.025, 0.975)
"""The quantiles that hold 95 % between them."""


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


@dataclass(frozen=True, slots=True)
class Gain:
    """How much more accurate one purchase's model is than another's, in accuracy.

    Attributes:
        mean: expected.
        low, high: 95 % interval over what is not known and over the luck of both purchases.
    """

    mean: float
    low: float
    high: float

    @property
    def told_from_noise(self) -> bool:
        """Whether the better plan is better in all but few pairs of purchases."""
        return self.low > 0


class PlanEstimates:
    """What a study's measurements say of every plan.

    Args:
        world: the study's world.
        measured: every measurement, each of another model or on other images.
        in_short: whether the most probable curve is enough, for a line of progress.
    """

    def __init__(
        self, world: World, measured: Sequence[Measurement], in_short: bool = False
    ) -> None:
        self.world = world
        self.measured = measured
        self.coding = coding_of(measured, world)
        self._in_short = in_short
        self._told: dict[tuple[LabelPlan, ...], list[Estimate]] = {}

    def under(self, config: StudyConfig) -> PlanEstimates:
        """The same estimates for another number of images, or another goal."""
        other = copy(self)
        other.world = replace(self.world, config=config)
        other._told = {}
        return other

    @cached_property
    def costs(self) -> PlanCosts:
        """Prices and minutes of plans."""
        return PlanCosts(self.world)

    @cached_property
    def curve(self) -> LearningCurve:
        """The posterior of the learning curve."""
        evidence = evidence_of(self.measured, self.coding, self._chance, self._has_luck)
        return fit(evidence, None) if self._in_short else fit_once(evidence, self.world.config.seed)

    def is_tried(self, plan: LabelPlan) -> bool:
        """Whether some plan was measured in a plan's condition."""
        return self.coding.condition_of(plan) in self.coding.codes

    def draws(self, plans: Sequence[LabelPlan]) -> Floats:
        """[D, n] posterior draws of the accuracies of plans; a row is one draw of the curve."""
        return self.curve.accuracy(self.coding.plans(plans))

    def of(self, plans: Sequence[LabelPlan]) -> list[Estimate]:
        """What is expected of plans."""
        asked = tuple(plans)
        if asked not in self._told:
            self._told[asked] = self._of(asked)
        return list(self._told[asked])

    def _of(self, plans: Sequence[LabelPlan]) -> list[Estimate]:
        if not plans:
            return []
        drawn = self.draws(plans)
        mean = drawn.mean(axis=0).tolist()
        low, high = np.quantile(drawn, BOUNDS_95, axis=0).tolist()
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

    def gain(self, plan: LabelPlan, over: LabelPlan) -> Gain:
        """How much more a purchase of a plan gives than one of another plan."""
        if plan == over:
            return Gain(0.0, 0.0, 0.0)
        both = self.draws([plan, over])
        apart = both[:, 0] - both[:, 1]
        noise = float((self.purchase_sd([plan, over]) ** 2).sum())
        mean, half = float(apart.mean()), Z95 * (float(apart.var()) + noise) ** 0.5
        return Gain(mean, mean - half, mean + half)

    def is_better(self, plan: LabelPlan, over: LabelPlan) -> bool:
        """Whether a plan is better than another, on average over purchases, by what matters.

        On every curve a plan is better than those it contains. So the difference has to be a
        quarter of the tolerance or more, with 97.5 %.
        """
        both = self.draws([plan, over])
        least = tolerance(float(both[:, 1].mean())) / 4
        return float(np.quantile(both[:, 0] - both[:, 1], BOUNDS_95[0])) > least

    def purchase_sd(self, plans: Sequence[LabelPlan]) -> Floats:
        """[n] standard deviation of the accuracy between purchases and trainings of plans."""
        coded = self.coding.plans(plans)
        answers = REFERENCE_TASKS * np.exp(coded.tasks + coded.overlap)
        error = 1 - self.curve.accuracy(coded).mean(axis=0)
        luck = luck_rate(self.measured, self._chance) / answers * reach(error, self._chance) ** 2
        return np.asarray(np.sqrt(luck * self._has_luck + TRAINING_SD**2))

    def chance_of(self, plan: LabelPlan, accuracy: float) -> float:
        """The probability that a purchase of a plan gives an accuracy or more."""
        from scipy.special import ndtr

        away = self.draws([plan])[:, 0] - accuracy
        return float(ndtr(away / self.purchase_sd([plan])[0]).mean())

    @property
    def _chance(self) -> float:
        """The error of guessing."""
        return 1 - 1 / len(self.world.market.asked.classes)

    @property
    def _has_luck(self) -> bool:
        # More images than the pool are other images, be the answers recorded or not.
        beyond = any(m.parts > 1 for m in self.measured)
        return self.world.market.kind.sells_again or beyond


def tolerance(best: float) -> float:
    """How much less accurate than the best a plan may be to be recommended in its place.

    One point, and never more than a tenth of the error: from 97 to 96 % is a third more errors.
    """
    return min(_TOLERANCE, _TOLERANCE_SHARE * (1 - best))
