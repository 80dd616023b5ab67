"""Labels for simulated people where none are known: made of a model of the known labels.

A simulated annotator needs a true class to be right or wrong about. Where an image has no label, a
model is fitted to the known ones, its probabilities are calibrated on held-out images, and a class
is drawn from them. The truth lies between two ends. Drawn apart, the labels can be predicted no
better than that model is sure. The likeliest classes can all be learned, as that model knows them.

Where no label is known at all, nothing says what the classes look like. Images that look alike then
form as many groups as there are classes, and each group takes a class's name. That rehearses money,
minutes and every step; the accuracy says nothing about the user's classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpo.data.dataset import Dataset
from hpo.settings.config import StudyConfig
from hpo.settings.rows.unlabelled import LIKELIEST
from labeling.seeds import derive, generator
from labeling.types import Floats, Ints

MADE_UP = "simulated people answer from made-up classes"

_FOLDS = 10
_LEAST = 1e-15


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """What a model of the known labels says of all images.

    Attributes:
        probabilities: [n, C], calibrated; of groups of images that look alike where none is known.
        known: known labels it was fitted to.
        right: share of them that it predicts from the others.
    """

    probabilities: Floats
    known: int
    right: float


def with_stand_ins(
    data: Dataset, config: StudyConfig, features: Callable[[], NDArray[np.float32]]
) -> Dataset:
    """Images with a class for simulated people to answer from, wherever none is known.

    Args:
        data: the images.
        config: the study's configuration.
        features: gives the features of all images.
    """
    used = np.concatenate([rows for rows in data.rows.values()])
    bare = used[data.truth[used] < 0]
    if data.stand_in is not None or not config.market_kind.answers_from_truth or not len(bare):
        return data
    predicted = predict_from_known(data, features(), config.seed)
    note = _note(predicted, bare, config.pool_labels)
    drawn = replace(data, stand_in=stand_ins(predicted, data, config.pool_labels, config.seed))
    return replace(drawn, notes=(*data.notes, note))


def stand_ins(predicted: Predicted, data: Dataset, how: str, seed: int) -> Ints:
    """[n] a class for each image.

    Args:
        predicted: what is known of them.
        data: the images. An image's draw depends on its content alone.
        how: `DRAWN` or `LIKELIEST`.
        seed: the study's.
    """
    p = predicted.probabilities
    if how == LIKELIEST:
        return np.asarray(p.argmax(axis=1))
    chance = np.array([_chance(seed, content) for content in data.images.hashes])
    steps = np.cumsum(p, axis=1)
    steps[:, -1] = 1.0
    return np.asarray((chance[:, None] >= steps).sum(axis=1))


def predict_from_known(data: Dataset, values: NDArray[np.float32], seed: int) -> Predicted:
    """Fit a model to all known labels, and calibrate it on held-out ones.

    Args:
        data: the images.
        values: [n, D] their features.
        seed: the study's; deals the folds.
    """
    from training.calibration import Answered, Known, fit_temperature
    from training.cross_validation import deal_folds, floored, unfloored
    from training.fit import refit, train
    from training.heads import softmax

    known = np.flatnonzero(data.truth >= 0)
    if not len(known):
        return _groups(values, len(data.classes), seed)
    truth, X = data.truth[known], values[known]
    classes = len(data.classes)
    target = np.eye(classes)[truth]
    rng = generator(seed, "stand-ins")
    model = train(X, {"hard": target}, target, np.ones(len(known)), rng, scale=values)
    if model.lam == 0:
        right = float((truth == np.bincount(truth, minlength=classes).argmax()).mean())
        return Predicted(model.predict(values), len(known), right)
    folds = min(_FOLDS, len(known))
    fold = deal_folds(target, folds, rng)
    weights = (fold[None] != np.arange(folds)[:, None]).astype(np.float64)
    held_out = refit(model, X, target, weights, X)[fold, np.arange(len(known))]
    logits = np.log(np.maximum(unfloored(held_out, model.floor), _LEAST))
    nobody = np.zeros(0, dtype=np.int64)
    said = Answered(np.zeros((0, classes)), nobody, nobody)
    temperature = fit_temperature(said, Known(logits, truth)) or 1.0
    p = floored(softmax(model.logits(values) / temperature), model.floor)
    return Predicted(p, len(known), float((logits.argmax(axis=1) == truth).mean()))


def _groups(values: NDArray[np.float32], classes: int, seed: int) -> Predicted:
    from training.groups import look_alikes

    group = look_alikes(values, classes, derive(seed, "look-alikes"))
    return Predicted(np.eye(classes)[group], 0, 0.0)


def _note(predicted: Predicted, bare: Ints, how: str) -> str:
    if not predicted.known:
        return (
            f"No label is known: {MADE_UP}, groups of images that look alike, each under the name "
            "of a class. Money, minutes and every step are rehearsed. The labels and the accuracy "
            "say nothing about your classes: label about 60 images, or buy real answers."
        )
    sure = 100 * float(predicted.probabilities[bare].max(axis=1).mean())
    drawn = (
        f"{len(bare):,} images have no label. For the rehearsal a model of the {predicted.known} "
        "known labels"
    )
    basis = (
        "Simulated people take it for true. The model is right on "
        f"{100 * predicted.right:.0f} % of the known labels by cross-validation."
    )
    if how == LIKELIEST:
        return (
            f"{drawn} takes the likeliest class of each. {basis} Real labels are harder to learn: "
            "accuracies are too high."
        )
    return (
        f"{drawn} draws a class for each. {basis} No model can predict more than {sure:.0f} % of "
        "drawn classes, so the accuracy on real labels may be higher."
    )


def _chance(seed: int, content: str) -> float:
    """A number in [0, 1) of an image's own."""
    digest = hashlib.blake2b(f"{seed}\x1fstand-in\x1f{content}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53
