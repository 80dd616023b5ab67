"""Answers to class probabilities per task.

Weighted majority and majority are closed forms; Dawid-Skene runs through crowd-kit. The closed
forms use the one-coin model: an annotator of skill p gives the true class with probability p and
each of the C-1 other classes with (1-p)/(C-1). So a vote's log-odds for its class against any other
class are ln(p (C-1) / (1-p)).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from budget.errors import InputError
from labeling.aggregation.registry import aggregator_named
from labeling.aggregation.votes import Votes
from labeling.types import Answers, Floats, Ints, LabelSet

_PRIOR_SKILL = 0.8  # typical of screened crowds; counts as _PRIOR_ANSWERS answers
_PRIOR_ANSWERS = 4.0
_SMALLEST_WEIGHT = 0.01
_DAWID_SKENE_ITERATIONS = 100


def aggregate(
    answers: Answers,
    tasks: Sequence[int] | Ints,
    classes: int,
    method: str,
    control_truth: Mapping[int, int],
) -> LabelSet:
    """Aggregate the usable answers to real tasks.

    Args:
        answers: a plan's answers, control answers included.
        tasks: the plan's tasks; the result follows their order. The result leaves out control
            tasks and tasks without a usable answer.
        classes: number of classes C, at least 2.
        method: a name of `AGGREGATORS`. Without control tasks "weighted" has equal weights; the
            shares of "dawid-skene" are plain vote shares.
        control_truth: true class of each control task, by row.

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
    given = answers.where(answers.usable & ~answers.control & np.isin(answers.task, order))
    row, order = _rows(given.task, order)
    people = np.unique(given.annotator)
    # Annotators without a usable answer to these tasks would move the crowd's skill, by which the
    # others are judged.
    controls = answers.where(answers.control & np.isin(answers.annotator, people))
    truth = _truth(controls, control_truth)
    counts = _tally(row, given.label, np.ones(len(given)), len(order), classes)
    votes = Votes(given, row, counts, controls, truth)
    shares, posterior = aggregator(votes)
    return LabelSet(order, shares, posterior, counts.sum(axis=1).astype(np.int64))


def weighted(votes: Votes) -> tuple[Floats, Floats]:
    """Votes weighted by the log-odds of the annotator's skill on control tasks."""
    weight = annotator_weights(votes.answers, votes.controls, votes.truth, votes.classes)
    each = weight[votes.answers.annotator]
    scores = _tally(votes.row, votes.answers.label, each, *votes.counts.shape)
    return _shares(scores), _softmax(scores)


def majority(votes: Votes) -> tuple[Floats, Floats]:
    """Votes of equal weight: the log-odds of the crowd's skill."""
    skill = pooled_skill(votes.answers, votes.controls, votes.truth, votes.classes)
    scores = votes.counts * log_odds(np.array(skill), votes.classes)
    return _shares(scores), _softmax(scores)


def dawid_skene(votes: Votes) -> tuple[Floats, Floats]:
    """A confusion matrix per annotator (Dawid and Skene 1979); control tasks have known labels."""
    shares, posterior = majority(votes)
    return shares, _dawid_skene(votes) if len(shares) else posterior


def annotator_weights(votes: Answers, controls: Answers, truth: Ints, classes: int) -> Floats:
    """Weight of a vote, by annotator code: log-odds of the shrunk control accuracy.

    skill = (right + 4 m) / (n + 4) over the annotator's n control answers, with m the pooled
    skill: few control answers leave an annotator's skill near the crowd's.
    """
    people = int(max(votes.annotator.max(initial=-1), controls.annotator.max(initial=-1))) + 1
    return log_odds(_skills(votes, controls, truth, classes, people), classes)


def annotator_skills(answers: Answers, control_truth: Mapping[int, int], classes: int) -> Floats:
    """Skill behind the weights of `annotator_weights`, by annotator code, from a set of answers.

    The result has an entry for every code in the answers; an annotator without a usable answer has
    the crowd's skill.

    Args:
        answers: the answers behind the labels, control answers included.
        control_truth: true class of each control task, by row.
        classes: number of classes.
    """
    votes = answers.where(answers.usable & ~answers.control)
    voters = np.unique(votes.annotator)
    controls = answers.where(answers.control & np.isin(answers.annotator, voters))
    people = int(answers.annotator.max(initial=-1)) + 1
    return _skills(votes, controls, _truth(controls, control_truth), classes, people)


def skills_given(answers: Answers, control_truth: Mapping[int, int], pooled: float) -> Floats:
    """Skill of each annotator code, shrunk to a crowd's skill that is given.

    Args:
        answers: usable and control answers.
        control_truth: true class of each control task, by row.
        pooled: the crowd's skill.
    """
    controls = answers.where(answers.control)
    people = int(answers.annotator.max(initial=-1)) + 1
    return _shrunk(controls, _truth(controls, control_truth), pooled, people)


def _skills(votes: Answers, controls: Answers, truth: Ints, classes: int, people: int) -> Floats:
    return _shrunk(controls, truth, pooled_skill(votes, controls, truth, classes), people)


