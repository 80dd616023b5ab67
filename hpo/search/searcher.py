"""The money-aware search: which plan to buy next, and which contained plans to evaluate.

Every decision is a function of the outcomes and orders stored so far, so a study that was killed
decides the same again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from budget.money import Money
from hpo.search.acquisition import Offers, Outlook, best_contained, best_purchase, look_out
from hpo.search.rule_of_thumb import practitioner_within, rule_curve, rule_purchase
from hpo.search.surrogate import Inputs, Memory, Surrogate, encode, fit, to_log_error
from hpo.trial.outcome import Outcome
from hpo.trial.plan_costs import PlanCosts
from hpo.trial.world import World
from labeling.types import Bools, Floats, Ints, LabelPlan

DESIGN_SHARE = 0.15  # of the cap: a cheap spread-out start
_WARM_SHARE, _PROBES, _PROBE_SHARE = 0.08, 4, 0.02
_SMALLEST = 0.01  # of the cap: a purchase counts at least this much
_FREE = 8  # contained plans evaluated after a purchase, at most
_LEAST = 0.005  # points an evaluation has to promise


@dataclass(frozen=True, slots=True)
class Decision:
    """The next purchase, or the reason to stop.

    Attributes:
        plan: the plan, or None to stop.
        why: the reason to stop, for the report; empty for a plan.
        points: accuracy points that it promises, averaged over budgets; 0 in the initial design.
    """

    plan: LabelPlan | None
    why: str = ""
    points: float = 0.0


class Searcher:
    """Decides for one study's world.

    Args:
        world: the study's world.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.prices = world.prices
        self.plans: tuple[LabelPlan, ...] = world.space.plans
        self._at = {plan.key: i for i, plan in enumerate(self.plans)}
        self._fits: dict[tuple[int, int], Floats] = {}
        self._lacks: dict[tuple[int, int], Floats] = {}

    # --- what is known --------------------------------------------------------------------------

    @cached_property
    def inputs(self) -> Inputs:
        """All plans of the space as the surrogate sees them."""
        return self.encode(self.plans)

    def encode(self, plans: Sequence[LabelPlan]) -> Inputs:
        """Plans as the surrogate sees them."""
        return encode(plans, self.world.config.suite_size, self.world.space.groups[1:])

    @cached_property
    def _memory(self) -> Memory:
        return Memory(self.inputs)

    @property
    def items(self) -> int:
        """Validation images."""
        return len(self.world.data.rows["validation"])

    @property
    def chance_error(self) -> float:
        """The error of guessing."""
        return 1 - 1 / len(self.world.data.classes)

    def surrogate(self, outcomes: Sequence[Outcome]) -> Surrogate:
        """The posterior given outcomes; hyper-parameters are refitted at growing intervals."""
        inputs = self.encode([o.plan for o in outcomes])
        z = to_log_error(np.array([o.accuracy for o in outcomes]), self.items)
        count = _refit_at(len(outcomes))
        key = (count, hash(z[:count].tobytes()))
        if key not in self._fits:
            self._fits[key] = fit(inputs.at(range(count)), z[:count], self.items)
        return Surrogate(inputs, z, self.items, self._fits[key], self._memory)

    def offers(
        self, outcomes: Sequence[Outcome], left: Money, busy: frozenset[str] = frozenset()
    ) -> Offers:
        """All plans with what they cost now.

        Args:
            outcomes: everything evaluated.
            left: money that the search may still spend.
            busy: keys of conditions that other workers are buying in.
        """
        self.prices.refresh()
        n = len(self.plans)
        cost, hold = self._listed[:, 0].copy(), self._listed[:, 1].copy()
        whole = cost.copy()
        spoilt, in_time = self._unusable_and_in_time()
        contained = np.zeros(n, dtype=np.bool_)
        one_each, of_plan = self._conditions
        for place, plan in enumerate(one_each):
            if self.prices.records(plan):
                mine = of_plan == place
                cost[mine], hold[mine], lacking = self._lacking(place)
                contained[mine] = lacking == 0
        free = np.array([self.prices.condition(p).key not in busy for p in one_each])
        evaluated = np.zeros(n, dtype=np.bool_)
        evaluated[[self._at[o.plan.key] for o in outcomes if o.plan.key in self._at]] = True
        inside = self._inside & in_time
        s = self.world.space
        switches = len(s.exams) * len(s.prelabels) * len(s.groups)
        return Offers(
            self.plans,
            (len(s.prices), len(s.overlaps), len(s.controls), len(s.tasks), switches),
            self.inputs,
            tag=whole * (1 + spoilt) / 1e6,
            marginal=np.minimum(cost * (1 + spoilt), hold) / 1e6,
            inside=inside,
            buyable=inside & free[of_plan] & ~contained & ~evaluated & (hold <= left.micros),
            contained=inside & contained,
            evaluated=evaluated,
        )

    def _lacking(self, place: int) -> Floats:
        """[3, m] of the plans of a condition that was bought in: cost, reservation and answers.

        Money is in micro-dollars, the condition is given by its place in `_conditions`.
        """
        one_each, of_plan = self._conditions
        records, plans = self.prices.records(one_each[place]), np.flatnonzero(of_plan == place)
        key = (place, len(records))
        if key in self._lacks:
            return self._lacks[key]
        quotes = [self.prices.to_buy(self.plans[i]) for i in plans]
        lacks = np.array([[q.cost.micros, q.hold.micros, q.answers] for q in quotes], np.float64).T
        if one_each[place].dynamic is None and records[-1].end is not None:
            self._lacks[key] = lacks  # else what is lacking may change before the next order
        return lacks

    @cached_property
    def _listed(self) -> Floats:
        """[n, 2] micro-dollars of every whole plan: expected cost and reservation."""
        quotes = [self.prices.list_price(plan) for plan in self.plans]
        return np.array([[q.cost.micros, q.hold.micros] for q in quotes], dtype=np.float64)

    @cached_property
    def _inside(self) -> Bools:
        return np.array([self.prices.outside(plan) is None for plan in self.plans])

    def _unusable_and_in_time(self) -> tuple[Floats, Bools]:
        """[n] unusable over usable suites, and whether a plan meets the deadline, as known now."""
        longest = self.world.config.max_minutes
        one_each, of_plan = self._conditions
        orders = [record for plan in one_each for record in self.prices.records(plan)]
        costs = PlanCosts(self.world, orders)
        unusable = np.array([float(costs.unusable_share(plan)) for plan in one_each])[of_plan]
        if longest is None:
            return unusable, np.ones(len(self.plans), dtype=np.bool_)
        paces = np.array([costs.pace(plan) for plan in one_each])[of_plan]
        return unusable, self._minutes * paces <= longest

    @cached_property
    def _conditions(self) -> tuple[list[LabelPlan], Ints]:
        """A plan of each condition, and [n] the place of each plan's condition in that list."""
        places: dict[str, int] = {}
        one_each: list[LabelPlan] = []
        of_plan = []
        for plan in self.plans:
            key = self.prices.condition(plan).key
            if key not in places:
                places[key] = len(one_each)
                one_each.append(plan)
            of_plan.append(places[key])
        return one_each, np.array(of_plan, dtype=np.int64)

    @cached_property
    def _minutes(self) -> Floats:
        """[n] minutes of whole plans that the market expects."""
        return np.array([self.prices.list_price(plan).minutes for plan in self.plans])

    # --- decisions ------------------------------------------------------------------------------

    def decide(
        self, outcomes: Sequence[Outcome], left: Money, busy: frozenset[str] = frozenset()
    ) -> Decision:
        """The next purchase: of the initial design, then by acquisition."""
        offers = self.offers(outcomes, left, busy)
        if not offers.buyable.any():
            return Decision(None, self._spent(offers, left))
        for plan in self._design:
            if offers.buyable[self._at[plan.key]]:
                return Decision(plan)
        outlook = self._look(outcomes, offers)
        smallest = _SMALLEST * self.world.ledger.balance().cap.dollars
        bought, points, _ = best_purchase(offers, outlook, smallest)
        usual = self._still_unknown(offers)
        if usual is not None and (bought is None or self._leaves_too_little(bought, usual, left)):
            return Decision(usual, points=points)
        return Decision(bought, points=points)

    def _still_unknown(self, offers: Offers) -> LabelPlan | None:
        """The practitioner's plan, if it can be bought and was not evaluated.

        A lucky purchase of another condition may hide it where crowds are noisy, and an answer
        that never looked at it cannot name it.
        """
        usual = practitioner_within([self.plans[i] for i in np.flatnonzero(offers.inside)])
        return usual if usual is not None and offers.buyable[self._at[usual.key]] else None

    def _leaves_too_little(self, bought: LabelPlan, usual: LabelPlan, left: Money) -> bool:
        holds = [self.prices.to_buy(plan).hold for plan in (bought, usual)]
        return bought != usual and sum(holds, Money(0)) > left

    def decide_by_rule(
        self, outcomes: Sequence[Outcome], left: Money, busy: frozenset[str] = frozenset()
    ) -> Decision:
        """The next purchase of the rule of thumb."""
        offers = self.offers(outcomes, left, busy)
        plan = rule_purchase(self.rule, lambda p: bool(offers.buyable[self._at[p.key]]))
        return Decision(plan, "" if plan else "the rule of thumb finds nothing more to buy")

    def free(self, outcomes: Sequence[Outcome], latest: LabelPlan, done: int) -> LabelPlan | None:
        """The contained plan to evaluate next, or None.

        Args:
            outcomes: everything evaluated.
            latest: what was bought last: its condition is looked at.
            done: contained plans evaluated since.
        """
        if done >= _FREE:
            return None
        offers = self.offers(outcomes, Money(0))
        if not offers.inside.any():  # the first purchases were slower than the deadline bears
            return None
        mine = self.inputs.condition == self.inputs.condition[self._at[latest.key]]
        looked = self._look(outcomes, offers)
        return best_contained(offers, looked, mine, _LEAST)

    def missing_from_front(self, outcomes: Sequence[Outcome]) -> LabelPlan | None:
        """An owned plan that is expected on the front but was never evaluated; None if none."""
        offers = self.offers(outcomes, Money(0))
        mean, _, _ = self.surrogate(outcomes).predict(offers.inputs)
        lowest = math.inf
        owned = offers.contained | offers.evaluated
        order: list[int] = np.lexsort((mean, offers.tag)).tolist()
        for i in order:
            if owned[i] and mean[i] < lowest:
                lowest = float(mean[i])
                if not offers.evaluated[i]:
                    return self.plans[i]
        return None

    def _look(self, outcomes: Sequence[Outcome], offers: Offers) -> Outlook:
        return look_out(offers, self.surrogate(outcomes), self.chance_error)

    def is_inside(self, plan: LabelPlan) -> bool:
        """Whether a plan of the space is within the study's limits."""
        return bool(self._inside[self._at[plan.key]])

    @cached_property
    def rule(self) -> list[LabelPlan]:
        """The rule of thumb's plans, from small to large."""
        return rule_curve(self.plans, self.is_inside)

    @cached_property
    def _design(self) -> list[LabelPlan]:
        """The rule's largest plan within its share, then cheap plans far from each other."""
        cap, cost = self.world.ledger.balance().cap.dollars, self._listed[:, 0] / 1e6
        dollars = {plan.key: float(cost[i]) for i, plan in enumerate(self.plans)}
        warm = [plan for plan in self.rule if dollars[plan.key] <= _WARM_SHARE * cap]
        chosen = warm[-1:]
        cheap = self._cheap(_PROBE_SHARE * cap, dollars)
        total = sum(dollars[plan.key] for plan in chosen)
        while cheap and len(chosen) <= _PROBES:
            far = max(cheap, key=lambda p: (round(self._farness(p, chosen), 9), -dollars[p.key]))
            cheap.remove(far)
            if total + dollars[far.key] <= DESIGN_SHARE * cap:
                total += dollars[far.key]
                chosen.append(far)
        return chosen

    def _cheap(self, most: float, dollars: dict[str, float]) -> list[LabelPlan]:
        """Per condition the largest plan of overlap 1 within some dollars; checked ones if any."""
        best: dict[str, LabelPlan] = {}
        least = min(plan.overlap for plan in self.plans)
        for i, plan in enumerate(self.plans):
            if self._inside[i] and plan.overlap == least and dollars[plan.key] <= most:
                best[self.prices.condition(plan).key] = plan  # tasks rise within a condition
        checked = [plan for plan in best.values() if plan.controls or plan.exam]
        return checked or list(best.values())

    def _farness(self, plan: LabelPlan, chosen: Sequence[LabelPlan]) -> float:
        return min((self.world.space.distance(plan, other) for other in chosen), default=0.0)

    def _spent(self, offers: Offers, left: Money) -> str:
        lacking = offers.inside & ~offers.contained & ~offers.evaluated
        if not lacking.any():
            return nothing_lacking(self.world)
        holds = [self.prices.to_buy(self.plans[i]).hold for i in np.flatnonzero(lacking)]
        return used_up(min(holds), left)


def nothing_lacking(world: World) -> str:
    """The reason to stop where no plan inside the limits is left to evaluate."""
    costs = PlanCosts(world)
    if any(costs.outside(plan) is None for plan in world.space.plans):
        return "every plan inside the limits is evaluated"
    cheapest = min(world.space.plans, key=lambda plan: (costs.price(plan), plan.key))
    return f"no plan is inside the limits: the cheapest {costs.outside(cheapest)}"


def used_up(least: Money, left: Money) -> str:
    """The reason to stop where what is left for the search bears no plan any more.

    Args:
        least: what the cheapest plan left reserves.
        left: what the search may still spend, without the money kept for the confirmation.
    """
    return f"the cheapest further plan may cost up to {least}, and {left} is left to search with"


def _refit_at(count: int) -> int:
    """The largest refit point not above a count: 4, then half as many again each time."""
    at = 0
    step = 4
    while step <= count:
        at, step = step, step + max(2, step // 2)
    return at
