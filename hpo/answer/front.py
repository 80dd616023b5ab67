"""The front of accuracy against money."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from hpo.trial.outcome import Outcome


def pareto_front(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Plans that no other plan beats: none is as cheap and more accurate, or cheaper and as good.

    Returns:
        The front, from the cheapest to the dearest, strictly rising in price tag and accuracy.
    """
    front: list[Outcome] = []
    for outcome in sorted(outcomes, key=lambda o: (o.price_tag, -o.accuracy, o.plan.key)):
        if not front or outcome.accuracy > front[-1].accuracy:
            front.append(outcome)
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


def points_per_dollar(front: Sequence[Outcome]) -> list[float | None]:
    """Accuracy points that each plan's money above the next cheaper plan buys, per dollar."""
    gains: list[float | None] = [None] if front else []
    for cheaper, dearer in itertools.pairwise(front):
        dollars = (dearer.price_tag - cheaper.price_tag).dollars
        gains.append(100 * (dearer.accuracy - cheaper.accuracy) / dollars)
    return gains