def _shrunk(controls: Answers, truth: Ints, pooled: float, people: int) -> Floats:
    right = np.bincount(controls.annotator[controls.label == truth], minlength=people)
    seen = np.bincount(controls.annotator, minlength=people)
    return np.asarray((right + _PRIOR_ANSWERS * pooled) / (seen + _PRIOR_ANSWERS))


def pooled_skill(votes: Answers, controls: Answers, truth: Ints, classes: int) -> float:
    """The crowd's accuracy, from its control answers; without these, from its agreement.

    Two annotators of skill p agree on a task with probability a = p^2 + (1-p)^2 / (C-1), so
    p = (1 + sqrt((C-1) (C a - 1))) / C. Four prior answers, or pairs of answers, shrink both
    estimates to 0.8: a few right answers do not prove a skill of 1.
    """
    if len(controls):
        right = float(np.count_nonzero(controls.label == truth))
        return (right + _PRIOR_ANSWERS * _PRIOR_SKILL) / (len(controls) + _PRIOR_ANSWERS)
    row, order = _rows(votes.task, np.unique(votes.task))
    counts = _tally(row, votes.label, np.ones(len(votes)), len(order), classes)
    answers = counts.sum(axis=1)
    pairs = float((answers * (answers - 1)).sum()) / 2
    agreeing = float((counts * (counts - 1)).sum()) / 2
    expected = _PRIOR_SKILL**2 + (1 - _PRIOR_SKILL) ** 2 / (classes - 1)
    agreement = (agreeing + _PRIOR_ANSWERS * expected) / (pairs + _PRIOR_ANSWERS)
    # Agreement below 1 / C, that of random answers, has no real root: it counts as 1 / C.
    return float((1 + np.sqrt(max(0.0, (classes - 1) * (classes * agreement - 1)))) / classes)


def log_odds(skill: Floats, classes: int) -> Floats:
    """Log-odds of a vote, ln(p (C-1) / (1-p)), at least 0.01: no vote counts against its class."""
    # A skill below chance is rather a poor estimate than an annotator who avoids the truth. And a
    # weight above 0 keeps the shares of every task defined.
    odds = skill * (classes - 1) / (1 - skill)
    return np.maximum(np.log(np.maximum(odds, 1.0)), _SMALLEST_WEIGHT)


def _check_labels(answers: Answers, classes: int) -> None:
    if classes < 2:
        raise InputError(f"classes: {classes} leave nothing to decide; give at least 2")
    wrong = answers.label[(answers.label < 0) | (answers.label >= classes)]
    if len(wrong):
        raise InputError(f"answers: label {wrong[0]} is not one of the {classes} classes")


def _truth(controls: Answers, control_truth: Mapping[int, int]) -> Ints:
    """True class of each control answer's task."""
    unknown = set(controls.task.tolist()) - set(control_truth)
    if unknown:
        raise InputError(f"control task {min(unknown)}: its true label is not known")
    return np.array([control_truth[task] for task in controls.task.tolist()], dtype=np.int64)


def _rows(task: Ints, order: Ints) -> tuple[Ints, Ints]:
    """Row of each answer's task in the result, and the result's tasks: the tasks with an answer."""
    order = order[np.isin(order, task)]
    by_task = np.argsort(order)
    return by_task[np.searchsorted(order, task, sorter=by_task)], order


def _tally(row: Ints, label: Ints, weight: Floats, rows: int, classes: int) -> Floats:
    """Sums [rows, classes] of the votes' weights."""
    # `tally[row, label] += weight` would count only one of several votes for the same cell.
    tally: Floats = np.zeros((rows, classes))
    np.add.at(tally, (row, label), weight)
    return tally


def _softmax(scores: Floats) -> Floats:
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float64)


def _shares(scores: Floats) -> Floats:
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def _dawid_skene(votes: Votes) -> Floats:
    """Posterior [N, C] of crowd-kit's Dawid-Skene.

    This function works around three traits of crowd-kit. It knows only classes that occur among the
    answers: other classes get probability 0, and a control task of such a class counts as unknown.
    It draws from numpy's global generator for a by-product. It warns about its own use of pandas.
    """
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    given, controls, truth = votes.answers, votes.controls, votes.truth
    rows, classes = votes.counts.shape
    label = np.r_[given.label, controls.label]
    # Control tasks get numbers above the rows of real tasks, so that the two never meet.
    control_task = rows + controls.task
    data = pd.DataFrame(
        {
            "task": np.r_[votes.row, control_task],
            "worker": np.r_[given.annotator, controls.annotator],
            "label": label,
        }
    )
    class_answered = np.isin(truth, label)
    true_labels = pd.Series(truth[class_answered], index=control_task[class_answered])
    true_labels = true_labels[~true_labels.index.duplicated()]
    # The global generator belongs to the caller: its stream must not depend on the aggregation.
    state = np.random.get_state()  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = DawidSkene(n_iter=_DAWID_SKENE_ITERATIONS)
            fitted = model.fit_predict_proba(data, true_labels if len(true_labels) else None)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    # The result also has rows of control tasks, and lacks classes that no answer names.
    complete = fitted.reindex(index=np.arange(rows), columns=np.arange(classes), fill_value=0.0)
    posterior = complete.to_numpy(dtype=np.float64)
    return np.asarray(posterior / posterior.sum(axis=1, keepdims=True), dtype=np.float64)
