"""Annotators' skills by agreement with a model and with each other, also where nobody overlaps.

The model's probabilities are the prior of an image's class, and the answers its evidence, by the
one-coin model of `labeling.aggregation.skills`. The share of an annotator's answers that come out
right is the skill, by expectation and maximisation (Khetan, Lipton and Anandkumar, "Learning from
noisy singly-labeled data", ICLR 2018). An image with one answer tells of its annotator, too: the
model is the other one. Right control answers count as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from labeling.aggregation.skills import log_odds
from labeling.aggregation.votes import known_truth, softmax, tally
from labeling.types import Answers, Floats, Ints, LabelSet

_ROUNDS = 8
_PRIOR_SKILL = 0.8
_PRIOR_ANSWERS = 10.0  # answers that the crowd's skill counts for
_MOST = 0.999  # a skill of 1 would outweigh any model


@dataclass(frozen=True, slots=True, eq=False)
class Agreed:
    """What agreement says of annotators, by annotator code.

    Attributes:
        right: answers that came out right, a sum of probabilities; right control answers, too.
        seen: answers, and control answers.
        pooled: share of right answers of the whole crowd.
    """

    right: Floats
    seen: Floats
    pooled: float

    def skills(self, pooled: float | None = None) -> Floats:
        """Skills shrunk to a crowd's skill; None for that of this crowd."""
        crowd = self.pooled if pooled is None else pooled
        skill = (self.right + _PRIOR_ANSWERS * crowd) / (self.seen + _PRIOR_ANSWERS)
        return np.minimum(skill, _MOST)


def rows_of(labels: LabelSet, answers: Answers) -> tuple[Answers, Ints]:
    """The usable answers behind labels, and the row of each among the labels."""
    given = answers.where(answers.usable & ~answers.control & np.isin(answers.task, labels.task))
    by_task = np.argsort(labels.task)
    return given, by_task[np.searchsorted(labels.task, given.task, sorter=by_task)]


def agree(
    labels: LabelSet, answers: Answers, control_truth: Mapping[int, int], model: Floats
) -> Agreed:
    """Skills of annotators by agreement.

    Args:
        labels: labels of the answers.
        answers: the answers behind them, control answers included.
        control_truth: true class of each control task, by row.
        model: [N, C] probabilities of each labelled image from a model that has not learned its
            label.
    """
    given, row = rows_of(labels, answers)
    controls = answers.where(answers.control)
    is_right = controls.label == known_truth(controls, control_truth)
    people = int(answers.annotator.max(initial=-1)) + 1
    known = np.bincount(controls.annotator, is_right, people).astype(np.float64)
    seen = np.bincount(given.annotator, minlength=people).astype(np.float64)
    shown = np.asarray(seen + np.bincount(controls.annotator, minlength=people))
    prior = np.log(np.maximum(model, 1e-12))
    agreed = Agreed(np.zeros(people), np.zeros(people), _PRIOR_SKILL)
    for _ in range(_ROUNDS):
        each = log_odds(agreed.skills(), model.shape[1])[given.annotator]
        true = softmax(prior + tally(row, given.label, each, *model.shape))
        right = np.bincount(given.annotator, true[row, given.label], people)
        # Control tasks are easier than others: they tell annotators apart, not how good all are.
        pooled = (right.sum() + _PRIOR_ANSWERS * _PRIOR_SKILL) / (seen.sum() + _PRIOR_ANSWERS)
        agreed = Agreed(np.asarray(right + known), shown, float(pooled))
    return agreed
