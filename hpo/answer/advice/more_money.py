"""What more money would add: forecasts, and whether it is worth it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budget.money import Money
from hpo.answer.advice.recommend import best_for
from hpo.answer.estimates.evidence import VALIDATION
from hpo.answer.estimates.plan_estimates import Estimate, Gain, PlanEstimates, tolerance
from hpo.answer.sentences import points_per_dollar

TIMES = (2, 5)
_FEWEST = 4  # plans that a backtest needs on either side


@dataclass(frozen=True, slots=True)
class Forecast:
    """The best plan for some times the recommended plan's money.

    Attributes:
        times: of the recommended plan's price.
        estimate: the plan; the recommended plan itself where nothing dearer is inside the limits.
        gain: over the recommended plan.
    """

    times: int
    estimate: Estimate
    gain: Gain


def forecasts(
    best: Estimate, offers: Sequence[Estimate], estimates: PlanEstimates
) -> list[Forecast]:
    """What multiples of the recommended plan's money would give, inside the limits.

    By dearer plans alone, as the verdict: a plan that fills the last page up costs nothing more.
    """
    rows, most = [], best
    dearer = [offer for offer in offers if offer.price > best.price]
    for times in TIMES:  # none falls below that for less money
        better = [offer for offer in dearer if offer.accuracy >= most.accuracy]
        most = best_for(best.price * times, [most, *better]) or most
        rows.append(Forecast(times, most, estimates.gain(most.plan, best.plan)))
    return rows


NOISE, SMALL, RATE = "noise", "small", "rate"
"""Why to stop: of the larger plans' gains none can be told from noise; those that can are under
the tolerance; those above it are too few points for a dollar."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to buy more than the recommended plan.

    Attributes:
        chosen: the plan to buy; None to stop.
        dollars: what it costs more than the recommended plan.
        gain: what it gives more.
        why: the reason to stop, one of the words above; "" where more is to be bought.
    """

    chosen: Estimate | None
    dollars: Money | None = None
    gain: Gain | None = None
    why: str = ""

    @property
    def rate(self) -> float:
        """Points per dollar."""
        if self.gain is None or self.dollars is None:
            return 0.0
        return points_per_dollar(self.gain.mean, self.dollars)


def highest_rate(best: Estimate, offers: Sequence[Estimate]) -> float:
    """The most points per further dollar that any dearer plan is expected to give."""
    rates = [
        points_per_dollar(offer.accuracy - best.accuracy, offer.price - best.price)
        for offer in offers
        if offer.price > best.price
    ]
    return max(rates, default=0.0)


def verdict(
    best: Estimate, offers: Sequence[Estimate], estimates: PlanEstimates, least_rate: float
) -> Verdict:
    """The dearer plan with the most points per further dollar, of those told from noise.

    Args:
        best: the recommended plan.
        offers: plans inside the limits.
        estimates: where they come from.
        least_rate: points per dollar that a plan has to promise.
    """
    chosen, least, reasons = Verdict(None), tolerance(best.accuracy), {NOISE}
    for offer in offers:
        if offer.price <= best.price or offer.accuracy <= best.accuracy:
            continue
        gain = estimates.gain(offer.plan, best.plan)
        if not gain.told_from_noise:
            continue
        made = Verdict(offer, offer.price - best.price, gain)
        if offer.accuracy < best.accuracy + least:
            reasons.add(SMALL)
        elif made.rate <= least_rate:
            reasons.add(RATE)
        elif made.rate > chosen.rate:
            chosen = made
    if chosen.chosen is not None:
        return chosen
    return Verdict(None, why=next(why for why in (RATE, SMALL, NOISE) if why in reasons))


def backtest(estimates: PlanEstimates) -> tuple[float, int] | None:
    """Forecasts of dear plans from cheap ones alone, against what was measured.

    The search's plans up to the median price are fitted by themselves, and forecast those of twice
    that price and more.

    Returns:
        Median absolute error in accuracy, and the number of forecasts; None with too few plans.
    """
    measured = [m for m in estimates.measured if m.image_set == VALIDATION]
    price = np.array([estimates.costs.price(m.plan).dollars for m in measured])
    if len(measured) < 2 * _FEWEST:
        return None
    middle = float(np.median(price))
    cheap = [m for m, p in zip(measured, price, strict=True) if p <= middle]
    dear = [m for m, p in zip(measured, price, strict=True) if p >= 2 * middle]
    if len(cheap) < _FEWEST or len(dear) < _FEWEST:
        return None
    earlier = PlanEstimates(estimates.world, cheap, in_short=True)
    said = earlier.draws([m.plan for m in dear])[0]
    away = np.abs(said - np.array([m.accuracy for m in dear]))
    return float(np.median(away)), len(dear)
