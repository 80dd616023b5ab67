"""What a seller of answers charges: the protocol of all tariffs, and how many assignments it takes.

The rate of a condition is what its tariff multiplies: the reward of a suite, or the wage of an
hour. The reward of an assignment is what this one assignment earned.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from budget.errors import InputError
from budget.money import Money


class Tariff(Protocol):
    """A seller's price rule."""

    @property
    def rewards_vary(self) -> bool:
        """Whether assignments of one condition may earn different rewards."""
        ...

    def cost(self, assignments: int, reward: Money) -> Money:
        """Rewards and fee of a number of done assignments that earned a reward each."""
        ...

    def fee(self, assignments: int, reward: Money) -> Money:
        """The fee in `cost`."""
        ...

    def expected(self, assignments: int, rate: Money) -> Money:
        """Rewards that a number of assignments is expected to earn at a condition's rate."""
        ...

    def most(self, assignments: int, rate: Money) -> Money:
        """The most that a limit of assignments can cost at a condition's rate: what is held."""
        ...

    def check_rate(self, rate: Money, name: str = "reward per assignment") -> None:
        """Refuse a rate that the seller would not accept.

        Raises:
            InputError: naming the rate and the remedy.
        """
        ...


def expected_cost(tariff: Tariff, assignments: int, rate: Money) -> Money:
    """Rewards and fee that a number of assignments is expected to cost at a condition's rate."""
    return tariff.expected(assignments, rate) + tariff.fee(assignments, rate)


def affordable(tariff: Tariff, left: Money, rate: Money) -> int:
    """The largest limit of assignments whose hold is not above the money left."""
    first = tariff.most(1, rate)
    each = tariff.most(2, rate) - first
    return 0 if left < first else 1 + (left - first).micros // max(1, each.micros)


def expected_assignments(tasks: int, overlap: int, real_per_suite: int | Fraction) -> int:
    """Assignments that deliver `overlap` answers on each of `tasks` tasks.

    ceil(tasks * overlap / real tasks per suite) is Toloka's own rule, exact up to a tail of 0 to 2
    assignments. Control tasks take places in the suite and so raise the number.
    """
    return assignments_for(tasks * overlap, overlap if tasks else 0, real_per_suite)


def assignments_for(answers: int, most: int, real_per_suite: int | Fraction) -> int:
    """Assignments that deliver `answers` answers in all, up to `most` of them on one task.

    The number is at least `most`, because an annotator answers a task once. This matters where
    tasks are few.

    Args:
        answers: answers wanted, summed over tasks.
        most: the most answers wanted on one task.
        real_per_suite: tasks of an assignment that are not control tasks; a share below 1 where
            annotators submit tasks one at a time.

    Raises:
        InputError: no place in the suite is left for a real task.
    """
    if real_per_suite <= 0:
        raise InputError("control tasks: they fill the suite; leave a place for a real task")
    return max(most, -(-answers // real_per_suite))
