"""Answers that were read before: those of ended orders never change."""

from __future__ import annotations

from collections.abc import Callable

from labeling.types import Answers

_MOST = 2_000_000  # answers, of 26 bytes each

Orders = tuple[int, ...]
"""Numbers of the ended orders that answers belong to."""


class KeptAnswers:
    """The answers of conditions read last, each with the orders that they belong to."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], tuple[Orders, Answers]] = {}

    def recall(
        self, condition: str, question: int, orders: Orders, read: Callable[[], Answers]
    ) -> Answers:
        """The answers of a condition's ended orders to a question; read unless they are here.

        Args:
            condition: the condition's key.
            question: index of the question.
            orders: the condition's ended orders.
            read: reads their answers.
        """
        known, answers = self._kept.pop((condition, question), (None, None))
        if answers is None or known != orders:
            answers = read()
            for name in answers.__dataclass_fields__:
                getattr(answers, name).flags.writeable = False  # several callers share them
        self._kept[condition, question] = orders, answers
        while sum(len(a) for _, a in self._kept.values()) > _MOST and len(self._kept) > 1:
            del self._kept[next(iter(self._kept))]
        return answers
