"""Which purchase promises most per dollar: closed form, because the cost of a plan is known.

a(plan) = mean over budget levels b of max over contained plans q, tag(q) <= b, of EI(q; f(b)),
divided by the marginal dollars; f(b) is the best that is known at a price tag of at most b. This is
the expected growth, per dollar, of the area under the front on a log-dollar axis (Emmerich et al.
2006 for that area; Snoek et al. 2012 for expected improvement per cost).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpo.search.surrogate import Inputs, Surrogate
from labeling.types import Bools, Floats, LabelPlan

LEVELS = 24  # budget levels


@dataclass(frozen=True, slots=True, eq=False)
class Offers:
    """All plans of a space, in columns, with what they cost now.

    Attributes:
        plans: the n plans: the product of price, overlap, controls, tasks, exam, prelabel and
            group, then the same with the rules of dynamic overlap in the place of overlap.
        shape: levels of price, overlap, controls, tasks, and of exam, prelabel and group together.
        inputs: the plans as the surrogate sees them.
        tag: [n] expected price tag in dollars.
        marginal: [n] expected dollars for what is lacking; 0 where nothing is.
        inside: [n] within the study's limits.
        buyable: [n] inside, lacks something, and its reservation is within what is left.
        contained: [n] inside and owned in full.
        evaluated: [n] evaluated already.
    """

    plans: tuple[LabelPlan, ...]
    shape: tuple[int, int, int, int, int]
    inputs: Inputs
    tag: Floats
    marginal: Floats
    inside: Bools
    buyable: Bools
    contained: Bools
    evaluated: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """The surrogate's expectation of every plan.

    Attributes:
        error: [n] expected share of errors of the trained model.
        promise: [n, levels] expected improvement over what is known, as share of images, if the
            plan were evaluated.
        levels: [levels] budget levels in dollars.
    """

    error: Floats
    promise: Floats
    levels: Floats


def look_out(offers: Offers, surrogate: Surrogate, chance_error: float) -> Outlook:
    """Expected improvements of all plans at all budget levels.

    Args:
        offers: the plans.
        surrogate: what is known about them.
        chance_error: the error of guessing, what is known without any evaluation.
    """
    mean, _, lesson = surrogate.predict(offers.inputs)
    error = np.exp(mean)
    tags = offers.tag[offers.inside]
    levels = np.geomspace(tags.min(), tags.max(), LEVELS)
    within = offers.tag[:, None] <= levels[None, :] * (1 + 1e-9)
    evaluated = np.where(within & offers.evaluated[:, None], error[:, None], np.inf)
    best = np.minimum(evaluated.min(axis=0, initial=np.inf), chance_error)
    promise = np.where(
        within & offers.inside[:, None], expected_improvement(best, mean, lesson), 0.0
    )
    return Outlook(error, promise, levels)


def expected_improvement(best: Floats, mean: Floats, sd: Floats) -> Floats:
    """E[(best - e^z)+] for z ~ N(mean, sd^2): the put of Black and Scholes 1973, [n, levels]."""
    from scipy.special import ndtr

    spread = np.maximum(sd, 1e-9)[:, None]
    d = (np.log(best)[None, :] - mean[:, None]) / spread
    expected = np.exp(mean + sd**2 / 2)[:, None]
    return np.asarray(np.maximum(best[None, :] * ndtr(d) - expected * ndtr(d - spread), 0.0))


def best_purchase(
    offers: Offers, outlook: Outlook, smallest: float
) -> tuple[LabelPlan | None, float, float]:
    """The buyable plan that promises most per dollar.

    Args:
        offers: the plans.
        outlook: what is expected of them.
        smallest: dollars below which a purchase counts as this much: its round trip has a price.

    Returns:
        The plan (None when nothing can be bought), the gain it promises in points averaged over
        budget levels, and that per dollar.
    """
    if not offers.buyable.any():
        return None, 0.0, 0.0
    gain = 100 * _with_contained(offers.shape, outlook.promise).mean(axis=1)
    rate = np.where(offers.buyable, gain / np.maximum(offers.marginal, smallest), -1.0)
    # Rounded: the last bits differ between machines, and ties go to the first plan.
    best = int(np.argmax(np.array([float(f"{value:.6g}") for value in rate])))
    return offers.plans[best], float(gain[best]), float(rate[best])


def _with_contained(shape: tuple[int, int, int, int, int], promise: Floats) -> Floats:
    """[n, levels] the most that a plan or one it contains promises.

    Contained are fewer tasks and, but for dynamic overlap, less overlap.
    """
    prices, _, controls, tasks, exams = shape
    fixed = int(np.prod(shape))
    grid = promise[:fixed].reshape(*shape, promise.shape[1])
    grid = np.maximum.accumulate(np.maximum.accumulate(grid, axis=1), axis=3)
    ruled = promise[fixed:].reshape(prices, -1, controls, tasks, exams, promise.shape[1])
    ruled = np.maximum.accumulate(ruled, axis=3)
    whole = (block.reshape(-1, promise.shape[1]) for block in (grid, ruled))
    return np.concatenate(list(whole))


def best_contained(
    offers: Offers, outlook: Outlook, where: Bools, least: float
) -> LabelPlan | None:
    """The contained plan not evaluated yet that promises most; None if all promise too little.

    Args:
        offers: the plans.
        outlook: what is expected of them.
        where: [n] plans to choose from.
        least: points, averaged over budget levels, below which an evaluation is not worth while.
    """
    open_ = offers.contained & ~offers.evaluated & where
    if not open_.any():
        return None
    gain = np.where(open_, 100 * outlook.promise.mean(axis=1), -1.0)
    best = int(np.argmax(np.array([float(f"{value:.6g}") for value in gain])))
    return offers.plans[best] if gain[best] >= least else None
