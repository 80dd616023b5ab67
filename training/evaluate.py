"""Scores of predicted probabilities against true labels, with intervals. No score is rounded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Z95 = 1.959963984540054  # 97.5 % quantile of the standard normal
BINS = 15
_BIN_ITEMS = 10  # least items of a bin of the calibration error


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of n test items.

    Attributes:
        accuracy: share of items whose most probable class is the true one.
        low, high: 95 % interval of the accuracy.
        macro_f1: mean F1 over the classes that are true or predicted for at least one item. It,
            `ece` and `balanced_accuracy` are None where items have no true class.
        ece: expected calibration error, 15 bins of equal mass, debiased.
        log_loss: mean -log probability of the true class, nats.
        balanced_accuracy: mean recall over the classes that are true for at least one item.
        per_class_recall: recall of each class; None for a class that no item has.
        n: number of items.
        image_variance: variance of the accuracy over choices of test items.
        label_variance: its variance over redrawn training labels; 0 without redraws.
    """

    accuracy: float
    low: float
    high: float
    macro_f1: float | None
    ece: float | None
    log_loss: float
    balanced_accuracy: float | None
    per_class_recall: tuple[float | None, ...]
    n: int
    image_variance: float = 0.0
    label_variance: float = 0.0


def score(probabilities: Floats, truth: Ints, draws: Floats | None = None) -> Scores:
    """Score probabilities against true labels.

    Args:
        probabilities: [n, C].
        truth: [n] class indices.
        draws: [R, n, C] probabilities of R models trained on resampled labels, or None.

    Returns:
        The scores. The accuracy's interval covers the choice of test items (Wilson) and, where
        draws are given, the choice of training rows; see `accuracy_interval`.

    Raises:
        InputError: no items, shapes that do not fit, a class out of range, or values that are not
            finite.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    truth = np.asarray(truth)
    _check(p, truth)
    n, C = p.shape
    guess = p.argmax(axis=1)
    confusion = np.zeros((C, C))
    np.add.at(confusion, (truth, guess), 1)
    hits, true, said = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    accuracy = float(hits.sum() / n)
    variance = 0.0
    if draws is not None and len(draws) > 1:
        variance = float(np.var((draws.argmax(axis=2) == truth).mean(axis=1), ddof=1))
    low, high = accuracy_interval(accuracy, n, variance)
    recall = [float(h / t) if t else None for h, t in zip(hits, true, strict=True)]
    present = (true + said) > 0
    return Scores(
        accuracy=accuracy,
        low=low,
        high=high,
        macro_f1=float((2 * hits[present] / (true + said)[present]).mean()),
        ece=calibration_error(p, truth),
        log_loss=float(-np.log(np.maximum(p[np.arange(n), truth], 1e-15)).mean()),
        balanced_accuracy=float(np.mean([r for r in recall if r is not None])),
        per_class_recall=tuple(recall),
        n=n,
        image_variance=accuracy * (1 - accuracy) / n,
        label_variance=variance,
    )


def accuracy_interval(accuracy: float, n: int, variance: float = 0.0) -> tuple[float, float]:
    """95 % interval of an accuracy.

    Wilson's score interval ("Probable inference", JASA 22, 1927) has centre m = (p + z^2/2n) / (1 +
    z^2/n) and half width h = z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n). A further, independent
    variance v (of the accuracy over resampled training rows) widens it to m -+ sqrt(h^2 + z^2 v),
    cut at 0 and 1.

    Args:
        accuracy: share of hits p.
        n: number of items.
        variance: v, in squared accuracy units.

    Returns:
        (low, high).
    """
    shrink = 1 + Z95**2 / n
    centre = (accuracy + Z95**2 / (2 * n)) / shrink
    half = Z95 * np.sqrt(accuracy * (1 - accuracy) / n + Z95**2 / (4 * n**2)) / shrink
    half = np.sqrt(half**2 + Z95**2 * variance)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def calibration_error(probabilities: Floats, truth: Ints, bins: int = BINS) -> float:
    """Expected calibration error of the most probable class, freed of most of its bias.

    Items are sorted by confidence and cut into bins of equal mass (Nixon et al., "Measuring
    calibration in deep learning", CVPR workshops 2019). The plain estimate, the mean over items of
    |accuracy - mean confidence| of their bin, is above 0 for any model: a bin's accuracy has noise
    of variance v = accuracy (1 - accuracy) / items. The estimate that a normal redraw of the
    accuracies would give lies above the plain one by about as much as the plain one above the
    truth; twice the plain one minus this mean corrects it (Kumar et al., "Verified uncertainty
    calibration", NeurIPS 2019; with bins of equal mass advised by Roelofs et al., "Mitigating bias
    in calibration error estimation", AISTATS 2022). The mean of a folded normal is known, so
    nothing is drawn.

    Args:
        probabilities: [n, C].
        truth: [n] class indices.
        bins: number of bins; fewer where a bin would hold less than ten items.

    Returns:
        The error, 0 to 1.
    """
    confidence = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == truth
    total = 0.0
    for part in _equal_masses(confidence, bins):
        accuracy = float(hit[part].mean())
        gap = abs(accuracy - float(confidence[part].mean()))
        noise = math.sqrt(accuracy * (1 - accuracy) / len(part))
        total += (2 * gap - _folded_mean(gap, noise)) * len(part)
    return min(1.0, max(0.0, total / len(truth)))


def _folded_mean(mean: float, deviation: float) -> float:
    """Mean of |x| for a normal x."""
    if deviation == 0:
        return abs(mean)
    z = mean / deviation
    density = math.exp(-(z**2) / 2) * math.sqrt(2 / math.pi)
    return deviation * density + mean * math.erf(z / math.sqrt(2))


def paired_difference(
    p_a: Floats, p_b: Floats, truth: Ints, rng: np.random.Generator, draws: int = 2000
) -> tuple[float, float, float]:
    """Accuracy of a minus accuracy of b on the same items, with a paired bootstrap interval.

    An item contributes -1, 0 or 1, so resampling items is a multinomial draw of three counts.

    Args:
        p_a: [n, C] probabilities of a.
        p_b: [n, C] probabilities of b.
        truth: [n] class indices.
        rng: draws the resamples.
        draws: number of resamples.

    Returns:
        (difference, low, high), the interval being the 2.5 and 97.5 % quantiles.
    """
    _check(p_a, truth)
    _check(p_b, truth)
    gain = (p_a.argmax(axis=1) == truth).astype(int) - (p_b.argmax(axis=1) == truth)
    counts = np.array([(gain < 0).sum(), (gain == 0).sum(), (gain > 0).sum()])
    n = len(truth)
    resampled = rng.multinomial(n, counts / n, size=draws)
    differences = (resampled[:, 2] - resampled[:, 0]) / n
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(gain.mean()), float(low), float(high)


def _check(p: Floats, truth: Ints) -> None:
    if p.ndim != 2 or truth.shape != (len(p),) or len(p) == 0:
        raise InputError(
            f"probabilities {p.shape} and true labels {truth.shape} do not fit: "
            "expected [n, classes] and [n] with n > 0"
        )
    if not np.isfinite(p).all():
        raise InputError("probabilities must be finite numbers")
    if truth.min() < 0 or truth.max() >= p.shape[1]:
        raise InputError(f"true labels must be 0 to {p.shape[1] - 1}")


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Items of like confidence.

    Attributes:
        images: how many. confidence: their mean probability of the class said. accuracy: share of
            them that are of that class.
    """

    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class Details:
    """What is behind the scores of n test items.

    Attributes:
        confusion: [C, C] items by true class (rows) and by the class said (columns).
        brier: mean squared distance of the probabilities from the true class, 0 to 2.
        reliability: bins of equal mass by confidence, ascending.
        losses: [n] -log probability of the true class, nats.
    """

    confusion: Ints
    brier: float
    reliability: tuple[ReliabilityBin, ...]
    losses: Floats


def details(probabilities: Floats, truth: Ints, bins: int = BINS) -> Details:
    """Confusion matrix, Brier score, reliability and losses.

    Args:
        probabilities: [n, C].
        truth: [n] class indices.
        bins: number of bins; fewer where a bin would hold less than ten items.

    Raises:
        InputError: as for `score`.
    """
    p, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(truth)
    _check(p, truth)
    said, confidence = p.argmax(axis=1), p.max(axis=1)
    confusion = np.zeros((p.shape[1], p.shape[1]), dtype=np.int64)
    np.add.at(confusion, (truth, said), 1)
    return Details(
        confusion,
        float(((p - np.eye(p.shape[1])[truth]) ** 2).sum(axis=1).mean()),
        tuple(
            ReliabilityBin(
                len(part), float(confidence[part].mean()), float((said == truth)[part].mean())
            )
            for part in _equal_masses(confidence, bins)
        ),
        -np.log(np.maximum(p[np.arange(len(p)), truth], 1e-15)),
    )


def _equal_masses(confidence: Floats, bins: int) -> list[Ints]:
    """Rows of items in bins of equal mass, by confidence."""
    order = np.argsort(confidence, kind="stable")
    return np.array_split(order, max(1, min(bins, len(order) // _BIN_ITEMS)))
