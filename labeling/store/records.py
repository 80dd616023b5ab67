"""Orders as they were written down, with what came of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from budget.money import Money
from budget.tariff import assignments_for
from labeling.types import Order, OrderEnd

Wanted = tuple[tuple[int, int], ...]
"""(task, further usable answers wanted), in the pool's order."""


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order and what came of it so far.

    Attributes:
        order: as it was written down.
        overlap: the usable answers per task that its plan asked for.
        end: how it ended; None while it is unfinished.
        assignments: assignments submitted, and so paid.
        unusable: those of them by annotators who were banned when the order ended (who are
            banned so far, while it is unfinished).
        reward: paid to annotators, without the platform's fee.
        answers: answers to real tasks.
        usable_answers: those of them that are usable.
    """

    order: Order
    overlap: int
    end: OrderEnd | None
    assignments: int
    unusable: int
    reward: Money
    answers: int
    usable_answers: int


def order_limit(wanted: Wanted, real_per_suite: int, allowance: Fraction) -> int:
    """The most assignments of an order: the expected ones and the allowance, rounded up."""
    counts = [count for _, count in wanted]
    expected = assignments_for(sum(counts), max(counts, default=0), real_per_suite)
    return math.ceil(expected * (1 + allowance))
