"""Probabilities that mean what they say: one temperature for a model that learned noisy labels.

A head trained on soft, noisy answers is less sure than it is right: it predicts answers, not
classes, and its penalty shrinks it further. Logits divided by a temperature below 1 mend this and
leave the most probable class alone (Guo et al., "On calibration of modern neural networks", ICML
2017). A temperature fitted to the answers as if they were true keeps the fault. Two kinds of
evidence are free of it:

- *answers*: an annotator names the model's class c with probability s q_c + (1 - s) (1 - q_c) /
  (C - 1), for held-out probabilities q and a skill s that is fitted along with the temperature.
  Each answer counts for itself: answers on one image share its difficulty, so a likelihood of all
  of them together is wrong. Control answers do not enter: their tasks are easier than others.
- *known labels*: the likelihood of the true labels of images that the model was not trained on.

People err more on images that the model finds hard, which s does not know. So the answers'
temperature is trusted to `DOUBT` in its logarithm, beside its own error, and then serves as the
prior for the known labels. The result is the mean of ln T over the posterior on a grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.heads import softmax

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GRID = np.linspace(np.log(0.1), np.log(3.0), 35)  # ln T; the prior is even over it
# How far ln T by answers lies from ln T by the true labels of the same images, in the mean over
# seeds: -.2 to .3, root mean square .13 over 19 pairs of crowd and plan (`benchmarks.calibration`).
DOUBT = 0.15
WIDEST = 0.35  # posterior deviation of ln T beyond which no temperature is said
_HALVINGS = 16  # of the interval that holds the skill


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """Answers on images that a model was not trained on.

    Attributes:
        logits: [N, C] of the images. row: [A] image of each answer. label: [A] the answer.
    """

    logits: Floats
    row: Ints
    label: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """True labels of images that a model was not trained on.

    Attributes:
        logits: [m, C] of the images. truth: [m] their classes.
    """

    logits: Floats
    truth: Ints


def fit_temperature(answered: Answered, known: Known) -> float | None:
    """The temperature that makes a model's probabilities true.

    Args:
        answered: held-out predictions beside the answers bought.
        known: predictions on images whose true label is known.

    Returns:
        The temperature; None where the evidence leaves it open.
    """
    mean, variance = _by_answers(answered)
    loss = (GRID - mean) ** 2 / 2 / (variance + DOUBT**2)
    for at, log_t in enumerate(GRID):
        p = softmax(known.logits / np.exp(log_t))
        loss[at] -= np.log(_least(p[np.arange(len(p)), known.truth])).sum()
    mean, variance = _moments(loss)
    return float(np.exp(mean)) if variance <= WIDEST**2 else None


def answers_loss(answered: Answered, skill: Floats) -> float:
    """Negative log-likelihood of answers under held-out predictions, nats an answer.

    A model's temperature is at its best: what counts is whom it takes for what, not how sure it
    says to be.

    Args:
        answered: held-out predictions beside the answers bought.
        skill: [A] probability that each answer is right.
    """
    classes = answered.logits.shape[1]
    at = answered.row, answered.label
    losses = []
    for log_t in GRID:
        said = softmax(answered.logits / np.exp(log_t))[at]
        told = skill * said + (1 - skill) * (1 - said) / (classes - 1)
        losses.append(float(-np.log(_least(told)).mean()))
    return min(losses)


def loss_at_best_temperature(logits: Floats, targets: Floats, weights: Floats) -> float:
    """Cross entropy of rows, in nats a row: what a model mistakes counts, not how sure it is.

    Args:
        logits: [N, C] of rows that the model was not trained on.
        targets: [N, C] their soft targets.
        weights: [N] their weights.
    """
    said = [np.log(_least(softmax(logits / np.exp(log_t)))) for log_t in GRID]
    return min(float(-weights @ (targets * log).sum(axis=1)) for log in said) / float(weights.sum())


def _by_answers(answered: Answered) -> tuple[float, float]:
    """Mean and variance of ln T given answers, whose skill is at its best for every T."""
    classes = answered.logits.shape[1]
    if not len(answered.row):
        return _moments(np.zeros_like(GRID))
    # Equal answers to one image have equal terms: they are computed once.
    cells, times = np.unique(answered.row * classes + answered.label, return_counts=True)
    row, label = np.divmod(cells, classes)
    said = np.stack([softmax(answered.logits / np.exp(log_t))[row, label] for log_t in GRID])
    chance = (1 - said) / (classes - 1)
    slope = said - chance
    low, high = np.full((len(GRID), 1), 1 / classes), np.ones((len(GRID), 1))
    # The log-likelihood is concave in the skill: its derivative falls, so halving finds the top.
    for _ in range(_HALVINGS):
        skill = (low + high) / 2
        rising = (slope / _least(chance + skill * slope)) @ times[:, None] > 0
        low, high = np.where(rising, skill, low), np.where(rising, high, skill)
    loss = -np.log(_least(chance + low * slope)) @ times
    # Answers on one image tell of one draw of the image: they count as one.
    return _moments(loss * len(np.unique(row)) / len(answered.row))


def _moments(loss: Floats) -> tuple[float, float]:
    """Mean and variance of ln T, with probabilities exp(-loss) over the grid."""
    weight = np.exp(loss.min() - loss)
    weight /= weight.sum()
    mean = float(weight @ GRID)
    return mean, float(weight @ (GRID - mean) ** 2)


def _least(probability: Floats) -> Floats:
    return np.maximum(probability, 1e-12)
