"""Which plan the labels are bought by: the practitioner's, unless the data tell of a better one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from budget.money import Money
from hpo.answer.advice.baselines import largest_for, practitioners
from hpo.answer.estimates.plan_estimates import PlanEstimates
from hpo.trial.world import World
from labeling.types import LabelPlan

DATA, PRIOR = "data", "prior"

_TRANCHES = 4  # in which a price has to label the pool, each within the deadline


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """The plan that labels are bought by.

    Attributes:
        plan: gives price, control tasks and exam.
        by: DATA where measurements show that it is better than the practitioner's, else PRIOR.
    """

    plan: LabelPlan
    by: str


def decide(estimates: PlanEstimates, world: World, money: Money) -> PlanChoice:
    """The plan to buy labels by.

    Each condition that was bought in is compared with the practitioner's at the same money. It is
    chosen where the estimates tell it from the practitioner's beyond doubt.

    Args:
        estimates: what the search's measurements say.
        world: the study's world.
        money: what is left to buy for.
    """
    costs, longest = estimates.costs, world.config.max_minutes
    usual = practitioners(world.space.plans, money, costs, longest, _at_once)
    mine = largest_for(usual, money, estimates)
    others = [
        plan
        for plan in world.space.plans
        if (plan.overlap, plan.tasks) == (usual.overlap, usual.tasks)
        and plan.dynamic is None
        and plan != usual
        and estimates.is_tried(plan)
        and costs.is_in_time(_tranche(plan, money, estimates))
    ]
    at_money = {plan: largest_for(plan, money, estimates) for plan in others}
    better = [plan for plan, same in at_money.items() if estimates.is_better(same, mine)]
    if not better:
        return PlanChoice(usual, PRIOR)
    means = estimates.draws([at_money[plan] for plan in better]).mean(axis=0)
    return PlanChoice(better[int(means.argmax())], DATA)


def _at_once(affordable: int, pool: int) -> int:
    """Images of a tranche: the deadline is one of each, not of all together."""
    return max(1, min(affordable, pool) // _TRANCHES)


def _tranche(plan: LabelPlan, money: Money, estimates: PlanEstimates) -> LabelPlan:
    """A tranche by a plan."""
    bears = largest_for(plan, money, estimates).tasks  # all of them where it bears more
    return replace(plan, tasks=_at_once(bears, plan.tasks))
