"""The price and the minutes of a plan that is bought at once, as far as is known by now.

Everything that is said of a plan's money or time comes from here: the front, the recommendation,
forecasts, label versions, mirrors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from budget.money import Money
from budget.tariff import assignments_for, expected_cost
from hpo.trial.holdings.answer_cost import AnswerCost, answer_cost
from hpo.trial.world import World
from labeling.source import tariff_of
from labeling.store.records import OrderRecord
from labeling.types import Condition, LabelPlan

_UNUSABLE = Fraction(1, 5)  # prior share of unusable suites under control tasks
_UNUSABLE_WEIGHT = 20  # suites that the prior counts for
# Standard deviations of ln(measured / expected minutes). A simulation expects what it simulates.
_MARKET_SD, _SIMULATION_SD = 0.7, 0.15  # of the part common to a market
_CONDITION_SD = 0.15  # of a condition's own part
_ORDER_SD = 0.2  # between large purchases in a condition (measured, like the next)
_ORDER_SPREAD = 0.8  # further variance between orders, times their assignments


@dataclass(frozen=True, slots=True)
class _Paid:
    """Assignments paid in a condition, and the pace of its first order.

    Attributes:
        usable, unusable: assignments.
        pace: ln(measured / expected minutes) of the first order; None where time is not known.
        pace_variance: of that between purchases.
    """

    usable: int
    unusable: int
    pace: float | None
    pace_variance: float


class PlanCosts:
    """Prices and minutes of plans, given the orders of a study so far.

    Args:
        world: the study's world.
        orders: the orders; None to read those of its store, once.
    """

    def __init__(self, world: World, orders: Iterable[OrderRecord] | None = None) -> None:
        self._world = world
        self._records: dict[str, list[OrderRecord]] = {}
        conditions: dict[str, Condition] = {}
        for record in world.store.all_orders() if orders is None else orders:
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
        real = world.market.kind.real_money
        self._measured = world.source.tariff.rewards_vary
        self._pace = _paces(self._paid, _MARKET_SD if real else _SIMULATION_SD)

    def price(self, plan: LabelPlan) -> Money:
        """Expected assignments at the tariff, times (1 + the paid-but-unusable share).

        The share is measured in the plan's condition; where nothing was bought in it, in those with
        the same control tasks and exam, under a prior. Where overlap is dynamic, the assignments
        are those that tasks of the condition needed.
        """
        return self._list_cost(plan).share(1 + self.unusable_share(plan))

    def answer_cost(self, plan: LabelPlan) -> AnswerCost:
        """What an answer costs in a plan's condition; others of the same people count, too.

        Only where tariffs measure it: a fixed reward is known.
        """
        condition = self._world.condition(plan)
        tariff = tariff_of(self._world.source, condition)
        alike = [
            record
            for records in self._records.values()
            for record in records
            if record.order.condition.group == condition.group
        ]
        common = answer_cost(tariff.expected(1, condition.reward), alike)
        return answer_cost(common.of(1), self._records.get(condition.key, []))

    def price_interval(self, plan: LabelPlan) -> tuple[Money, Money] | None:
        """The 95 % interval of what buying a plan costs; None where rewards are fixed.

        It holds how long answers take, and how many more of them turn out unusable.
        """
        if not self._measured:
            return None
        price, assignments = self.price(plan), self._assignments(plan)
        paid = self._paid.get(self._world.condition(plan).key)
        seen = _UNUSABLE_WEIGHT if paid is None else paid.usable + paid.unusable
        share = float(self.unusable_share(plan))
        unusable = (share * (1 + share) * (1 / max(1, seen) + 1 / max(1, assignments))) ** 0.5
        time = self.answer_cost(plan).share_sd(assignments)
        half = Fraction(round(1000 * 1.96 * math.hypot(time, unusable / (1 + share))), 1000)
        return price - price.share(min(half, Fraction(1))), price + price.share(half)

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

        The market's expectation, times how much longer than expected first orders took so far. A
        condition's later orders tell nothing of it: its annotators return to them without delay.
        """
        expected = self._world.prices.list_price(plan).minutes
        if not expected:
            return None
        return expected * self.pace(plan)

    def pace(self, plan: LabelPlan) -> float:
        """How many times longer than expected purchases in a plan's condition take."""
        common, own = self._pace
        return math.exp(own.get(self._world.condition(plan).key, common))

    def outside(self, plan: LabelPlan) -> str | None:
        """Why a plan is outside the study's limits: of money, or of time as measured by now."""
        if (reason := self._world.prices.outside(plan)) is not None:
            return reason
        if not self.is_in_time(plan):
            longest = self._world.config.max_minutes
            return f"would take {self.minutes(plan):.1f} minutes, above {longest:g}"
        return None

    def is_in_time(self, plan: LabelPlan) -> bool:
        """Whether a plan is expected to meet the study's deadline, as measured by now."""
        longest, minutes = self._world.config.max_minutes, self.minutes(plan)
        return longest is None or minutes is None or minutes <= longest

    def _paid_in(self, condition: Condition) -> _Paid:
        records = self._records[condition.key]
        return _Paid(
            sum(r.assignments - r.unusable for r in records),
            sum(r.unusable for r in records),
            *self._pace_of(min(records, key=lambda r: r.order.tranche)),
        )

    def _pace_of(self, first: OrderRecord) -> tuple[float | None, float]:
        """ln(measured / expected minutes) of a condition's first order, and its variance."""
        usable = first.assignments - first.unusable
        if first.end is None or first.end.minutes <= 0 or usable <= 0:
            return None, 0.0
        expected = self._world.source.expected_minutes(first.order.condition, usable)
        if expected <= 0:
            return None, 0.0
        return math.log(first.end.minutes / expected), _ORDER_SD**2 + _ORDER_SPREAD / usable

    def _list_cost(self, plan: LabelPlan) -> Money:
        assignments = self._assignments(plan)
        if self._measured:
            return self.answer_cost(plan).of(assignments)
        condition = self._world.condition(plan)
        tariff = tariff_of(self._world.source, condition)
        return expected_cost(tariff, assignments, condition.reward)

    def _assignments(self, plan: LabelPlan) -> int:
        """Expected assignments; where overlap is dynamic, as many as the condition's tasks took."""
        condition = self._world.condition(plan)
        records = self._records.get(condition.key, [])
        tasks = sum(len(record.order.wanted) for record in records)
        if plan.dynamic is None or not tasks:
            return self._world.prices.list_price(plan).assignments
        answers = math.ceil(plan.tasks * sum(r.usable_answers for r in records) / tasks)
        return assignments_for(answers, plan.dynamic.least, condition.real_per_assignment)


def _paces(paid: dict[str, _Paid], market_sd: float) -> tuple[float, dict[str, float]]:
    """ln(measured / expected minutes): of a condition never bought in, and of each bought in.

    Partial pooling (Gelman and Hill 2007, "Data Analysis Using Regression and Multilevel/
    Hierarchical Models", chapter 12): a pace common to the market, and a condition's own part.
    """
    known = {key: p.pace for key, p in paid.items() if p.pace is not None}
    if not known:
        return 0.0, {}
    seen = np.array(list(known.values()))
    noise = np.array([paid[key].pace_variance for key in known])
    weight = 1 / (_CONDITION_SD**2 + noise)
    common = float(weight @ seen / (weight.sum() + market_sd**-2))
    trust = _CONDITION_SD**2 / (_CONDITION_SD**2 + noise)
    own = common + trust * (seen - common)
    return common, dict(zip(known, own.tolist(), strict=True))
