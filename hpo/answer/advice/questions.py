"""The inverse questions: the price of an accuracy, and the plan for some images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.answer.advice.candidates import candidates, images_answerable
from hpo.answer.advice.recommend import SURE, reaches, recommend
from hpo.answer.estimates.plan_estimates import BOUNDS_95, Estimate, PlanEstimates


@dataclass(frozen=True, slots=True)
class PriceOfAccuracy:
    """What an accuracy costs, inside the limits.

    Attributes:
        accuracy: the target.
        chosen: the cheapest plan that is almost sure to reach it; None where none is.
        low, high: dollars between which the cheapest plan that is almost sure to reach it lies
            with 95 %; None for more than any plan inside the limits costs.
        is_evaluated: whether only plans that were evaluated are meant.
    """

    accuracy: float
    chosen: Estimate | None
    low: float | None
    high: float | None
    is_evaluated: bool = False


def price_of(
    accuracy: float, offers: Sequence[Estimate], estimates: PlanEstimates
) -> PriceOfAccuracy:
    """What an accuracy costs.

    Args:
        accuracy: the target.
        offers: plans inside the limits.
        estimates: where they come from.
    """
    from scipy.special import ndtri

    cheapest = sorted(offers, key=lambda e: (e.price, e.plan.key))
    if not cheapest:
        return PriceOfAccuracy(accuracy, None, None, None)
    plans = [e.plan for e in cheapest]
    almost_surely = estimates.draws(plans) + ndtri(1 - SURE) * estimates.purchase_sd(plans)
    dollars = np.array([e.price.dollars for e in cheapest])
    least = np.where(almost_surely >= accuracy, dollars[None, :], np.inf).min(axis=1)
    low, high = np.quantile(least, BOUNDS_95, method="higher").tolist()
    return PriceOfAccuracy(
        accuracy,
        next((e for e in cheapest if reaches(e, estimates, accuracy)), None),
        None if np.isinf(low) else low,
        None if np.isinf(high) else high,
    )


@dataclass(frozen=True, slots=True)
class PlanForImages:
    """The plan for a number of images.

    Attributes:
        images: images there are.
        chosen: the recommended plan for them; None where no plan keeps the limits.
        answerable: the most images that can be spoken of; at most `images`.
        offers: plans inside the limits.
    """

    images: int
    chosen: Estimate | None
    answerable: int
    offers: Sequence[Estimate]


def campaign(images: int, estimates: PlanEstimates) -> PlanForImages:
    """The plan for a number of images, in a campaign of its own."""
    offers = estimates.of(candidates(estimates, images))
    return PlanForImages(
        images,
        recommend(offers, estimates, estimates.world.config),
        min(images, images_answerable(estimates)),
        offers,
    )
