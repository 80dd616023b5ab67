"""Prices of plans: whole, and of the answers that are lacking given those owned.

Two objects, made anew where what they stand on changes: a `PriceList` for a market, `Prices` for
what is owned on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from budget.money import Money
from hpo.market.market import Market
from hpo.market.quote import Quote, answers_share, outside, quote, quote_plan
from hpo.settings.config import StudyConfig
from hpo.trial.holdings.image_order import beginning, is_short
from labeling.store import Store
from labeling.store.records import OrderRecord
from labeling.types import Condition, Ints, LabelPlan, Order


@dataclass(frozen=True, slots=True)
class PriceList:
    """Quotes of whole plans on a market, as if nothing were owned.

    Attributes:
        config: the study's configuration.
        market: who answers.
        cap: the most the study may spend.
    """

    config: StudyConfig
    market: Market
    cap: Money
    _quotes: dict[str, Quote] = field(default_factory=dict, repr=False)
    _outside: dict[str, str | None] = field(default_factory=dict, repr=False)

    def quote(self, plan: LabelPlan) -> Quote:
        """A whole plan's quote."""
        if plan.key not in self._quotes:
            self._quotes[plan.key] = quote_plan(self.market, plan, self.config.allowance)
        return self._quotes[plan.key]

    def outside(self, plan: LabelPlan) -> str | None:
        """Why a plan is outside the study's limits, or None when it is inside."""
        if plan.key not in self._outside:
            self._outside[plan.key] = outside(self.config, self.cap, self.quote(plan))
        return self._outside[plan.key]


@dataclass(frozen=True, slots=True, eq=False)
class _Owned:
    """A condition's tasks in the pool's order: usable answers owned, and overlap asked for."""

    answers: Ints
    target: Ints


class Prices:
    """Quotes of what plans still lack.

    The orders are read on first use and again after `refresh`; answers once per ended order.

    Args:
        listed: quotes of whole plans.
        store: the orders and answers owned.
        pool: [n] rows of the pool's images, in the study's order.
        moves: whether a condition's plans may begin elsewhere than at the first image.
    """

    def __init__(self, listed: PriceList, store: Store, pool: Ints, *, moves: bool = False) -> None:
        self.listed = listed
        self.moves = moves
        self._store = store
        self._pool = pool
        self._everything: list[Order] | None = None  # orders of other accounts, too
        self._images: dict[str, Ints] = {}
        self._orders: dict[str, list[OrderRecord]] | None = None
        self._owned: dict[tuple[str, int], _Owned] = {}
        self._quotes: dict[tuple[str, int], Quote] = {}
        self._conditions: dict[str, Condition] = {}

    def refresh(self) -> None:
        """Something may have been bought: the orders are read again."""
        self._orders = self._everything = None
        self._images = {}

    def condition(self, plan: LabelPlan) -> Condition:
        """The pool that a plan is bought in."""
        if plan.key not in self._conditions:
            self._conditions[plan.key] = self.listed.market.condition(plan)
        return self._conditions[plan.key]

    def images(self, condition: Condition) -> Ints:
        """[n] the pool's rows in the order in which a condition's plans take them."""
        if not self.moves:
            return self._pool
        if condition.key not in self._images:
            if self._everything is None:
                records = self._store.without(frozenset()).all_orders()
                self._everything = [record.order for record in records]
            short = is_short(self.listed.config, self._pool)
            begin = beginning(condition, self._pool, self._everything, short)
            self._images[condition.key] = np.roll(self._pool, -begin)
        return self._images[condition.key]

    def records(self, plan: LabelPlan) -> list[OrderRecord]:
        """Orders of the plan's condition, by tranche."""
        if self._orders is None:
            self._orders = {}
            for record in self._store.all_orders():
                self._orders.setdefault(record.order.condition.key, []).append(record)
        return self._orders.get(self.condition(plan).key, [])

    def list_price(self, plan: LabelPlan) -> Quote:
        """The whole plan's quote, as if nothing were owned."""
        return self.listed.quote(plan)

    def outside(self, plan: LabelPlan) -> str | None:
        """Why a plan is outside the study's limits, or None when it is inside."""
        return self.listed.outside(plan)

    def lacking(self, plan: LabelPlan) -> Order | None:
        """The order that the plan lacks (or the condition's unfinished one); None if owned."""
        config = self.listed.config
        condition = self.condition(plan)
        tasks = [int(row) for row in self.images(condition)[: plan.tasks]]
        return self._store.propose(
            condition, tasks, plan.overlap, config.allowance, config.max_minutes
        )

    def to_buy(self, plan: LabelPlan) -> Quote:
        """The quote of what the plan still lacks; zero answers when it is contained."""
        records = self.records(plan)
        if not records:
            return self.list_price(plan)
        if plan.dynamic is not None or records[-1].end is None:
            return self._ordered(plan)  # what it lacks is not to be told from what is owned
        key = (plan.key, len(records))
        if key not in self._quotes:
            owned = self._of(self.condition(plan), len(records))
            have, target = owned.answers[: plan.tasks], owned.target[: plan.tasks]
            wanted = np.where(target < plan.overlap, np.maximum(plan.overlap - have, 0), 0)
            self._quotes[key] = self._quote(plan, int(wanted.sum()), int(wanted.max(initial=0)))
        return self._quotes[key]

    def _ordered(self, plan: LabelPlan) -> Quote:
        """The quote of the order that the plan lacks."""
        order = self.lacking(plan)
        wanted = [count for _, count in order.wanted] if order else []
        return self._quote(plan, sum(wanted), max(wanted, default=0))

    def _quote(self, plan: LabelPlan, answers: int, overlap: int) -> Quote:
        market, allowance = self.listed.market, self.listed.config.allowance
        share = answers_share(market, plan)
        return quote(market.source, self.condition(plan), answers, overlap, allowance, share)

    def _of(self, condition: Condition, ended: int) -> _Owned:
        key = (condition.key, ended)
        if key not in self._owned:
            answers = self._store.answers(condition)
            rows = int(self._pool.max()) + 1
            real = answers.usable & ~answers.control
            target = np.zeros(rows, dtype=np.int64)
            for task, overlap in self._store.owned_target(condition).items():
                target[task] = overlap
            counts = np.bincount(answers.task[real], minlength=rows)
            images = self.images(condition)
            self._owned[key] = _Owned(counts[images], target[images])
        return self._owned[key]
