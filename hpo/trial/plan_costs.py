"""The price and the minutes of a plan that is bought at once, as far as is known by now.

Everything that is said of a plan's money or time comes from here: the front, the recommendation,
forecasts, label versions, mirrors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from budget.money import Money
from budget.tariff import assignments_for
from hpo.trial.world import World
from labeling.store.records import OrderRecord
from labeling.types import Condition, LabelPlan

_UNUSABLE = Fraction(1, 5)  # prior share of unusable suites under control tasks
_UNUSABLE_WEIGHT = 20  # suites that the prior counts for
_PACE_SD = 0.7  # of the logarithm of measured over expected minutes, common to a market
_CONDITION_SD = 0.15  # of a condition's own part of it
_ORDER_SD = 0.2  # between purchases in a condition


@dataclass(frozen=True, slots=True)
class _Paid:
    """Assignments paid in a condition, and the minutes they took.

    Attributes:
        usable, unusable: assignments.
        minutes: of its ended orders; 0 where time is not known.
        expected: minutes that were expected of them.
        orders: ended orders that took time.
    """

    usable: int
    unusable: int
    minutes: float
    expected: float
    orders: int


class PlanCosts:
    """Prices and minutes of plans, given the orders of a study so far.

    Args:
        world: the study's world; its orders are read once.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._records: dict[str, list[OrderRecord]] = {}
        conditions: dict[str, Condition] = {}
        for record in world.store.all_orders():
            condition = record.order.condition
            if condition.market == world.market.name:
                conditions[condition.key] = condition
                self._records.setdefault(condition.key, []).append(record)
        self._paid = {key: self._paid_in(conditions[key]) for key in conditions}
        self._alike: dict[tuple[int, bool], tuple[int, int]] = {}
        for key, paid in self._paid.items():
            kind = (conditions[key].controls, conditions[key].exam)
            bad, good = self._alike.get(kind, (0, 0))
            self._alike[kind] = (bad + paid.unusable, good + paid.usable)
        self._pace = _paces(self._paid)

    def price(self, plan: LabelPlan) -> Money:
        """Expected assignments at the tariff, times (1 + the paid-but-unusable share).

        The share is measured in the plan's condition; where nothing was bought in it, in those with
        the same control tasks and exam, under a prior. Where overlap is dynamic, the assignments
        are those that tasks of the condition needed.
        """
        return self._list_cost(plan).share(1 + self.unusable_share(plan))

    def unusable_share(self, plan: LabelPlan) -> Fraction:
        """Unusable over usable assignments that a plan's condition is expected to pay for."""
        paid = self._paid.get(self._world.condition(plan).key)
        if paid is not None and paid.usable:
            return Fraction(paid.unusable, paid.usable)
        bad, good = self._alike.get((plan.controls, plan.exam), (0, 0))
        prior = _UNUSABLE if plan.controls else Fraction(0)
        return (bad + prior * _UNUSABLE_WEIGHT) / (good + _UNUSABLE_WEIGHT)

    def minutes(self, plan: LabelPlan) -> float | None:
        """Minutes from the opening of the plan's pool to its last assignment; None if not known.

        The market's expectation, times how much longer than expected orders took so far.
        """
        expected = self._world.prices.list_price(plan).minutes
        if not expected:
            return None
        common, own = self._pace
        return expected * math.exp(own.get(self._world.condition(plan).key, common))

    def outside(self, plan: LabelPlan) -> str | None:
        """Why a plan is outside the study's limits: of money, or of time as measured by now."""
        world = self._world
        if (reason := world.prices.outside(plan)) is not None:
            return reason
        longest, minutes = world.config.max_minutes, self.minutes(plan)
        if longest is not None and minutes is not None and minutes > longest:
            return f"would take {minutes:.0f} minutes, above {longest:g}"
        return None

    def _paid_in(self, condition: Condition) -> _Paid:
        records = self._records[condition.key]
        usable = sum(r.assignments - r.unusable for r in records)
        ended = [r for r in records if r.end is not None and r.end.minutes > 0]
        expect = self._world.source.expected_minutes
        return _Paid(
            usable,
            sum(r.unusable for r in records),
            sum(r.end.minutes for r in ended if r.end),
            sum(expect(condition, r.assignments - r.unusable) for r in ended),
            len(ended),
        )

    def _list_cost(self, plan: LabelPlan) -> Money:
        world = self._world
        condition = world.condition(plan)
        records = self._records.get(condition.key, [])
        tasks = sum(len(record.order.wanted) for record in records)
        if plan.dynamic is None or not tasks:
            return world.prices.list_price(plan).cost
        answers = math.ceil(plan.tasks * sum(r.usable_answers for r in records) / tasks)
        needed = assignments_for(answers, plan.dynamic.least, condition.real_per_suite)
        return world.source.tariff.cost(needed, condition.reward)


def _paces(paid: dict[str, _Paid]) -> tuple[float, dict[str, float]]:
    """ln(measured / expected minutes): of a condition never bought in, and of each bought in.

    Partial pooling (Gelman and Hill 2007, "Data Analysis Using Regression and Multilevel/
    Hierarchical Models", chapter 12): a pace common to the market, and a condition's own part.
    """
    known = {key: p for key, p in paid.items() if p.minutes > 0 and p.expected > 0}
    if not known:
        return 0.0, {}
    seen = np.array([math.log(p.minutes / p.expected) for p in known.values()])
    noise = np.array([_ORDER_SD**2 / p.orders for p in known.values()])
    weight = 1 / (_CONDITION_SD**2 + noise)
    common = float(weight @ seen / (weight.sum() + _PACE_SD**-2))
    trust = _CONDITION_SD**2 / (_CONDITION_SD**2 + noise)
    own = common + trust * (seen - common)
    return common, dict(zip(known, own.tolist(), strict=True))
