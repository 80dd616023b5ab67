"""How people answer, by their control tasks: one coin with a confusion.

A rule that bans for wrong control answers leaves annotators whose control answers were right, by
skill or by luck. A share of right answers among those who are left says too much. So the control
answers of banned annotators count, too: all of them tell how skills are spread, and each annotator
is as good as that spread and the own control answers say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeling.aggregation.votes import softmax
from labeling.types import Bools, Floats, Ints

_COIN = 30.0  # answers that the one-coin model counts for beside people's mistakes
_PRIOR_SKILL, _PRIOR_ANSWERS = 0.8, 4.0
_MEANS = np.linspace(0.06, 0.98, 47)  # mean skills of a crowd that are tried
_ALIKE = 2.0 ** np.arange(9)  # and how alike annotators are: a + b of a beta distribution


@dataclass(frozen=True, slots=True, eq=False)
class ControlTally:
    """Control answers of annotators.

    Attributes:
        right, wrong: [J] of each annotator.
    """

    right: Floats
    wrong: Floats


NOBODY = ControlTally(np.zeros(0), np.zeros(0))


def tally_of(right: Bools, annotator: Ints, people: int) -> ControlTally:
    """Control answers by annotator.

    Args:
        right: [A] whether each answer is right.
        annotator: [A] who gave it, by code.
        people: number of codes J.
    """
    hits = np.bincount(annotator[right], minlength=people).astype(np.float64)
    return ControlTally(hits, np.bincount(annotator[~right], minlength=people).astype(np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class PeopleModel:
    """How people answer.

    Attributes:
        skill: share of right answers.
        mistakes: [C, C] where wrong answers fall, by true class; rows sum to 1, the diagonal is 0.
        error: standard error of the skill.
        each: [J] probability that an answer of each annotator is right, by code.
    """

    skill: float
    mistakes: Floats
    error: float
    each: Floats

    def scores(self, row: Ints, label: Ints, skill: Floats, count: int) -> Floats:
        """[n, C] log likelihood of the answers to each of n images, by its true class.

        Args:
            row: [A] place of each answer's image.
            label: [A] the answers.
            skill: [A] probability that each is right.
            count: number of images n.
        """
        classes = len(self.mistakes)
        skill = np.clip(skill, 1 / classes, 0.999)
        said = np.log((1 - skill)[:, None] * np.maximum(self.mistakes[:, label].T, 1e-4))
        said[np.arange(len(label)), label] = np.log(skill)
        total = np.zeros((count, classes))
        np.add.at(total, row, said)
        return total


@dataclass(frozen=True, slots=True, eq=False)
class Skills:
    """How good annotators are.

    Attributes:
        each: [J] probability that an answer of each is right.
        mean: over the answers that count.
        error: standard error of the mean.
    """

    each: Floats
    mean: float
    error: float

    def at_most(self, mean: float) -> Skills:
        """The same skills where the mean is known to be lower; all err more, in proportion."""
        if mean >= self.mean:
            return self
        more = (1 - mean) / max(1 - self.mean, 1e-9)
        return Skills(1 - (1 - self.each) * more, mean, self.error)


def people_of(label: Ints, truth: Ints, classes: int, skills: Skills | None = None) -> PeopleModel:
    """How people answer, from usable answers to control tasks.

    Args:
        label: [A] the answers.
        truth: [A] true class of each.
        classes: number of classes.
        skills: the annotators'; None to take all answers for one annotator's whom no rule bans.
    """
    wrong = label != truth
    if skills is None:
        hits, misses = float((~wrong).sum()), float(wrong.sum())
        skills = skills_of(ControlTally(np.array([hits]), np.array([misses])), NOBODY, np.ones(1))
    even = (1 - np.eye(classes)) / (classes - 1)
    counts = np.zeros((classes, classes))
    np.add.at(counts, (truth[wrong], label[wrong]), 1.0)
    weight = _COIN * (1 - skills.mean)
    mistakes = (counts + weight * even) / (counts.sum(axis=1, keepdims=True) + weight)
    return PeopleModel(skills.mean, mistakes, skills.error, skills.each)


def skills_of(own: ControlTally, banned: ControlTally, answers: Floats) -> Skills:
    """How good annotators are whose answers count.

    Each spread of skills over the crowd that is tried has a likelihood, that of all control
    answers; the results are averaged over the spreads.

    Args:
        own: control answers of J annotators.
        banned: those of annotators whose answers do not count.
        answers: [J] answers that count, by annotator.
    """
    from scipy.special import betaln

    mean, alike = (axis.ravel() for axis in np.meshgrid(_MEANS, _ALIKE))
    a, b = (mean * alike)[:, None], ((1 - mean) * alike)[:, None]
    right, wrong = np.r_[own.right, banned.right], np.r_[own.wrong, banned.wrong]
    told = (betaln(a + right, b + wrong) - betaln(a, b)).sum(axis=1)
    told += (_PRIOR_ANSWERS * _PRIOR_SKILL - 1) * np.log(mean)
    told += (_PRIOR_ANSWERS * (1 - _PRIOR_SKILL) - 1) * np.log1p(-mean)
    chance = softmax(told[None])[0]
    total = own.right + own.wrong + alike[:, None]
    each = (own.right + a) / total
    part = answers / answers.sum() if answers.any() else np.zeros(len(answers))
    crowd = each @ part if answers.any() else mean
    within = (each * (1 - each) / (total + 1)) @ part**2
    skill = float(chance @ crowd)
    error = float(np.sqrt(chance @ (within + (crowd - skill) ** 2)))
    return Skills(np.asarray(chance @ each), skill, error)
