"""Difficulty that follows the images: where classes overlap people err, towards what lies near.

An image is hard when the images around it in feature space belong to other classes. How hard the
hardest and the easiest are stays the scenario's: only which image gets which error follows the
features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from budget.errors import InputError
from labeling.crowd.people.items import make_items
from labeling.crowd.scenario import Scenario
from labeling.types import Floats, Ints

NEIGHBOURS = 10
_CHUNK = 512  # rows whose distances to all others are held at once


def difficulty_from_features(
    features: ArrayLike, truth: ArrayLike, classes: int, scenario: Scenario, seed: int
) -> Floats:
    """Item errors ranked by class overlap in feature space.

    The errors are those that `make_items` draws for the same scenario and seed, dealt out so that
    the image with the largest overlap gets the largest: the marginal is the same to the last item.
    The overlap of an image is ln(d_own / d_other), its mean distances to the nearest images of its
    own class and to the nearest of any other class.

    Args:
        features: [n, D] features of the images, on comparable scales.
        truth: [n] class of each image.
        classes: number of classes C.
        scenario: the crowd.
        seed: the study's seed.

    Returns:
        [n] item errors, for `make_items(..., difficulty=...)`.

    Raises:
        InputError: shapes that do not fit, or fewer than two classes present.
    """
    x, y = _checked(features, truth)
    own, other, _ = _nearest(x, y)
    overlap = np.log(np.maximum(own, 1e-12)) - np.log(np.maximum(other, 1e-12))
    drawn = np.sort(make_items(scenario, y, classes, seed).error)
    error = np.empty_like(drawn)
    error[np.argsort(overlap, kind="stable")] = drawn
    return error


def distractor_from_features(features: ArrayLike, truth: ArrayLike) -> Ints:
    """[n] the class of the nearest image of another class: what the image is taken for.

    Args:
        features: [n, D] features of the images, on comparable scales.
        truth: [n] class of each image.

    Raises:
        InputError: shapes that do not fit, or fewer than two classes present.
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
    """[n] mean distances to the nearest of the own and of other classes; class of the nearest."""
    squares = (x * x).sum(axis=1)
    own, other = np.empty(len(x)), np.empty(len(x))
    nearest = np.empty(len(x), dtype=np.int64)
    for start in range(0, len(x), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(x)))
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
    """[m] mean of the few smallest finite distances of each row; the row is alone without any."""
    few = min(NEIGHBOURS, distance.shape[1])
    smallest = np.partition(distance, few - 1, axis=1)[:, :few]
    known = np.isfinite(smallest)
    count = known.sum(axis=1)
    total = np.where(known, smallest, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)
