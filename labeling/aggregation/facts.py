"""Facts of labels and answers that views filter by: skills, times, confidence, agreement.

Values are rounded to the digits of a label version's tables. So a view keeps the same rows in a
trial and in the version saved from that trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from labeling.aggregation.skills import annotator_skills
from labeling.types import Answers, Bools, Floats, Ints, LabelSet

SHARE_DIGITS, SECOND_DIGITS, MINUTE_DIGITS = 6, 3, 4


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """Skill and times of each answer, rounded to the digits of a label version.

    Attributes:
        skill: [A] the annotator's skill; nan for a question without right answers.
        seconds: [A] working time of the answer.
        submitted: [A] minutes from the opening of the order's pool to submission.
    """

    skill: Floats
    seconds: Floats
    submitted: Floats


def answer_facts(
    answers: Answers,
    control_truth: Mapping[int, int] | None,
    classes: int,
    seconds: Floats,
    submitted_s: Floats,
) -> AnswerFacts:
    """The facts of a label set's answers.

    Args:
        answers: the answers behind the labels, control answers included.
        control_truth: true class of each control task; None for a subjective question.
        classes: number of classes.
        seconds: [A] working time per answer.
        submitted_s: [A] seconds from the opening of the pool to submission.
    """
    skill = np.full(len(answers), np.nan)
    if control_truth is not None and len(answers):
        skill = annotator_skills(answers, control_truth, classes)[answers.annotator]
    return AnswerFacts(
        np.round(skill, SHARE_DIGITS),
        np.round(seconds, SECOND_DIGITS),
        np.round(submitted_s / 60, MINUTE_DIGITS),
    )


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """Columns of labels for views, one entry per row of a label set.

    Attributes:
        label: [N] code of the most probable class.
        confidence: [N] probability of this class, rounded to the digits of a label version.
        agreement: [N] share of usable answers with this class, rounded likewise.
        tied: [N] whether another class is as probable, in the digits of a label version.
    """

    label: Ints
    confidence: Floats
    agreement: Floats
    tied: Bools


def label_facts(labels: LabelSet, answers: Answers) -> LabelFacts:
    """The facts of aggregated labels, given the answers behind them."""
    best = labels.posterior.argmax(axis=1)
    by_task = np.argsort(labels.task)
    votes = answers.where(answers.usable & ~answers.control & np.isin(answers.task, labels.task))
    row = by_task[np.searchsorted(labels.task, votes.task, sorter=by_task)]
    agreeing = np.bincount(row[votes.label == best[row]], minlength=len(best))
    given = np.bincount(row, minlength=len(best))
    rounded = np.round(labels.posterior, SHARE_DIGITS)
    top = rounded.max(axis=1, initial=0.0)
    return LabelFacts(
        best,
        top,
        np.round(agreeing / np.maximum(given, 1), SHARE_DIGITS),
        (rounded == top[:, None]).sum(axis=1) > 1,
    )
