"""Dynamic overlap: the skills of the annotators decide when a task has enough answers.

Toloka's rule (dynamic overlap of type BASIC). An annotator i with `right` right answers of `judged`
answers to tasks with a known answer has the skill q_i = (K + right) / (2 K + judged) with K = 1/2.
For Y classes and a uniform prior, the likelihood of the answers under the true label z is

    P(answers | z) = prod_i (q_i if i answered z else (1 - q_i) / (Y - 1)).

A task is done when the leading label's share of these likelihoods reaches the rule's confidence, or
when the task has the largest number of answers. The functions are pure; a running score serves many
tasks at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from budget.errors import InputError
from labeling.types import Bools, DynamicOverlap, Floats, Ints

_K = 0.5
_EDGE = 1e-9  # a skill of exactly 0 or 1 gives some answers the likelihood 0
_FORM = re.compile(r"dynamic\(\s*([^,]+?)\s*,\s*([^,]+?)\s*,\s*([^,)]+?)\s*\)")


def skill_of(right: ArrayLike, judged: ArrayLike) -> Floats:
    """Skill from answers to control and exam tasks; 1/2 without such answers."""
    return (_K + np.asarray(right, dtype=np.float64)) / (2 * _K + np.asarray(judged))


def votes(labels: Ints, skill: ArrayLike, classes: int) -> Floats:
    """Log-likelihood, up to a constant, that each answer adds to the score of each label.

    Args:
        labels: [A] class indices.
        skill: a number, or [A], within [0, 1].
        classes: number of classes Y.

    Returns:
        [A, Y] ln(q (Y - 1) / (1 - q)) at the answered label, else 0.
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
    """Probability of each label of one task, given its answers and its annotators' skills.

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
        answers: [n] number of usable answers of each task.
        score: [n, Y] sums of the votes of these answers.
    """
    sure = posterior(score).max(axis=-1) >= rule.confidence
    done: Bools = (answers >= rule.most) | ((answers >= rule.least) & sure)
    return done


def parse_overlap(text: str) -> int | DynamicOverlap:
    """Read an overlap: "3", or "dynamic(2,5,0.9)" (least, most, confidence).

    Raises:
        InputError: another form, or a number out of range.
    """
    match = _FORM.fullmatch(text.strip())
    try:
        if match is None:
            overlap = int(text)
            if overlap < 1:
                raise ValueError
            return overlap
        least, most, sure = match.groups()
        return DynamicOverlap(int(least), int(most), float(sure))
    except InputError:
        raise
    except ValueError:
        raise InputError(
            f"overlap: {text!r} must be a whole number from 1, or dynamic(least,most,confidence) "
            "such as dynamic(2,5,0.9)"
        ) from None
