"""Usable answers that an order still lacks, by a fixed number per task or by how sure they are."""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol

import numpy as np

from labeling.aggregation.dynamic_overlap import Ballots
from labeling.source import wanted_arrays
from labeling.types import DynamicOverlap, Ints, Order


class Tally(Protocol):
    """Counts the usable answers of a condition, order after order."""

    def open(self, order: Order) -> None:
        """Begin an order."""
        ...

    def count(self, annotator: str, task: int, label: int, skill: float) -> None:
        """Count a usable answer.

        Args:
            annotator: who gave it.
            task: its row.
            label: the class chosen for the judged question.
            skill: the annotator's, as control tasks tell it by now.
        """
        ...

    def withdraw(self, annotator: str) -> None:
        """Take the answers of a banned annotator away."""
        ...

    def missing(self) -> Ints:
        """Usable answers that the order lacks, [n] in the sequence of its wanted tasks."""
        ...


def tally_of(rule: DynamicOverlap | None, classes: int) -> Tally:
    """The tally of a condition.

    Args:
        rule: its dynamic overlap; None for the same overlap on every task.
        classes: of the judged question.
    """
    return _FixedTally() if rule is None else _DynamicTally(rule, classes)


class _FixedTally:
    """As many answers to each task as the order wants."""

    def open(self, order: Order) -> None:
        tasks, self._lacking = wanted_arrays(order)
        self._place = {int(task): at for at, task in enumerate(tasks)}
        self._places_of: defaultdict[str, list[int]] = defaultdict(list)

    def count(self, annotator: str, task: int, label: int, skill: float) -> None:
        if task in self._place:
            self._lacking[self._place[task]] -= 1
            self._places_of[annotator].append(self._place[task])

    def withdraw(self, annotator: str) -> None:
        np.add.at(self._lacking, self._places_of.pop(annotator, []), 1)

    def missing(self) -> Ints:
        lacking: Ints = np.maximum(self._lacking, 0)
        return lacking


class _DynamicTally:
    """Up to the least number of answers at once, then one by one until the label is sure."""

    def __init__(self, rule: DynamicOverlap, classes: int) -> None:
        self._ballots = Ballots(rule, 0, classes)
        self._rows = 0
        self._given: defaultdict[str, list[tuple[int, int, float]]] = defaultdict(list)

    def open(self, order: Order) -> None:
        self._tasks, wanted = wanted_arrays(order)
        rows = max(self._rows, 1 + int(self._tasks.max(initial=-1)))
        self._ballots.extend(rows - self._rows)
        self._rows = rows
        self._ballots.allow(self._tasks, wanted)

    def count(self, annotator: str, task: int, label: int, skill: float) -> None:
        if task < self._rows:
            self._given[annotator].append((task, label, skill))
            self._ballots.opened(np.array([task]))
            self._ballots.submitted(np.array([task]), np.array([label]), skill)

    def withdraw(self, annotator: str) -> None:
        for task, label, skill in self._given.pop(annotator, []):
            self._ballots.withdrawn(np.array([task]), np.array([label]), skill)

    def missing(self) -> Ints:
        return self._ballots.lacking(self._tasks)
