"""Which plan to buy: the choice between estimates, under the goal that the user sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budget.money import Money
from hpo.answer.estimates.plan_estimates import Estimate, PlanEstimates, tolerance
from hpo.answer.front import pareto_front
from hpo.answer.plan_in_words import plan_in_words
from hpo.settings.config import StudyConfig

_AS_GOOD = 0.0005  # half of the last digit that an accuracy is printed with
SURE = 0.9  # probability with which a named plan has to reach a target


def recommend(
    offers: Sequence[Estimate], estimates: PlanEstimates, config: StudyConfig
) -> Estimate | None:
    """The plan to buy.

    With a target, the cheapest plan that is almost sure to reach it. With the worth of a point, the
    plan that is worth most after its price. Else, or where the target is out of reach, the cheapest
    plan within the tolerance of the best: the dearest plans lie in noise of each other.

    Args:
        offers: plans to choose from.
        estimates: where they come from.
        config: names target and worth, if any.

    Returns:
        None without any plan.
    """
    if not offers:
        return None
    cheapest = sorted(offers, key=lambda e: (e.price, e.plan.key))
    if config.target is not None:
        able = (e for e in cheapest if reaches(e, estimates, config.target))
        if (chosen := next(able, None)) is not None:
            return chosen
    if config.worth is not None:
        worth = config.worth
        return max(cheapest, key=lambda e: round(net_dollars(e, worth), 6))
    best = max(e.accuracy for e in cheapest)
    least = best - tolerance(best) - 1e-9
    return next(e for e in cheapest if e.accuracy >= least)


@dataclass(frozen=True, slots=True)
class Choice:
    """The recommended plan, and the rule that chose it, in words; None and "" without any."""

    plan: Estimate | None
    why: str = ""


def choose(
    by_goal: Estimate | None,
    kept: Estimate | None,
    front: Sequence[Estimate],
    estimates: PlanEstimates,
    config: StudyConfig,
) -> Choice:
    """The plan to recommend, of that by the goal and that which the search ended with.

    The latter may have been bought again. It stays where it reaches the target as well, or where no
    target is in reach and the other is not better beyond doubt. A worth always names its own plan.

    Args:
        by_goal: what `recommend` chose of the front.
        kept: the plan that the search ended with; None for none.
        front: the plans to choose from.
        estimates: where they come from.
        config: names target and worth, if any.
    """
    if by_goal is None:
        return Choice(None)
    target = config.target
    is_reached = target is not None and reaches(by_goal, estimates, target)
    most = max(e.accuracy for e in front)
    reason = why(config, by_goal, most, is_reached, "evaluated plan")
    if kept is None or kept.plan == by_goal.plan or config.worth is not None:
        return Choice(by_goal, reason)
    other = f"{plan_in_words(by_goal.plan)}, for {by_goal.price.cents()}"
    start = "plan that the search ended with"
    if target is not None and is_reached:
        if not reaches(kept, estimates, target):
            return Choice(by_goal, reason)
        return Choice(kept, f"{start}: it reaches {100 * target:g} %, too, as does {other}")
    if estimates.is_better(by_goal.plan, kept.plan):
        return Choice(by_goal, reason)
    return Choice(kept, f"{start}: the {reason} is not better beyond doubt ({other})")


def best_for(dollars: Money, offers: Sequence[Estimate]) -> Estimate | None:
    """The cheapest of the plans that are as good as the best for some money, as it is printed.

    None where the cheapest costs more.
    """
    able = [e for e in offers if e.price <= dollars]
    least = max((e.accuracy for e in able), default=0.0) - _AS_GOOD
    as_good = [e for e in able if e.accuracy >= least]
    return min(as_good, key=lambda e: (e.price, -e.accuracy, e.plan.key), default=None)


def why(
    config: StudyConfig, chosen: Estimate, best: float, reached: bool, noun: str = "plan"
) -> str:
    """The reason for a choice, in words.

    Args:
        config: names target and worth, if any.
        chosen: what `recommend` chose.
        best: the best accuracy to choose from.
        reached: whether the plan is almost sure to reach the target.
        noun: what it was chosen of.
    """
    if config.target is not None and reached:
        sure = f"with {100 * SURE:.0f} % probability"
        return f"cheapest {noun} that reaches {100 * config.target:g} % {sure}"
    if config.worth is not None:
        return f"{noun} that is worth most after its price, at {config.worth} a point"
    points = f"{100 * tolerance(best):.1f}".removesuffix(".0")
    return f"cheapest {noun} within {points} point{'' if points == '1' else 's'} of the best"


def net_dollars(estimate: Estimate, worth: Money) -> float:
    """What a plan's accuracy is worth after its price."""
    return 100 * estimate.accuracy * worth.dollars - estimate.price.dollars


def reaches(estimate: Estimate, estimates: PlanEstimates, target: float) -> bool:
    """Whether a purchase of a plan is almost sure to reach a target."""
    if estimate.accuracy < target:
        return False
    return estimates.chance_of(estimate.plan, target) >= SURE


def estimated_front(offers: Sequence[Estimate]) -> list[Estimate]:
    """Plans that no other plan is expected to beat in accuracy and price."""
    by_key = sorted(offers, key=lambda e: e.plan.key)
    return pareto_front(by_key, lambda e: (e.price.micros, e.accuracy))


def told_apart(
    front: Sequence[Estimate], estimates: PlanEstimates, kept: Sequence[Estimate]
) -> list[Estimate]:
    """The front's plans that can be told from the next cheaper one that stays.

    Args:
        front: of `estimated_front`.
        estimates: where they come from.
        kept: plans that stay in any case, and always the first.
    """
    rows: list[Estimate] = []
    for offer in front:
        new = not rows or estimates.is_better(offer.plan, rows[-1].plan)
        if new or offer in kept:
            rows.append(offer)
    return rows


def probability_best(
    chosen: Estimate, offers: Sequence[Estimate], estimates: PlanEstimates
) -> tuple[float, float]:
    """How probably a plan is the best at its price, and within the tolerance of the best of all."""
    drawn = estimates.draws([e.plan for e in offers])
    at = next(i for i, e in enumerate(offers) if e.plan == chosen.plan)
    as_cheap = np.array([e.price <= chosen.price for e in offers])
    own, top = drawn[:, at], drawn.max(axis=1)
    allowed = np.array([tolerance(float(accuracy)) for accuracy in top])
    return (
        float((own >= drawn[:, as_cheap].max(axis=1)).mean()),
        float((own >= top - allowed - 1e-9).mean()),
    )
