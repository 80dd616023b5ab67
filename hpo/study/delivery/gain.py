"""Whether further answers are worth their money: what they would add, by the labels' own model.

The answers that the rest of the money buys are drawn from the best labels' probabilities and the
crowd's skill, and asked for as they would be bought. The labels that come right thereby are the
gain; a part of it reaches the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpo.trial.purchase import MOST_ANSWERS
from labeling.aggregation.best_labels import BestLabels
from labeling.types import Floats, Ints

LEAST_GAIN = 0.2
"""Accuracy points of the model that the rest of the money has to promise; fewer drown in noise."""

MODEL_SHARE = 0.15
"""Points of the model's accuracy for a point of right labels, near the end of a purchase.

Measured on the default, spam-heavy and ten-class digits: from 1.0 answers an image on."""

_LEAST_DRAWN = 2000  # images: of fewer, some draws each, as one tells little of what is expected
_STEPS = 12  # into which the drawn answers are dealt


@dataclass(frozen=True, slots=True)
class Promise:
    """What further answers are expected to add.

    Attributes:
        labels: share of the labels that come right.
        points: accuracy points of the model.
    """

    labels: float
    points: float


def promise(
    best: BestLabels, answers: Ints, further: int, adaptive: bool, rng: np.random.Generator
) -> Promise:
    """What a number of further answers is expected to add.

    Args:
        best: the best labels today, of N images.
        answers: [N] answers that each has.
        further: number of answers.
        adaptive: whether the least sure images are asked about first; else those with fewest.
        rng: draws true classes and answers.
    """
    draws = -(-_LEAST_DRAWN // len(answers))
    posterior, answers = np.tile(best.combined, (draws, 1)), np.tile(answers, draws)
    classes = posterior.shape[1]
    truth = _draw(posterior, rng)
    right = float((posterior.argmax(axis=1) == truth).mean())
    skill = min(max(best.skill, 1 / classes + 0.01), 0.99)
    odds = np.log(skill * (classes - 1) / (1 - skill))
    left = draws * further
    size = max(1, -(-left // _STEPS))
    while left > 0:
        able = np.flatnonzero(answers < MOST_ANSWERS)
        by = posterior.max(axis=1) if adaptive else answers
        asked = able[np.argsort(by[able], kind="stable")][: min(size, left)]
        if not len(asked):
            break
        is_right = rng.random(len(asked)) < skill
        other = (truth[asked] + rng.integers(1, classes, len(asked))) % classes
        said = np.where(is_right, truth[asked], other)
        posterior[asked] = _told(posterior[asked], said, odds)
        answers[asked] += 1
        left -= len(asked)
    gain = float((posterior.argmax(axis=1) == truth).mean()) - right
    return Promise(gain, 100 * gain * MODEL_SHARE)


def _draw(posterior: Floats, rng: np.random.Generator) -> Ints:
    """A class of each row, by its probabilities."""
    below = posterior.cumsum(axis=1) < rng.random(len(posterior))[:, None]
    drawn: Ints = np.minimum(below.sum(axis=1), posterior.shape[1] - 1)
    return drawn


def _told(posterior: Floats, said: Ints, odds: float) -> Floats:
    """The probabilities after one more answer to each row."""
    scores = np.log(np.maximum(posterior, 1e-12))
    scores[np.arange(len(said)), said] += odds
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
