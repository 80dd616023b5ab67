"""Hybrid: real item difficulty under simulated annotators.

Recorded answers give the difficulty and the distractor of each image. The annotators, their wages
and their times stay the scenario's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from budget.errors import InputError
from labeling.crowd.fitting.agreement import counts_of
from labeling.crowd.fitting.fit import estimate
from labeling.crowd.fitting.likelihood import FittedCrowd, item_weights
from labeling.crowd.people.items import confusion_steps
from labeling.crowd.scenario import Scenario
from labeling.recorded.recording import Recording
from labeling.seeds import stream
from labeling.types import Floats, Ints


def hybrid_items(
    recording: Recording,
    truth: ArrayLike,
    classes: int,
    seed: int,
    rows: Mapping[int, int] | None = None,
    people: Scenario | None = None,
) -> tuple[Floats, Ints]:
    """Difficulty and distractor of each image, for `make_items(difficulty=, distractor=)`.

    Both are draws from the posterior given the answers, not its most likely values: with three
    answers per image, the most likely values would make all images alike. Images without answers
    are drawn from the prior.

    Args:
        recording: the answers.
        truth: [n] true class of each image.
        classes: number of classes C.
        seed: the study's seed.
        rows: recorded task of each image row that has one; None if rows and tasks are the same.
        people: scenario of the recorded annotators; None fits it to the recording.

    Returns:
        [n] error of an annotator of skill 0, and [n] wrong class.

    Raises:
        InputError: truth does not fit, or (without `people`) too few tasks have two answers.
    """
    true = np.asarray(truth, dtype=np.int64)
    if rows is None:
        if len(true) != len(recording.tasks):
            raise InputError(
                f"{recording.source}: {len(recording.tasks)} tasks for {len(true)} images; give "
                "one task per image, or say which belongs to which"
            )
        rows = {row: row for row in range(len(true))}
    if true.ndim != 1 or (len(true) and not 0 <= true.min() <= true.max() < classes):
        raise InputError(f"items: truth must be one class below {classes} for each image")
    if len(recording.classes) > classes:
        raise InputError(
            f"{recording.source}: {len(recording.classes)} classes, the question has {classes}"
        )
    people = people or estimate(recording)[0]
    counts = np.zeros((len(true), classes), dtype=np.int64)
    where = np.array(list(rows), dtype=np.int64)
    counts[where, : len(recording.classes)] = counts_of(recording)[list(rows.values())]
    return (
        _difficulty(counts, true, people, stream(seed, "hybrid", "difficulty")),
        _distractor(counts, true, people, stream(seed, "hybrid", "distractor")),
    )


def _difficulty(counts: Ints, truth: Ints, people: Scenario, rng: np.random.Generator) -> Floats:
    """A draw [n] from the posterior of each item's error, given its number of right answers."""
    blind = people.spammers + people.careless * people.careless_guess
    sd = people.skill_of_people[1]
    crowd = FittedCrowd(people.error_a, people.error_b, sd, blind, people.distractor_share)
    right = counts[np.arange(len(truth)), truth]
    seen, which = np.unique(np.c_[right, counts.sum(axis=1)], axis=0, return_inverse=True)
    errors, weights = item_weights(crowd, counts.shape[1], seen[:, 0], seen[:, 1])
    steps = np.cumsum(weights, axis=1)[which.ravel()]
    place = (rng.random(len(truth))[:, None] >= steps).sum(axis=1)
    return np.asarray(errors[np.minimum(place, len(errors) - 1)], dtype=np.float64)


def _distractor(counts: Ints, truth: Ints, people: Scenario, rng: np.random.Generator) -> Ints:
    """A draw [n] from the posterior of each item's distractor, given its wrong answers.

    A wrong answer is the distractor with probability s, else class c with weight w_c. So each
    answer c multiplies the odds of the distractor c by (s + (1 - s) w_c) / ((1 - s) w_c).
    """
    classes, share = counts.shape[1], min(people.distractor_share, 0.99)
    if people.confusion and len(people.confusion) != classes:
        raise InputError(
            f"scenario {people.name}: confusion has {len(people.confusion)} classes, the question "
            f"{classes}; give a scenario that was fitted to these classes"
        )
    weight = np.diff(confusion_steps(people, classes), axis=1, prepend=0.0)[truth]
    weight = np.maximum(weight, 1e-6)
    likelier = np.log1p(share / ((1 - share) * weight))
    log = np.log(weight) + counts * likelier
    log[np.arange(len(truth)), truth] = -np.inf
    chance = np.exp(log - log.max(axis=1, keepdims=True))
    steps = np.cumsum(chance / chance.sum(axis=1, keepdims=True), axis=1)
    drawn = (rng.random(len(truth))[:, None] >= steps).sum(axis=1)
    # The sums can end slightly below 1: the last possible class, never the truth, takes the rest.
    last = classes - 1 - np.argmax(np.isfinite(log[:, ::-1]), axis=1)
    wrong: Ints = np.minimum(drawn, last).astype(np.int64)
    return wrong
