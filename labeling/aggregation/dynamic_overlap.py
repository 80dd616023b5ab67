"""Dynamic overlap: when a task has answers enough, by the skills of those who answered.

Toloka's rule (dynamic overlap of type BASIC). The skill of annotator i, from `right` of `judged`
answers to tasks with a known answer, is q_i = (K + right) / (2 K + judged) with K = 1/2. With Y
classes and no prior preference the answers have the likelihood, if z is the true label,

    P(answers | z) = prod_i (q_i if i answered z else (1 - q_i) / (Y - 1)).

A task is done when the leading label's share of these likelihoods reaches the confidence asked for,
or when it has the most answers allowed. Pure functions, and a running score for many tasks at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from budget.errors import InputError
from labeling.types import Bools, DynamicOverlap, Floats, Ints

_K = 0.5
_EDGE = 1e-9  # a given skill of 0 or 1 would forbid some answers
_FORM = re.compile(r"dynamic\(\s*([^,]+?)\s*,\s*([^,]+?)\s*,\s*([^,)]+?)\s*\)")


def skill_of(right: ArrayLike, judged: ArrayLike) -> Floats:
    """Skill from answers to control and exam tasks: one half without any evidence."""
    return (_K + np.asarray(right, dtype=np.float64)) / (2 * _K + np.asarray(judged))


def votes(labels: Ints, skill: ArrayLike, classes: int) -> Floats:
    """What each answer adds to the score of each label: its log-likelihood, up to a constant.

    Args:
        labels: [A] class indices.
        skill: a number, or [A], within [0, 1].
        classes: number of classes Y.

    Returns:
        [A, Y] ln(q (Y - 1) / (1 - q)) at the label given, else 0.
    """
    q = np.clip(np.asarray(skill, dtype=np.float64), _EDGE, 1 - _EDGE)
    added = np.zeros((len(labels), classes))
    added[np.arange(len(labels)), labels] = np.log(q * (classes - 1) / (1 - q))
    return added


def posterior(score: Floats) -> Floats:
    """Probability of each label: softmax of the summed votes over the last axis, [..., Y]."""
    likely = np.exp(score - score.max(axis=-1, keepdims=True))
    shares: Floats = likely / likely.sum(axis=-1, keepdims=True)
    return shares


def confidence(labels: Sequence[int] | Ints, skills: ArrayLike, classes: int) -> Floats:
    """Probability of each label of one task, given its answers and who gave them.

    Args:
        labels: [A] class indices.
        skills: [A] the annotators' skills, within [0, 1].
        classes: number of classes Y.

    Returns:
        [Y]; uniform without answers. The largest is the task's confidence.
    """
    given = np.asarray(labels, dtype=np.int64)
    return posterior(votes(given, skills, classes).sum(axis=0))


def enough(rule: DynamicOverlap, answers: Ints, score: Floats) -> Bools:
    """Whether tasks need no further answer.

    Args:
        rule: the pool's setting.
        answers: [n] usable answers each task has.
        score: [n, Y] sums of their votes.
    """
    sure = posterior(score).max(axis=-1) >= rule.confidence
    done: Bools = (answers >= rule.most) | ((answers >= rule.least) & sure)
    return done


def parse_overlap(text: str) -> int | DynamicOverlap:
    """An overlap as a user writes it: "3", or "dynamic(2,5,0.9)" (least, most, confidence).

    Raises:
        InputError: neither of the two, or numbers that cannot be.
    """
    found = _FORM.fullmatch(text.strip())
    try:
        if found is None:
            overlap = int(text)
            if overlap < 1:
                raise ValueError
            return overlap
        least, most, sure = found.groups()
        return DynamicOverlap(int(least), int(most), float(sure))
    except InputError:
        raise
    except ValueError:
        raise InputError(
            f"overlap: {text!r} must be a whole number from 1, or dynamic(least,most,confidence) "
            "such as dynamic(2,5,0.9)"
        ) from None
