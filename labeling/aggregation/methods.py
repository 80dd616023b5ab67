"""Answers to class probabilities per task.

Weighted majority and majority are closed forms of the one-coin model
(`labeling.aggregation.skills`); Dawid-Skene has a confusion matrix per annotator. All three treat
the answers to an image as independent given its class. They are not: they share the image's
difficulty, and what it resembles. So n answers count as n / (1 + r (n-1)) independent ones: the
design effect of a sample in clusters (Kish, "Survey Sampling", 1965), with a correlation r that
was measured on people. Matrices learn what annotators share as if each had it alone: r is larger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from budget.errors import InputError
from labeling.aggregation import dawid_skene as matrices
from labeling.aggregation.registry import aggregator_named
from labeling.aggregation.skills import crowd_skill, log_odds, skills
from labeling.aggregation.votes import Votes, softmax, tally, votes_of
from labeling.types import Answers, Floats, Ints, LabelSet

CORRELATION = 0.15
"""Correlation of the answers to an image: near the least log-loss on nine published crowds."""

CORRELATION_OF_MATRICES = 0.3
"""The same for probabilities by a confusion matrix per annotator."""


def aggregate(
    answers: Answers,
    tasks: Sequence[int] | Ints,
    classes: int,
    method: str,
    control_truth: Mapping[int, int],
    skill: float | None = None,
) -> LabelSet:
    """Aggregate the usable answers to real tasks.

    Args:
        answers: a plan's answers, control answers included.
        tasks: the plan's tasks; the result follows their order. The result leaves out control
            tasks and tasks without a usable answer.
        classes: number of classes C, at least 2.
        method: a name of `AGGREGATORS`. Without control tasks "weighted" weighs by agreement; the
            shares of "dawid-skene" are plain vote shares.
        control_truth: true class of each control task, by row.
        skill: the crowd's skill, where it is known better than by these answers.

    Returns:
        Vote shares, and the posterior of the method's model (with a uniform prior, except for
        Dawid-Skene).

    Raises:
        InputError: an unknown method, a label beyond the classes, fewer than two classes, or a
            control task without a known truth.
    """
    aggregator = aggregator_named(method)
    _check_labels(answers, classes)
    order = np.asarray(tasks, dtype=np.int64)
    votes = votes_of(answers, order, classes, control_truth, skill)
    shares, posterior = aggregator(votes)
    order = order[np.isin(order, votes.answers.task)]
    return LabelSet(order, shares, posterior, votes.counts.sum(axis=1).astype(np.int64))


def weighted(votes: Votes) -> tuple[Floats, Floats]:
    """Votes weighted by the log-odds of the annotators' skills."""
    each = log_odds(skills(votes), votes.classes)[votes.answers.annotator]
    scores = tally(votes.row, votes.answers.label, each, *votes.counts.shape)
    return _shares(scores), _posterior(scores, votes)


def majority(votes: Votes) -> tuple[Floats, Floats]:
    """Votes of equal weight: the log-odds of the crowd's skill."""
    scores = votes.counts * log_odds(np.array(crowd_skill(votes)), votes.classes)
    return _shares(scores), _posterior(scores, votes)


def dawid_skene(
    votes: Votes, correlation: float = CORRELATION_OF_MATRICES
) -> tuple[Floats, Floats]:
    """Plain vote shares, and the posterior by a confusion matrix per annotator."""
    shares, _ = majority(votes)
    _, start = weighted(votes)
    likely = matrices.posterior(votes, start)
    return shares, _posterior(np.log(np.maximum(likely, 1e-300)), votes, correlation)


def _posterior(scores: Floats, votes: Votes, correlation: float = CORRELATION) -> Floats:
    """Probabilities [N, C] of log-odds that count dependent answers as independent."""
    answers = votes.counts.sum(axis=1, keepdims=True)
    return softmax(scores / (1 + correlation * (answers - 1)))


def _check_labels(answers: Answers, classes: int) -> None:
    if classes < 2:
        raise InputError(f"classes: {classes} leave nothing to decide; give at least 2")
    wrong = answers.label[(answers.label < 0) | (answers.label >= classes)]
    if len(wrong):
        raise InputError(f"answers: label {wrong[0]} is not one of the {classes} classes")


def _shares(scores: Floats) -> Floats:
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))
