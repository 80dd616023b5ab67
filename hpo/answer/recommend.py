"""Which plan to buy, from estimates that luck has been taken out of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hpo.answer.front import pareto_front
from hpo.trial.outcome import Outcome
from labeling.types import Floats
from training.evaluate import Z95

if TYPE_CHECKING:
    from hpo.search.surrogate import Surrogate

TOLERANCE = 0.01  # accuracy; below what a few hundred validation images can tell apart
_SAMPLES = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Evaluated plans with shrunk accuracies.

    Attributes:
        measured: [n] the outcomes as measured.
        plans: [n] the same with accuracy and interval of the surrogate's posterior: what the plan
            gives on average over purchases; the interval covers the choice of images as well.
        samples: [draws, n] joint draws of these accuracies from the posterior.
    """

    measured: Sequence[Outcome]
    plans: Sequence[Outcome]
    samples: Floats


def shrink(
    outcomes: Sequence[Outcome], surrogate: Surrogate, rng: np.random.Generator
) -> Estimates:
    """Shrink measured accuracies towards what all evaluations together say.

    Args:
        outcomes: everything evaluated, in the order of the surrogate's inputs.
        surrogate: their posterior.
        rng: draws the samples.
    """
    if not outcomes:
        return Estimates([], [], np.zeros((_SAMPLES, 0)))
    samples = surrogate.samples(surrogate.inputs, _SAMPLES, rng)
    mean, sd = samples.mean(axis=0), samples.std(axis=0)
    plans = []
    for outcome, p, s in zip(outcomes, mean.tolist(), sd.tolist(), strict=True):
        low, high = interval_95(p, s, surrogate.items)
        plans.append(replace(outcome, accuracy=round(p, 6), low=round(low, 6), high=round(high, 6)))
    return Estimates(outcomes, plans, samples)


def interval_95(accuracy: float, sd: float, items: int) -> tuple[float, float]:
    """An estimate's interval that covers the choice of images as well.

    Args:
        accuracy: the estimate.
        sd: its posterior standard deviation on these images.
        items: images that it was measured on.
    """
    half = Z95 * math.sqrt(sd**2 + accuracy * (1 - accuracy) / items)
    return max(0.0, accuracy - half), min(1.0, accuracy + half)


def recommend(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The cheapest plan within one point of the best accuracy.

    The best of several noisy measurements is too good to be true, and the dearest plans lie in
    noise of each other; so the recommendation is the cheapest that cannot be told from the best.
    """
    front = pareto_front(outcomes)
    if not front:
        return None
    best = front[-1].accuracy
    return next(outcome for outcome in front if outcome.accuracy >= best - TOLERANCE - 1e-9)
