"""What every plan still lacks, and what that costs: the store's answer for a whole grid at once.

Says the same as `World.to_buy`, which asks the database plan by plan; tested to agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hpo.market.quote import Quote, quote
from hpo.trial.world import World
from labeling.store import OrderRecord
from labeling.types import Condition, Ints, LabelPlan


@dataclass(frozen=True, slots=True, eq=False)
class _Owned:
    """A condition's tasks in the pool's order: usable answers owned, and overlap asked for."""

    answers: Ints
    target: Ints


@dataclass
class Holdings:
    """Quotes of what plans lack, read once per condition and ended order."""

    world: World
    _records: dict[str, list[OrderRecord]] = field(default_factory=dict)
    _owned: dict[tuple[str, int], _Owned] = field(default_factory=dict)
    _quotes: dict[tuple[str, int], Quote] = field(default_factory=dict)
    _conditions: dict[str, Condition] = field(default_factory=dict)

    def refresh(self) -> None:
        """Read the orders again: something may have been bought."""
        self._records = {}
        for record in self.world.store.all_orders():
            self._records.setdefault(record.order.condition.key, []).append(record)

    def condition(self, plan: LabelPlan) -> Condition:
        """The pool that a plan is bought in."""
        if plan.key not in self._conditions:
            self._conditions[plan.key] = self.world.condition(plan)
        return self._conditions[plan.key]

    def records(self, plan: LabelPlan) -> list[OrderRecord]:
        """Orders of the plan's condition, by tranche."""
        return self._records.get(self.condition(plan).key, [])

    def to_buy(self, plan: LabelPlan) -> Quote:
        """The quote of what the plan still lacks; zero answers when it is contained."""
        records = self.records(plan)
        if not records:
            return self.world.list_price(plan)
        if plan.dynamic is not None:  # what it lacks depends on what was answered
            return self.world.to_buy(plan)
        ended = sum(record.end is not None for record in records)
        key = (plan.key, ended)
        if key not in self._quotes:
            owned = self._of(self.condition(plan), ended)
            have, target = owned.answers[: plan.tasks], owned.target[: plan.tasks]
            wanted = np.where(target < plan.overlap, np.maximum(plan.overlap - have, 0), 0)
            self._quotes[key] = quote(
                self.world.source,
                self.condition(plan),
                int(wanted.sum()),
                int(wanted.max(initial=0)),
                self.world.config.allowance,
            )
        return self._quotes[key]

    def _of(self, condition: Condition, ended: int) -> _Owned:
        key = (condition.key, ended)
        if key not in self._owned:
            world = self.world
            answers = world.store.answers(condition)
            rows = int(world.pool.max()) + 1
            real = answers.usable & ~answers.control
            target = np.zeros(rows, dtype=np.int64)
            for task, overlap in world.store.owned_target(condition).items():
                target[task] = overlap
            counts = np.bincount(answers.task[real], minlength=rows)
            self._owned[key] = _Owned(counts[world.pool], target[world.pool])
        return self._owned[key]
