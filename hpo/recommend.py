"""Which plan to buy."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.front import pareto_front
from hpo.trial import Outcome

TOLERANCE = 0.01  # accuracy; below what a few hundred validation images can tell apart


def recommend(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The cheapest plan within one point of the best validation accuracy.

    The best of several noisy measurements is too good to be true, and the dearest plans lie in
    noise of each other; so the recommendation is the cheapest that cannot be told from the best.
    """
    front = pareto_front(outcomes)
    if not front:
        return None
    best = front[-1].accuracy
    return next(outcome for outcome in front if outcome.accuracy >= best - TOLERANCE - 1e-9)
