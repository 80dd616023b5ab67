"""Input and output of an aggregator, and what aggregators share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from budget.errors import InputError
from labeling.types import Answers, Bools, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """Input of an aggregator: usable answers, and their annotators' control answers.

    Attributes:
        answers: [A] usable answers to real tasks.
        row: [A] row of each answer's task in the result.
        counts: [N, C] answers by task and class; at least one in each row.
        controls: control answers of the same annotators.
        truth: true class of each control answer's task.
        skill: the crowd's skill, where it is known better than by these answers; None where not.
    """

    answers: Answers
    row: Ints
    counts: Floats
    controls: Answers
    truth: Ints
    skill: float | None = None

    @property
    def classes(self) -> int:
        """The number of classes C."""
        return int(self.counts.shape[1])

    @property
    def people(self) -> int:
        """The number of annotator codes, from 0 to the largest one."""
        return int(self.answers.annotator.max(initial=-1)) + 1

    @property
    def compared(self) -> Bools:
        """[A] whether the answer's task has another answer to compare it with."""
        return np.asarray(self.counts.sum(axis=1)[self.row] > 1)


Aggregator = Callable[[Votes], tuple[Floats, Floats]]
"""Returns [N, C] vote shares and the [N, C] posterior of the aggregator's model."""


def votes_of(
    answers: Answers,
    order: Ints,
    classes: int,
    control_truth: Mapping[int, int],
    skill: float | None = None,
) -> Votes:
    """The votes among a set of answers, in the order of tasks that have a usable answer.

    Args:
        answers: answers, control answers included.
        order: tasks that count.
        classes: number of classes C.
        control_truth: true class of each control task, by row.
        skill: the crowd's skill, where it is known better than by these answers.

    Raises:
        InputError: a control task without a known truth.
    """
    given = answers.where(answers.usable & ~answers.control & np.isin(answers.task, order))
    order = order[np.isin(order, given.task)]
    by_task = np.argsort(order)
    row = by_task[np.searchsorted(order, given.task, sorter=by_task)]
    # Annotators without a usable answer to these tasks would move the crowd's skill, by which the
    # others are judged.
    people = np.unique(given.annotator)
    controls = answers.where(answers.control & np.isin(answers.annotator, people))
    counts = tally(row, given.label, np.ones(len(given)), len(order), classes)
    return Votes(given, row, counts, controls, known_truth(controls, control_truth), skill)


def known_truth(controls: Answers, control_truth: Mapping[int, int]) -> Ints:
    """True class of each control answer's task.

    Raises:
        InputError: a control task without a known truth.
    """
    unknown = set(controls.task.tolist()) - set(control_truth)
    if unknown:
        raise InputError(f"control task {min(unknown)}: its true label is not known")
    return np.array([control_truth[task] for task in controls.task.tolist()], dtype=np.int64)


def tally(row: Ints, label: Ints, weight: Floats, rows: int, classes: int) -> Floats:
    """Sums [rows, classes] of the votes' weights."""
    sums = np.bincount(row * classes + label, weights=weight, minlength=rows * classes)
    return np.asarray(sums, dtype=np.float64).reshape(rows, classes)


def softmax(scores: Floats) -> Floats:
    """Probabilities [N, C] of log-odds."""
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float64)
