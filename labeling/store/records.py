"""Stored orders with the sums of their assignments and answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from budget.money import Money
from budget.tariff import assignments_for
from labeling.types import STOPPED, Order, OrderEnd

Wanted = tuple[tuple[int, int], ...]
"""(task, further usable answers wanted), in the pool's order."""


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order and the sums of its stored assignments.

    Attributes:
        order: the stored order.
        overlap: usable answers per task that the order's plan asked for.
        end: the order's end; None while it is unfinished.
        assignments: assignments submitted, and so paid.
        unusable: assignments by annotators who were banned at the order's end (by now, for an
            unfinished order).
        reward: rewards of the annotators, without the platform fee.
        unusable_reward: rewards of the unusable assignments among them.
        control_reward: rewards of usable assignments of nothing but control tasks.
        reward_squares: sum of the squared rewards, in squared micro-dollars.
        answers: answers to real tasks.
        usable_answers: usable answers to real tasks.
    """

    order: Order
    overlap: int
    end: OrderEnd | None
    assignments: int
    unusable: int
    reward: Money
    unusable_reward: Money
    control_reward: Money
    reward_squares: float
    answers: int
    usable_answers: int

    @property
    def is_vain(self) -> bool:
        """Whether it ended without a usable answer, and nobody had stopped it."""
        is_over = self.end is not None and self.end.reason != STOPPED
        return is_over and not self.usable_answers


def order_limit(wanted: Wanted, real_per_suite: int | Fraction, allowance: Fraction) -> int:
    """The most assignments of an order: the expected number plus the allowance, rounded up."""
    counts = [count for _, count in wanted]
    return limit_of(sum(counts), max(counts, default=0), real_per_suite, allowance)


def limit_of(answers: int, most: int, real_per_suite: int | Fraction, allowance: Fraction) -> int:
    """The most assignments of an order of some answers, up to `most` of them on one task."""
    return math.ceil(assignments_for(answers, most, real_per_suite) * (1 + allowance))
