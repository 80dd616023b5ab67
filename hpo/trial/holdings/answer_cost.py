"""What an answer costs where that is measured: wages times working time, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from budget.money import Money
from labeling.store.records import OrderRecord

_EXPECTED_WEIGHT = 5
"""Answers that the expected cost counts for, as long as few are measured."""
_SPREAD = 0.6
"""Standard deviation of the cost of single answers over its mean, before any is measured."""
_BETWEEN = 0.03
"""The same of the mean cost between purchases: who happened to answer, and how tired."""


@dataclass(frozen=True, slots=True)
class AnswerCost:
    """The mean cost of an answer.

    Attributes:
        answers: paid answers that it was measured on.
        mean: in micro-dollars.
        spread: standard deviation of single answers over their mean.
    """

    answers: int
    mean: float
    spread: float

    def of(self, answers: int) -> Money:
        """The expected cost of a number of answers."""
        return Money(math.ceil(self.mean * answers))

    def share_sd(self, answers: int) -> float:
        """Standard deviation of a purchase of some answers, over its expected cost."""
        known = self.answers + _EXPECTED_WEIGHT
        return math.sqrt(self.spread**2 * (1 / known + 1 / max(1, answers)) + _BETWEEN**2)


def answer_cost(expected: Money, records: Iterable[OrderRecord]) -> AnswerCost:
    """The cost of an answer, from what was expected and what orders paid.

    Args:
        expected: cost of an answer before any is measured.
        records: orders in which answers cost alike.
    """
    some = list(records)
    count = sum(record.assignments for record in some)
    paid = sum(record.reward.micros for record in some)
    mean = (_EXPECTED_WEIGHT * expected.micros + paid) / (_EXPECTED_WEIGHT + count)
    if count < 2 or not paid:
        return AnswerCost(count, mean, _SPREAD)
    squares = sum(record.reward_squares for record in some)
    own = paid / count
    variance = max(0.0, squares / count - own**2)
    return AnswerCost(count, mean, math.sqrt(variance) / own)
