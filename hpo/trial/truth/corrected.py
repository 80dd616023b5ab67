"""Accuracy by labels that are wrong now and then: corrected for their errors, with their noise.

Let labels be wrong with chance v, and a model with chance u; where the label is wrong, with chance
g(u). A hit is a label that the model's class equals: both are right, or both are wrong and alike,
as a share a of the images is where both are wrong. So hits have the share

    h = 1 - u - v + (1 + a) v g(u),    g(u) = k u / (k u + 1 - u),

with k = 1 where people and model err independently, and k > 1 where they share mistakes. The error
u is the root of this, and its variance has the parts of h over images, of v, of a and of k.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hpo.trial.truth.bought import BoughtTests, WrongLabels
from labeling.types import Bools, Floats, Ints

if TYPE_CHECKING:
    from training.evaluate import Scores

_ALIKE, _ALIKE_SD = 0.4, 0.2  # a: .2 in simulated crowds, .4 to .6 on CIFAR-10N
_SHARED_SD = 0.3  # of k
_HALVINGS = 40


def corrected_scores(
    probabilities: Floats,
    rows: Ints,
    known: Bools,
    tests: BoughtTests,
    draws: Floats | None,
    shared_mistakes: float,
) -> Scores:
    """Scores by known and bought labels; those that need a true class of each image are left out.

    Args:
        probabilities: [n, C].
        rows: [n] rows of the images, each with a label.
        known: [n] whether its label is known.
        tests: the labels.
        draws: [R, n, C] probabilities of models trained on redrawn labels, or None.
        shared_mistakes: how many times as often people and model err together as by chance.
    """
    from training.evaluate import Scores, accuracy_interval

    code, n = tests.code[rows], len(rows)
    hits = probabilities.argmax(axis=1) == code
    bought = ~known
    part = int(bought.sum()) / n
    accuracy, variance, slope = 0.0, 0.0, 1.0
    if known.any():
        right = float(hits[known].mean())
        accuracy += (1 - part) * right
        variance += (1 - part) ** 2 * right * (1 - right) / int(known.sum())
    if bought.any():
        share, count = float(hits[bought].mean()), int(bought.sum())
        right, spread, slope = correct(share, count, tests.errors, shared_mistakes)
        accuracy += part * right
        variance += part**2 * spread
    luck = 0.0
    if draws is not None and len(draws) > 1:
        again = draws.argmax(axis=2) == code
        luck = float(np.var(again.mean(axis=1), ddof=1)) * (1 - part + part * slope) ** 2
    beyond = max(0.0, variance - accuracy * (1 - accuracy) / n)
    low, high = accuracy_interval(accuracy, n, beyond + luck)
    p = np.where(known[:, None], np.eye(probabilities.shape[1])[code], tests.posterior[rows])
    return Scores(
        accuracy=accuracy,
        low=low,
        high=high,
        macro_f1=None,
        ece=None,
        log_loss=float(-(p * np.log(np.maximum(probabilities, 1e-15))).sum(axis=1).mean()),
        balanced_accuracy=None,
        per_class_recall=(None,) * probabilities.shape[1],
        n=n,
        image_variance=max(variance, accuracy * (1 - accuracy) / n),
        label_variance=luck,
    )


def correct(
    share: float, count: int, errors: WrongLabels, shared_mistakes: float
) -> tuple[float, float, float]:
    """Accuracy from a share of hits on bought labels.

    Args:
        share: of hits.
        count: images.
        errors: of the labels.
        shared_mistakes: factor k on the odds of a wrong prediction where the label is wrong.

    Returns:
        The accuracy; its variance; and how much it moves with the share of hits.
    """
    v, k = min(errors.share, 0.5), shared_mistakes

    def together(u: float) -> float:
        return k * u / (k * u + 1 - u)

    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        u = (low + high) / 2
        too_many = 1 - u - v + (1 + _ALIKE) * v * together(u) > share
        low, high = (u, high) if too_many else (low, u)
    u = (low + high) / 2
    scale = (k * u + 1 - u) ** 2
    slope = 1 / max(0.1, 1 - (1 + _ALIKE) * v * k / scale)
    smooth = (share * count + 1) / (count + 2)  # no variance of 0 where all are hits
    parts = (
        math.sqrt(smooth * (1 - smooth) / count),
        (1 - (1 + _ALIKE) * together(u)) * errors.sd,
        v * together(u) * _ALIKE_SD,
        (1 + _ALIKE) * v * u * (1 - u) / scale * _SHARED_SD,
    )
    return 1 - u, sum((slope * part) ** 2 for part in parts), slope
