"""What a practitioner's direct purchase would have given for the same money, by the estimates."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from budget.money import ZERO, Money
from hpo.answer.advice.advisor import gain_to_plain, plan_fields
from hpo.answer.estimates.plan_estimates import Gain, PlanEstimates
from hpo.search.rule_of_thumb import practitioner_plan
from hpo.trial.plan_costs import PlanCosts
from hpo.trial.purchase import MOST_ANSWERS
from labeling.types import LabelPlan
from training.evaluate import Z95


def practitioners(
    plans: Sequence[LabelPlan],
    money: Money,
    costs: PlanCosts,
    longest: float | None,
    at_once: Callable[[int, int], int] = min,
) -> LabelPlan:
    """The plan that a practitioner with some money buys by, for the whole pool.

    Args:
        plans: to choose from.
        money: what there is to spend.
        costs: prices and minutes of plans.
        longest: the deadline of an order; None for none.
        at_once: images of an order, of those that the money bears and those of the pool.
    """

    def tasks(plan: LabelPlan) -> int:
        return at_once(_times(plan, money, costs, plan.tasks), plan.tasks)

    return practitioner_plan(plans, costs.minutes, longest, tasks)


def _times(plan: LabelPlan, money: Money, costs: PlanCosts, each: int = 1) -> int:
    """How many times some money buys a plan, times a number, rounded down."""
    price = costs.price(plan)
    return each if price == ZERO else int(Fraction(money.micros, price.micros) * each)


def largest_for(plan: LabelPlan, money: Money, estimates: PlanEstimates) -> LabelPlan:
    """The largest plan that some money buys evenly in a plan's condition, for its tasks at most."""

    def most(count: int, of: Callable[[int], LabelPlan]) -> int:
        costs, sizes = estimates.costs, range(1, count + 1)
        return bisect.bisect_left(sizes, True, key=lambda n: costs.price(of(n)) > money)

    if overlap := most(MOST_ANSWERS, lambda n: replace(plan, overlap=n)):
        return replace(plan, overlap=overlap)
    every = replace(plan, overlap=1)
    return replace(every, tasks=max(1, most(plan.tasks, lambda n: replace(every, tasks=n))))


def direct_purchases(
    final: Mapping[str, Any], cap: Money, estimates: PlanEstimates
) -> list[dict[str, Any]]:
    """Direct purchases for the whole budget, and what the delivered model gives beyond them.

    Args:
        final: the delivered model's accuracy, with interval.
        cap: the budget.
        estimates: what the search's measurements say.

    Returns:
        A row for the practitioner's purchase with exam, and for that with a control task.
    """
    space, longest = estimates.world.space, estimates.world.config.max_minutes
    rows: dict[LabelPlan, dict[str, Any]] = {}
    for exam in sorted({plan.exam for plan in space.plans}, reverse=True):
        plans = [plan for plan in space.plans if plan.exam == exam]
        usual = practitioners(plans, cap, estimates.costs, longest)
        plan = largest_for(usual, cap, estimates)
        (told,) = estimates.of([plan])
        rows[plan] = {
            "plan": plan_fields(plan),
            "accuracy": told.accuracy,
            "interval_95": [told.low, told.high],
            "price_tag": told.price.to_json(),
            "gain": _gain(final, plan, estimates),
        }
    return list(rows.values())


def _gain(final: Mapping[str, Any], plan: LabelPlan, estimates: PlanEstimates) -> dict[str, Any]:
    """Points that the delivered model gives beyond a purchase of a plan."""
    drawn = estimates.draws([plan])[:, 0]
    low, high = final["interval_95"]
    own = ((high - low) / (2 * Z95)) ** 2
    luck = float(estimates.purchase_sd([plan])[0]) ** 2
    mean = final["accuracy"] - float(drawn.mean())
    half = Z95 * (own + luck + float(drawn.var())) ** 0.5
    return gain_to_plain(Gain(mean, mean - half, mean + half))
