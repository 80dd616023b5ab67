"""Answers that were read before: those of ended orders never change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from labeling.types import Answers

_MOST = 2_000_000  # answers, of 26 bytes each
_KINDS = (np.int64, np.int64, np.int64, np.bool_, np.bool_)

Orders = tuple[int, ...]
"""Numbers of the ended orders that answers belong to."""

AnswerRows = Sequence[Any]
"""(annotator, task, label, control, banned) of answers, in their order."""


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """Answers of orders, and the annotators whose codes are in them."""

    orders: Orders
    answers: Answers
    codes: dict[str, int]


class KeptAnswers:
    """The answers of conditions read last, each with the orders that they belong to."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], _Kept] = {}

    def recall(
        self, condition: str, question: int, orders: Orders, read: Callable[[Orders], AnswerRows]
    ) -> Answers:
        """The answers of a condition's ended orders to a question; only new ones are read.

        Args:
            condition: the condition's key.
            question: index of the question.
            orders: the condition's ended orders, in their sequence.
            read: reads the answers of some of them.
        """
        kept = self._kept.pop((condition, question), None)
        # The answers of later orders follow those of earlier ones.
        if kept is None or kept.orders != orders[: len(kept.orders)]:
            kept = _Kept((), _columns((), {}), {})
        if kept.orders != orders:
            kept = _with_more(kept, orders, read(orders[len(kept.orders) :]))
        self._kept[condition, question] = kept
        while sum(len(k.answers) for k in self._kept.values()) > _MOST and len(self._kept) > 1:
            del self._kept[next(iter(self._kept))]
        return kept.answers


def _with_more(kept: _Kept, orders: Orders, rows: AnswerRows) -> _Kept:
    codes = dict(kept.codes)
    more, together = _columns(rows, codes), []
    for field in fields(Answers):
        values = np.concatenate([getattr(kept.answers, field.name), getattr(more, field.name)])
        values.flags.writeable = False  # several callers share them
        together.append(values)
    return _Kept(orders, Answers(*together), codes)


def _columns(rows: AnswerRows, codes: dict[str, int]) -> Answers:
    """Rows as columns. Codes count annotators by their first answer; new ones go into `codes`."""
    annotator, task, label, control, banned = zip(*rows, strict=True) if rows else [()] * 5
    coded = [codes.setdefault(name, len(codes)) for name in annotator]
    columns = (task, coded, label, control, [not each for each in banned])
    return Answers(*(np.array(c, dtype=kind) for c, kind in zip(columns, _KINDS, strict=True)))
