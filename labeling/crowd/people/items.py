"""Items: the difficulty of each image, and its distractor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from budget.errors import InputError
from labeling.crowd.scenario import Scenario
from labeling.seeds import stream
from labeling.types import Floats, Ints


@dataclass(frozen=True, slots=True)
class Items:
    """Truth and difficulty of the images, one entry per row of the image index.

    Attributes:
        truth: [n] true class.
        error: [n] chance that an annotator of skill 0 answers wrongly, within [0, 1).
        distractor: [n] the item's own wrong answer, never its truth.
    """

    truth: Ints
    error: Floats
    distractor: Ints

    def __len__(self) -> int:
        return len(self.truth)


def make_items(
    scenario: Scenario,
    truth: ArrayLike,
    classes: int,
    seed: int,
    difficulty: ArrayLike | None = None,
    distractor: ArrayLike | None = None,
) -> Items:
    """Draw item errors ~ Beta(error_a, error_b) * error_scale and distractors, unless given.

    The distractor is a wrong class drawn by the scenario's confusion weights. Each item has its
    own, because two wrong answers to an image agree far more often than class confusion alone
    explains (.37 against .23 on CIFAR-10N).

    Args:
        scenario: the crowd.
        truth: [n] class of each row.
        classes: number of classes C.
        seed: the study's seed.
        difficulty: [n] item error to use instead of a draw, within [0, 1).
        distractor: [n] wrong class of each row to use instead of a draw.

    Raises:
        InputError: a wrong shape, class or value.
    """
    true = np.asarray(truth, dtype=np.int64)
    n = len(true)
    if classes < 2:
        raise InputError(f"items: a question needs at least 2 classes, not {classes}")
    if true.ndim != 1 or (n and (true.min() < 0 or true.max() >= classes)):
        raise InputError(f"items: truth must be one class below {classes} for each row")
    if difficulty is None:
        rng = stream(seed, "items", "error")
        error = rng.beta(scenario.error_a, scenario.error_b, n) * scenario.error_scale
    else:
        error = np.asarray(difficulty, dtype=np.float64)
    if error.shape != (n,) or not bool(np.all((error >= 0) & (error < 1))):
        raise InputError(f"items: difficulty must be {n} numbers of at least 0 and below 1")
    if distractor is None:
        chance = stream(seed, "items", "distractor").random(n)
        other = draw_wrong(true, chance, confusion_steps(scenario, classes))
    else:
        other = np.asarray(distractor, dtype=np.int64)
    if other.shape != (n,) or bool(np.any((other == true) | (other < 0) | (other >= classes))):
        raise InputError(f"items: distractor must be {n} wrong classes below {classes}")
    return Items(true, error, other)


def confusion_steps(scenario: Scenario, classes: int) -> Floats:
    """Cumulative chances of the wrong classes.

    Returns:
        [C, C] row y: running sum of the chances of classes 0, 1, ... given truth y; y itself has
        chance 0.

    Raises:
        InputError: the scenario's confusion table has another number of classes.
    """
    weights = np.ones((classes, classes))
    if scenario.confusion:
        weights = np.array(scenario.confusion)
        if weights.shape != (classes, classes):
            raise InputError(
                f"scenario {scenario.name}: confusion has {len(weights)} classes, the question "
                f"{classes}; give a table of {classes} x {classes} or none"
            )
    np.fill_diagonal(weights, 0.0)
    steps = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    steps[:, -1] = 1.0
    # The sums end at 1 up to rounding. The rest must not fall to the last class if that is the
    # truth: then the last but one ends at 1, too.
    steps[-1, -2:] = 1.0
    return steps


def draw_wrong(truth: Ints, chance: Floats, steps: Floats) -> Ints:
    """Wrong classes by confusion: the first class whose running sum exceeds `chance` in [0, 1)."""
    wrong: Ints = (chance[:, None] >= steps[truth]).sum(axis=1)
    return wrong


def clear_controls(items: Items, controls: ArrayLike, factor: float) -> Items:
    """Items whose control rows have an error multiplied by a factor."""
    error = items.error.copy()
    error[np.asarray(controls, dtype=np.int64)] *= factor
    return replace(items, error=error)
