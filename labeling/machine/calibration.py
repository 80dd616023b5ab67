"""What a machine's probabilities are worth: estimated, never believed.

Its class shares are corrected on the unlabelled pool, which needs no label. On control tasks it
gets a temperature, an offset for each class, and a lapse: a share of its answers that tell nothing.
A machine that is sure of a wrong class loses its say by the offsets, one whose confidence means
nothing by the temperature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeling.aggregation.votes import softmax
from labeling.types import Floats, Ints

FEWEST_CONTROLS = 100
"""Control tasks below which a machine is not calibrated, and so cannot be mixed with people."""

_PRIOR_SHARE = 10.0  # images of each class that equal shares count for beside the control tasks
_ROUNDS = 200
_CLOSE = 1e-5  # change of a share at which the correction is final
_LEAST = 1e-6  # probability of a class: a machine may say 0, and be wrong
_TEMPERATURE_SD, _OFFSET_SD = 1.0, 1.0  # of ln T, and of a class's offset in nats
_LAPSE = (1.0, 19.0)  # prior answers that lapse, and that do not
_FOLDS = 5
_PRIOR_RIGHT = (2.0, 2.0)  # prior right and wrong answers of a machine


def class_shares(truth: Ints, classes: int) -> Floats:
    """[C] shares of the classes, from control tasks, shrunk to equal shares.

    Args:
        truth: [n] true classes of the control tasks.
        classes: number of classes C.
    """
    counts = np.bincount(truth, minlength=classes) + _PRIOR_SHARE
    return np.asarray(counts / counts.sum())


def prior_corrected(said: Floats, shares: Floats, pool: Floats | None = None) -> Floats:
    """Probabilities whose mean over the pool has the classes' shares.

    Each class gets a factor (Saerens, Latinne and Decaestecker 2002, turned round: there the
    shares are sought, here they are given).

    Args:
        said: [n, C] the machine's probabilities.
        shares: [C] shares of the classes.
        pool: [m, C] its probabilities for the pool, which give the factors; None for `said`.
    """
    seen = np.maximum(said if pool is None else pool, _LEAST)
    factor = np.ones(seen.shape[1])
    for _ in range(_ROUNDS):
        mean = _scaled(seen, factor).mean(axis=0)
        factor *= shares / np.maximum(mean, _LEAST)
        if np.abs(mean - shares).max() < _CLOSE:
            break
    return _scaled(np.maximum(said, _LEAST), factor)


def _scaled(said: Floats, factor: Floats) -> Floats:
    product = said * factor
    return np.asarray(product / product.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True, eq=False)
class MachineCalibration:
    """How a machine's probabilities are to be read.

    Attributes:
        temperature: by which its log probabilities are divided.
        offset: [C] added to them, in nats.
        lapse: share of its answers that tell nothing.
        shares: [C] shares of the classes, which an answer that tells nothing leaves.
    """

    temperature: float
    offset: Floats
    lapse: float
    shares: Floats

    def read(self, said: Floats) -> Floats:
        """[n, C] calibrated probabilities of those that the machine said."""
        scores = np.log(np.maximum(said, _LEAST)) / self.temperature + self.offset
        return np.asarray((1 - self.lapse) * softmax(scores) + self.lapse * self.shares)


def calibrate(said: Floats, truth: Ints, shares: Floats) -> MachineCalibration:
    """The calibration that makes the control tasks' true classes likeliest, given weak priors.

    Args:
        said: [n, C] the machine's probabilities of the control tasks, prior corrected.
        truth: [n] their true classes.
        shares: [C] shares of the classes.
    """
    from scipy.optimize import minimize

    logs, rows = np.log(np.maximum(said, _LEAST)), np.arange(len(truth))
    own = logs[rows, truth]

    def loss(at: Floats) -> tuple[float, Floats]:
        """Negative log posterior, and its gradient in ln T, the logit of the lapse and offsets."""
        cold, lapse, offset = np.exp(-at[0]), 1 / (1 + np.exp(-at[1])), at[2:]
        p = softmax(logs * cold + offset)
        right = p[rows, truth]
        told = (1 - lapse) * right + lapse * shares[truth]
        pull = (1 - lapse) * right / told  # share of each answer that is no lapse
        centred = own - (p * logs).sum(axis=1)
        by_offset = np.bincount(truth, pull, len(offset)) - pull @ p
        by_lapse = ((shares[truth] - right) / told).sum() * lapse * (1 - lapse)
        some, none = _LAPSE
        value = -np.log(told).sum() - some * np.log(lapse) - none * np.log1p(-lapse)
        value += (at[0] / _TEMPERATURE_SD) ** 2 / 2 + (offset @ offset) / _OFFSET_SD**2 / 2
        slope = np.r_[
            cold * (pull @ centred) + at[0] / _TEMPERATURE_SD**2,
            -by_lapse - some * (1 - lapse) + none * lapse,
            -by_offset + offset / _OFFSET_SD**2,
        ]
        return float(value), slope

    start = np.r_[0.0, -3.0, np.zeros(said.shape[1])]
    bounds = [(-3.0, 3.0), (-7.0, 4.0), *[(-8.0, 8.0)] * said.shape[1]]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return MachineCalibration(
        float(np.exp(found[0])), found[2:], float(1 / (1 + np.exp(-found[1]))), shares
    )


def nats_of_coin(accuracy: float, classes: int) -> float:
    """What a label tells of an image's class, in nats, where classes and mistakes are even.

    Args:
        accuracy: share of right labels; below chance it tells nothing.
        classes: number of classes C.
    """
    right = min(max(accuracy, 1 / classes), 1 - _LEAST)
    wrong = 1 - right
    doubt = -right * np.log(right) - wrong * np.log(wrong) + wrong * np.log(classes - 1)
    return float(np.log(classes) - doubt)


def nats_told(said: Floats, truth: Ints, shares: Floats, rng: np.random.Generator) -> float:
    """What a machine's calibrated answer tells of an image's class, in nats, cross-validated.

    Args:
        said: [n, C] the machine's probabilities of the control tasks, prior corrected.
        truth: [n] their true classes.
        shares: [C] shares of the classes, known without it.
        rng: deals the folds.
    """
    fold, told = rng.permutation(len(truth)) % _FOLDS, np.zeros(len(truth))
    for held in range(_FOLDS):
        mine = fold == held
        read = calibrate(said[~mine], truth[~mine], shares).read(said[mine])
        told[mine] = np.log(np.maximum(read[np.arange(mine.sum()), truth[mine]], _LEAST))
    return max(0.0, float((told - np.log(shares[truth])).mean()))


@dataclass(frozen=True, slots=True, eq=False)
class MachineQuality:
    """How good a machine's labels are, on images whose class is known.

    Attributes:
        accuracy: share of right labels, with its 95 % interval low..high.
        recall: [C] share of each class's images that it names; nan without any.
        images: number of images.
    """

    accuracy: float
    low: float
    high: float
    recall: Floats
    images: int


def quality_of(said: Floats, truth: Ints) -> MachineQuality:
    """How good a machine's most probable classes are.

    Args:
        said: [n, C] its probabilities, prior corrected.
        truth: [n] true classes.
    """
    from scipy.stats import beta

    right = said.argmax(axis=1) == truth
    hits, count, classes = int(right.sum()), len(truth), said.shape[1]
    prior_right, prior_wrong = _PRIOR_RIGHT
    low, high = beta.ppf([0.025, 0.975], hits + prior_right, count - hits + prior_wrong)
    seen = np.bincount(truth, minlength=classes)
    recall = np.full(classes, np.nan)
    np.divide(np.bincount(truth[right], minlength=classes), seen, out=recall, where=seen > 0)
    return MachineQuality(hits / max(1, count), float(low), float(high), recall, count)


def worst_class(quality: MachineQuality, names: Sequence[str]) -> tuple[str, float] | None:
    """The class of which a machine finds fewest images, and the share; None without images."""
    if not np.isfinite(quality.recall).any():
        return None
    at = int(np.nanargmin(quality.recall))
    return names[at], float(quality.recall[at])
