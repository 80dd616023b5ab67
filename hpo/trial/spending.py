"""The money spent by the parts that it bought, from stored assignments."""

from __future__ import annotations

from dataclasses import dataclass

from budget.money import ZERO, Money
from hpo.trial.world import World
from labeling.types import Condition


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Settled money by what it bought. The four parts add up to `total` exactly.

    Attributes:
        labels: rewards for usable answers to the pool's tasks.
        controls: rewards for usable answers to control tasks.
        unusable: rewards of assignments by annotators who were banned.
        fee: the platform's fee on all of them.
    """

    labels: Money = ZERO
    controls: Money = ZERO
    unusable: Money = ZERO
    fee: Money = ZERO

    @property
    def total(self) -> Money:
        """All four parts."""
        return self.labels + self.controls + self.unusable + self.fee

    def __add__(self, other: Breakdown) -> Breakdown:
        return Breakdown(
            self.labels + other.labels,
            self.controls + other.controls,
            self.unusable + other.unusable,
            self.fee + other.fee,
        )


def of_condition(condition: Condition, world: World) -> Breakdown:
    """The money spent in one condition, by the parts that it bought.

    A suite's reward is shared equally among its places; a control answer bought its own place.
    """
    if condition.reward == ZERO:
        return Breakdown()  # own labels: nothing was paid here
    records = world.store.orders(condition)
    paid = sum(record.assignments for record in records)
    unusable = sum(record.unusable for record in records)
    answers = world.store.answers(condition)
    controls = condition.price * int((answers.control & answers.usable).sum())
    reward = condition.reward
    return Breakdown(
        labels=reward * (paid - unusable) - controls,
        controls=controls,
        unusable=reward * unusable,
        fee=world.source.tariff.fee(paid, reward),
    )


def of_study(world: World) -> Breakdown:
    """All the money spent so far, by the parts that it bought."""
    conditions = dict.fromkeys(record.order.condition for record in world.store.all_orders())
    total = Breakdown()
    for condition in conditions:
        total = total + of_condition(condition, world)
    return total
