"""How good annotators are: from control tasks; without these, from their agreement with others.

The one-coin model: an annotator of skill p gives the true class with probability p and each of the
C-1 other classes with (1-p)/(C-1). So a vote's log-odds for its class against any other class are
ln(p (C-1) / (1-p)).

With control tasks, an annotator's skill is the share of right control answers. Without them, it is
the share of answers that come out right when all answers to the same images are weighed by skill:
the one-coin form of Dawid and Skene's model (1979), by expectation and maximisation. Both shares
are shrunk to the crowd's skill, as few answers tell little.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from labeling.aggregation.votes import Votes, known_truth, softmax, tally, votes_of
from labeling.types import Answers, Floats, Ints

_PRIOR_SKILL = 0.8  # typical of screened crowds; counts as _PRIOR_ANSWERS answers
_PRIOR_ANSWERS = 4.0
_PRIOR_AGREED = 10.0  # answers that the crowd's skill counts for beside an annotator's agreement
_ROUNDS = 5  # measured: more change labels of few crowds, and worsen those whose errors are shared
_SMALLEST_WEIGHT = 0.01


def skills(votes: Votes) -> Floats:
    """Skill of each annotator code in a set of votes."""
    pooled = crowd_skill(votes)
    if len(votes.controls):
        return _shrunk(votes.controls, votes.truth, pooled, votes.people)
    return _agreed(votes, pooled)


def crowd_skill(votes: Votes) -> float:
    """The crowd's skill: as given, or from its control answers, or from its agreement.

    Two annotators of skill p agree on a task with probability a = p^2 + (1-p)^2 / (C-1), so
    p = (1 + sqrt((C-1) (C a - 1))) / C. Four prior answers, or pairs of answers, shrink both
    estimates to 0.8: a few right answers do not prove a skill of 1.
    """
    classes = votes.classes
    if votes.skill is not None:
        return votes.skill
    if len(votes.controls):
        return _crowd_on_controls(votes.controls, votes.truth)
    answers = votes.counts.sum(axis=1)
    pairs = float((answers * (answers - 1)).sum()) / 2
    agreeing = float((votes.counts * (votes.counts - 1)).sum()) / 2
    expected = _PRIOR_SKILL**2 + (1 - _PRIOR_SKILL) ** 2 / (classes - 1)
    agreement = (agreeing + _PRIOR_ANSWERS * expected) / (pairs + _PRIOR_ANSWERS)
    # Agreement below 1 / C, that of random answers, has no real root: it counts as 1 / C.
    return float((1 + np.sqrt(max(0.0, (classes - 1) * (classes * agreement - 1)))) / classes)


def log_odds(skill: Floats, classes: int) -> Floats:
    """Log-odds of a vote, ln(p (C-1) / (1-p)), at least 0.01: no vote counts against its class."""
    # A skill below chance is rather a poor estimate than an annotator who avoids the truth. And a
    # weight above 0 keeps the shares of every task defined.
    odds = skill * (classes - 1) / np.maximum(1 - skill, 1e-12)
    return np.maximum(np.log(np.maximum(odds, 1.0)), _SMALLEST_WEIGHT)


def annotator_skills(answers: Answers, control_truth: Mapping[int, int], classes: int) -> Floats:
    """Skill behind the weights of votes, by annotator code, from a set of answers.

    The result has an entry for every code in the answers; an annotator without a usable answer has
    the crowd's skill.

    Args:
        answers: the answers behind the labels, control answers included.
        control_truth: true class of each control task, by row.
        classes: number of classes.
    """
    votes = votes_of(answers, np.unique(answers.task), classes, control_truth)
    known = skills(votes)
    people = int(answers.annotator.max(initial=-1)) + 1
    return np.asarray(np.r_[known, np.full(people - len(known), crowd_skill(votes))])


def people_skills(answers: Answers, control_truth: Mapping[int, int], classes: int) -> Floats:
    """How often annotators are right, by code, those included whose answers are not used.

    A wrong control answer may ban, and nobody is left who gave one: by their control answers those
    who stay are nearly always right. All control answers together, of the banned too, are not
    selected: whether the next one is right does not depend on who is banned for those before.

    Args:
        answers: answers, control answers included.
        control_truth: true class of each control task, by row.
        classes: number of classes.
    """
    controls = answers.where(answers.control)
    if not len(controls):
        return annotator_skills(answers, control_truth, classes)
    pooled = _crowd_on_controls(controls, known_truth(controls, control_truth))
    return skills_given(answers, control_truth, pooled)


def skills_given(answers: Answers, control_truth: Mapping[int, int], pooled: float) -> Floats:
    """Skill of each annotator code by control answers, shrunk to a crowd's skill that is given.

    Args:
        answers: usable and control answers.
        control_truth: true class of each control task, by row.
        pooled: the crowd's skill.
    """
    controls = answers.where(answers.control)
    people = int(answers.annotator.max(initial=-1)) + 1
    return _shrunk(controls, known_truth(controls, control_truth), pooled, people)


def _crowd_on_controls(controls: Answers, truth: Ints) -> float:
    right = float(np.count_nonzero(controls.label == truth))
    return (right + _PRIOR_ANSWERS * _PRIOR_SKILL) / (len(controls) + _PRIOR_ANSWERS)


def _shrunk(controls: Answers, truth: Ints, pooled: float, people: int) -> Floats:
    right = np.bincount(controls.annotator[controls.label == truth], minlength=people)
    seen = np.bincount(controls.annotator, minlength=people)
    return np.asarray((right + _PRIOR_ANSWERS * pooled) / (seen + _PRIOR_ANSWERS))


def _agreed(votes: Votes, pooled: float) -> Floats:
    """Skills by agreement; an image's only answer tells nothing of its annotator."""
    skill = np.full(votes.people, pooled)
    compared = votes.compared
    row, label = votes.row[compared], votes.answers.label[compared]
    annotator = votes.answers.annotator[compared]
    seen = np.bincount(annotator, minlength=votes.people)
    for _ in range(_ROUNDS if len(row) else 0):
        each = log_odds(skill, votes.classes)[annotator]
        true = softmax(tally(row, label, each, *votes.counts.shape))
        right = np.bincount(annotator, true[row, label], votes.people)
        skill = (right + _PRIOR_AGREED * pooled) / (seen + _PRIOR_AGREED)
    return skill
