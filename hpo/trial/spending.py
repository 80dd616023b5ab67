"""The money spent by the parts that it bought, from stored assignments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from budget.money import ZERO, Money
from hpo.trial.outcome import Purchase
from hpo.trial.purchase import TESTED, paid_of
from hpo.trial.world import World
from labeling.machine import is_machine
from labeling.store.records import OrderRecord
from labeling.types import Condition

_RARE = ("tests", "machine")  # parts that most studies have none of


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Settled money by what it bought. The parts add up to `total` exactly.

    Attributes:
        labels: rewards for usable answers to the pool's tasks.
        controls: rewards for usable answers to control tasks.
        unusable: rewards of assignments by annotators who were banned.
        fee: the platform's fee on all of them.
        tests: all that labels to measure models by cost, fee included.
        machine: all that a machine's answers cost.
    """

    labels: Money = ZERO
    controls: Money = ZERO
    unusable: Money = ZERO
    fee: Money = ZERO
    tests: Money = ZERO
    machine: Money = ZERO

    @property
    def total(self) -> Money:
        """All parts."""
        parts = (self.labels, self.controls, self.unusable, self.fee, self.tests, self.machine)
        return sum(parts, ZERO)

    def to_plain(self) -> dict[str, dict[str, int | str]]:
        """The parts as JSON types; without test labels, or a machine, where none were bought."""
        parts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {n: part.to_json() for n, part in parts.items() if n not in _RARE or part != ZERO}

    def __add__(self, other: Breakdown) -> Breakdown:
        return Breakdown(
            self.labels + other.labels,
            self.controls + other.controls,
            self.unusable + other.unusable,
            self.fee + other.fee,
            self.tests + other.tests,
            self.machine + other.machine,
        )


def of_condition(condition: Condition, world: World) -> Breakdown:
    """The money spent in one condition, by the parts that it bought.

    A suite's reward is shared equally among its places; a control answer bought its own place.
    Where annotators submit tasks one at a time, each answer has its own reward.
    """
    if condition.reward == ZERO:
        return Breakdown()  # own labels: nothing was paid here
    records = world.store.orders(condition)
    paid = sum((record.reward for record in records), ZERO)
    if is_machine(condition):
        return Breakdown(machine=paid)
    unusable = sum((record.unusable_reward for record in records), ZERO)
    fee = world.source.tariff.fee(sum(r.assignments for r in records), condition.reward)
    if condition.market.endswith(TESTED):
        return Breakdown(tests=paid + fee)
    if condition.one_by_one:
        controls = sum((record.control_reward for record in records), ZERO)
    else:
        answers = world.store.answers(condition)
        controls = condition.price * int((answers.control & answers.usable).sum())
    return Breakdown(paid - unusable - controls, controls, unusable, fee)


def of_study(world: World) -> Breakdown:
    """All the money spent so far, by the parts that it bought."""
    conditions = dict.fromkeys(record.order.condition for record in world.store.all_orders())
    total = Breakdown()
    for condition in conditions:
        total = total + of_condition(condition, world)
    return total


def orders_behind(
    purchases: Sequence[Purchase], world: World
) -> tuple[list[list[OrderRecord]], list[OrderRecord]]:
    """The orders that each purchase stands for: its condition's since the purchase before.

    A trial may need several orders, and takes over those of one that died before it could tell.

    Args:
        purchases: all of the study, in order.
        world: the study's world.

    Returns:
        The orders of each purchase, and the rest: confirmations, and what no purchase tells of.
    """
    owner: dict[str, int] = {}
    for place, bought in enumerate(purchases):
        owner.setdefault(bought.order, place)
    behind: list[list[OrderRecord]] = [[] for _ in purchases]
    waiting: dict[str, list[OrderRecord]] = defaultdict(list)
    for record in world.store.all_orders():
        condition = record.order.condition.key
        waiting[condition].append(record)
        if record.order.key in owner:
            behind[owner[record.order.key]] = waiting.pop(condition)
    return behind, [record for records in waiting.values() for record in records]


def paid_for(purchases: Sequence[Purchase], world: World) -> list[Money]:
    """What each purchase paid: with what no purchase tells of, all that the study has spent."""
    own = world.own()
    behind, _ = orders_behind(purchases, own)
    return [sum((paid_of(record.order, own) for record in records), ZERO) for records in behind]
