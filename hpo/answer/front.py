"""The front of accuracy against money: evaluated plans as they are told, and where it bends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from hpo.answer.estimates.plan_estimates import PlanEstimates
from hpo.trial.outcome import Outcome

_T = TypeVar("_T")


def tell_estimates(outcomes: Sequence[Outcome], estimates: PlanEstimates) -> list[Outcome]:
    """Outcomes with what is expected of their plans in the place of what was measured."""
    told = estimates.of([outcome.plan for outcome in outcomes])
    return [
        replace(
            outcome,
            accuracy=e.accuracy,
            low=e.low,
            high=e.high,
            price_tag=e.price,
            minutes=e.minutes,
        )
        for outcome, e in zip(outcomes, told, strict=True)
    ]


def pareto_front(items: Sequence[_T], at: Callable[[_T], tuple[int, float]]) -> list[_T]:
    """Items that no other beats: none is as cheap and more accurate, or cheaper and as good.

    Args:
        items: plans in any form.
        at: an item's price in micro-dollars, and its accuracy.

    Returns:
        The front, from the cheapest to the dearest, strictly rising in price and accuracy.
    """
    front: list[_T] = []
    for item in sorted(items, key=lambda each: (at(each)[0], -at(each)[1])):
        if not front or at(item)[1] > at(front[-1])[1]:
            front.append(item)
    return front


def knee(front: Sequence[Outcome]) -> Outcome | None:
    """The plan where more money starts to buy less: farthest above the line through the ends.

    Distance is measured on axes log price tag and accuracy, each scaled to the unit interval
    (Satopaa et al. 2011, "Finding a Kneedle in a Haystack").

    Returns:
        None for a front of fewer than three plans, or one that nowhere bends upwards.
    """
    if len(front) < 3:
        return None
    first, last = front[0], front[-1]
    width = math.log(last.price_tag.micros / first.price_tag.micros)
    height = last.accuracy - first.accuracy

    def above(outcome: Outcome) -> float:
        x = math.log(outcome.price_tag.micros / first.price_tag.micros) / width
        return (outcome.accuracy - first.accuracy) / height - x

    best = max(front[1:-1], key=above)
    return best if above(best) > 0 else None
