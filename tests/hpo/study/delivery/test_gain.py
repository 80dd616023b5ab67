"""The promise of further answers: large while labels are unsure, nothing once they are sure."""

from __future__ import annotations

import numpy as np
import pytest

from hpo.study.delivery.gain import LEAST_GAIN, promise
from labeling.aggregation.best_labels import BestLabels

IMAGES, CLASSES = 1500, 3


def labels(sure: float, skill: float = 0.8, images: int = IMAGES) -> BestLabels:
    """Best labels that are all alike sure."""
    rest = (1 - sure) / (CLASSES - 1)
    rows = np.tile([sure, rest, rest], (images, 1))
    return BestLabels(rows, rows, np.log(rows), 2.0, True, skill, 0.0, sure, 0.01, sure)


def promised(sure: float, further: int, skill: float = 0.8, adaptive: bool = True) -> float:
    answers = np.ones(IMAGES, dtype=np.int64)
    rng = np.random.default_rng(1)
    return promise(labels(sure, skill), answers, further, adaptive, rng).labels


def test_unsure_labels_promise_much_and_sure_ones_nothing() -> None:
    assert promised(0.7, 2 * IMAGES) > 0.15
    best = promise(
        labels(0.999), np.ones(IMAGES, dtype=np.int64), IMAGES, True, np.random.default_rng(0)
    )
    assert best.points < LEAST_GAIN


def test_one_answer_to_each_image_adds_as_much_as_bayes_rule_says() -> None:
    # An answer for another class (odds 8 : 1 at skill .8 of 3 classes) turns a label of .7
    # (odds .7 : .15): the label is then right with .8 instead of .7 where the truth is asked about.
    sure, skill = 0.7, 0.8
    rest, wrong = (1 - sure) / 2, (1 - skill) / 2
    right = sum(
        max(sure * p0, rest * p1, rest * p2)
        for p0, p1, p2 in ((skill, wrong, wrong), (wrong, skill, wrong), (wrong, wrong, skill))
    )
    error = (right * (1 - right) / IMAGES) ** 0.5 + (sure * (1 - sure) / IMAGES) ** 0.5
    assert promised(sure, IMAGES, skill, adaptive=False) == pytest.approx(
        right - sure, abs=3 * error
    )


def test_people_at_chance_promise_nothing() -> None:
    assert promised(0.7, 3 * IMAGES, skill=1 / CLASSES) == pytest.approx(0.0, abs=0.02)


def test_images_with_all_their_answers_promise_nothing() -> None:
    full = np.full(IMAGES, 8, dtype=np.int64)
    done = promise(labels(0.6), full, 1000, True, np.random.default_rng(0))
    assert done.labels == 0


def test_few_images_promise_as_many_do_whatever_is_drawn() -> None:
    few, each = labels(0.7, images=40), np.ones(40, dtype=np.int64)
    drawn = [promise(few, each, 80, True, np.random.default_rng(s)).labels for s in range(10)]
    assert drawn == pytest.approx([promised(0.7, 2 * IMAGES)] * 10, abs=0.05)
