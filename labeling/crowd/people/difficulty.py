"""Difficulty that follows the images: annotators err where classes overlap in feature space.

An image is hard if its neighbours in feature space belong to other classes. The scenario still
gives the distribution of the errors; the features only decide which image gets which error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from budget.errors import InputError
from labeling.crowd.people.items import make_items
from labeling.crowd.scenario import Scenario
from labeling.types import Floats, Ints

NEIGHBOURS = 10
_CHUNK = 512  # rows per block of the distance matrix


def difficulty_from_features(
    features: ArrayLike, truth: ArrayLike, classes: int, scenario: Scenario, seed: int
) -> Floats:
    """Item errors ranked by class overlap in feature space.

    The errors are those that `make_items` draws for the same scenario and seed, sorted so that the
    image with the largest overlap gets the largest error. So the set of errors stays the same. The
    overlap of an image is ln(d_own / d_other): its mean distances to the nearest images of its own
    class and to the nearest images of other classes.

    Args:
        features: [n, D] features of the images, on comparable scales.
        truth: [n] class of each image.
        classes: number of classes C.
        scenario: the crowd.
        seed: the study's seed.

    Returns:
        [n] item errors, for `make_items(..., difficulty=...)`.

    Raises:
        InputError: shapes that do not fit, or images of fewer than two classes.
    """
    x, y = _checked(features, truth)
    own, other, _ = _nearest(x, y)
    overlap = np.log(np.maximum(own, 1e-12)) - np.log(np.maximum(other, 1e-12))
    drawn = np.sort(make_items(scenario, y, classes, seed).error)
    error = np.empty_like(drawn)
    error[np.argsort(overlap, kind="stable")] = drawn
    return error


def distractor_from_features(features: ArrayLike, truth: ArrayLike) -> Ints:
    """The class [n] of the nearest image of another class, for which annotators take the image.

    Args:
        features: [n, D] features of the images, on comparable scales.
        truth: [n] class of each image.

    Raises:
        InputError: shapes that do not fit, or images of fewer than two classes.
    """
    x, y = _checked(features, truth)
    return _nearest(x, y)[2]


def _checked(features: ArrayLike, truth: ArrayLike) -> tuple[Floats, Ints]:
    x, y = np.asarray(features, dtype=np.float64), np.asarray(truth, dtype=np.int64)
    if x.ndim != 2 or y.shape != x.shape[:1] or not np.isfinite(x).all():
        raise InputError(
            f"features: {x.shape} numbers for {y.shape} classes; give one finite row per image"
        )
    if len(np.unique(y)) < 2:
        raise InputError("features: all images are of one class; overlap needs a second")
    return x, y


def _nearest(x: Floats, y: Ints) -> tuple[Floats, Floats, Ints]:
    """Mean distances [n] to the nearest images of the own class and of other classes.

    The third array [n] is the class of the nearest image of another class.
    """
    squares = (x * x).sum(axis=1)
    own, other = np.empty(len(x)), np.empty(len(x))
    nearest = np.empty(len(x), dtype=np.int64)
    for start in range(0, len(x), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(x)))
        # |a - b|^2 = |a|^2 + |b|^2 - 2 ab, which rounding can leave slightly below 0.
        square = squares[rows, None] + squares - 2 * x[rows] @ x.T
        distance = np.sqrt(np.maximum(square, 0.0))
        same = y[rows, None] == y
        distance[np.arange(len(rows)), rows] = np.inf  # an image is not its own neighbour
        own[rows] = _mean_of_smallest(np.where(same, distance, np.inf))
        apart = np.where(same, np.inf, distance)
        other[rows] = _mean_of_smallest(apart)
        nearest[rows] = y[apart.argmin(axis=1)]
    return own, other, nearest


def _mean_of_smallest(distance: Floats) -> Floats:
    """Mean [m] of the few smallest finite distances of each row; infinite without any."""
    few = min(NEIGHBOURS, distance.shape[1])
    smallest = np.partition(distance, few - 1, axis=1)[:, :few]
    finite = np.isfinite(smallest)
    count = finite.sum(axis=1)
    total = np.where(finite, smallest, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)
