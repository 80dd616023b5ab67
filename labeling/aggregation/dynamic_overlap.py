"""Dynamic overlap: the skills of the annotators decide when a task has enough answers.

Toloka's rule (dynamic overlap of type BASIC). An annotator i with `right` right answers of `judged`
answers to tasks with a known answer has the skill q_i = (K + right) / (2 K + judged) with K = 1/2.
For Y classes and a uniform prior, the likelihood of the answers under the true label z is

    P(answers | z) = prod_i (q_i if i answered z else (1 - q_i) / (Y - 1)).

A task is done when the leading label's share of these likelihoods reaches the rule's confidence, or
when the task has the largest number of answers. The functions are pure; a running score serves many
tasks at once: `Ballots`.
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


class Ballots:
    """Usable answers per task and their votes.

    A vote is weighed by the annotator's skill at submission. A ban removes the annotator's votes.
    Submitted suites stay; the ballots decide only which answers are still asked.
    """

    def __init__(self, rule: DynamicOverlap, rows: int, classes: int) -> None:
        self._rule = rule
        self._classes = classes
        self._score = np.zeros((rows, classes))
        self._answers = np.zeros(rows, dtype=np.int64)
        self._active = np.zeros(rows, dtype=np.int64)
        self._most = np.zeros(rows, dtype=np.int64)

    def extend(self, rows: int) -> None:
        """Append rows."""
        self._score = np.concatenate((self._score, np.zeros((rows, self._classes))))
        for name in ("_answers", "_active", "_most"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate((column, np.zeros(rows, dtype=np.int64))))

    def allow(self, tasks: Ints, further: Ints) -> None:
        """Allow an order's further usable answers on its tasks."""
        self._most[tasks] = np.minimum(self._answers[tasks] + further, self._rule.most)

    def opened(self, tasks: Ints) -> None:
        """Count tasks on a page that an annotator opened."""
        self._active[tasks] += 1

    def given_up(self, tasks: Ints) -> None:
        """Remove tasks of a page that was handed back or expired."""
        self._active[tasks] -= 1

    def submitted(self, tasks: Ints, labels: Ints, skill: float) -> None:
        """Count the votes of a page that an annotator of this skill submitted."""
        self._active[tasks] -= 1
        self._answers[tasks] += 1
        self._score[tasks] += votes(labels, skill, self._classes)

    def withdrawn(self, tasks: Ints, labels: Ints, skill: float) -> None:
        """Remove the votes of a page whose annotator is banned."""
        # The skill must be the skill at submission: else a part of the votes stays in the score.
        self._answers[tasks] -= 1
        self._score[tasks] -= votes(labels, skill, self._classes)

    def due(self, tasks: Ints, asked: Ints) -> Ints:
        """Tasks that need one more answer now: not sure enough, and no answer is under way.

        Args:
            tasks: [n] rows, all different.
            asked: [n] answers in the queue for each task.
        """
        # One answer at a time: each may settle the task, and answers under way might do so already.
        waiting = (asked > 0) | (self._active[tasks] > 0)
        return tasks[(self.lacking(tasks) > 0) & ~waiting]

    def lacking(self, tasks: Ints) -> Ints:
        """Further usable answers [n] to ask for: up to the least at once, then one by one."""
        answers, most = self._answers[tasks], self._most[tasks]
        done = enough(self._rule, answers, self._score[tasks])
        wanted = np.minimum(np.maximum(self._rule.least, answers + 1), most)
        lacking: Ints = np.where(done, 0, np.maximum(wanted - answers, 0))
        return lacking


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
