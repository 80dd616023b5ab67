"""What an aggregator is given, and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labeling.types import Answers, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """What an aggregator is given: usable answers, and what is known of those who gave them.

    Attributes:
        answers: [A] usable answers to real tasks.
        row: [A] row of each answer's task in the result.
        counts: [N, C] answers by task and class; at least one in each row.
        controls: control answers of the same annotators.
        truth: true class of each control answer's task.
    """

    answers: Answers
    row: Ints
    counts: Floats
    controls: Answers
    truth: Ints

    @property
    def classes(self) -> int:
        """The number of classes C."""
        return int(self.counts.shape[1])


Aggregator = Callable[[Votes], tuple[Floats, Floats]]
"""Gives [N, C] vote shares and the [N, C] posterior of its model."""
