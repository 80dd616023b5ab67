"""Skills by agreement with a model: spammers are told where nobody answers the same image."""

from __future__ import annotations

import numpy as np
import pytest

from labeling.aggregation.agreed import agree
from labeling.aggregation.best_labels import best_labels
from labeling.aggregation.methods import aggregate
from labeling.types import Answers, Floats, Ints

CLASSES, IMAGES, PEOPLE, SPAMMERS = 4, 1200, 30, 10


def crowd(rng: np.random.Generator) -> tuple[Answers, Ints]:
    """One answer an image, 40 by each annotator; the first ten annotators answer at random."""
    truth = rng.integers(0, CLASSES, IMAGES)
    people = np.arange(IMAGES) % PEOPLE
    label = np.where(rng.random(IMAGES) < 0.85, truth, (truth + 1) % CLASSES)
    label = np.where(people < SPAMMERS, rng.integers(0, CLASSES, IMAGES), label)
    yes = np.ones(IMAGES, dtype=np.bool_)
    return Answers(np.arange(IMAGES), people, label, ~yes, yes), truth


def model_of(truth: Ints, right: float, rng: np.random.Generator) -> Floats:
    """A model that is right in a share of images, and says so."""
    other = (truth + rng.integers(1, CLASSES, len(truth))) % CLASSES
    said = np.where(rng.random(len(truth)) < right, truth, other)
    return np.where(said[:, None] == np.arange(CLASSES), right, (1 - right) / (CLASSES - 1))


@pytest.mark.parametrize("seed", range(3))
def test_a_model_tells_spammers_at_overlap_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    answers, truth = crowd(rng)
    labels = aggregate(answers, np.arange(IMAGES), CLASSES, "weighted", {})
    model = model_of(truth, 0.7, rng)
    agreed = agree(labels, answers, {}, model)
    skill = agreed.skills()
    # Of 40 answers each: a standard error of .07, shrunk by ten answers of the crowd's skill.
    assert skill[:SPAMMERS].mean() < skill[SPAMMERS:].mean() - 0.25
    assert skill[SPAMMERS:].mean() > 0.65
    assert np.mean(skill[:SPAMMERS] < np.median(skill[SPAMMERS:])) == 1

    apart = best_labels(labels, answers, {}, model, 1.0, agreed)
    alike = best_labels(labels, answers, {}, model, 1.0)
    right = [float((best.combined.argmax(axis=1) == truth).mean()) for best in (apart, alike)]
    assert right[0] > right[1] + 0.01


def test_a_model_that_knows_nothing_tells_nobody_apart() -> None:
    answers, _ = crowd(np.random.default_rng(3))
    labels = aggregate(answers, np.arange(IMAGES), CLASSES, "weighted", {})
    even = np.full((IMAGES, CLASSES), 1 / CLASSES)
    assert np.ptp(agree(labels, answers, {}, even).skills()) < 1e-9


def test_control_answers_count_as_answers_whose_truth_is_known() -> None:
    answers, _ = crowd(np.random.default_rng(4))
    more = Answers(
        np.r_[answers.task, np.full(30, 5000)],
        np.r_[answers.annotator, np.zeros(30, np.int64)],
        np.r_[answers.label, np.zeros(30, np.int64)],
        np.r_[answers.control, np.ones(30, np.bool_)],
        np.r_[answers.usable, np.ones(30, np.bool_)],
    )
    labels = aggregate(answers, np.arange(IMAGES), CLASSES, "weighted", {})
    even = np.full((IMAGES, CLASSES), 1 / CLASSES)
    right, wrong = (agree(labels, more, {5000: true}, even).skills() for true in (0, 1))
    assert right[0] > right[1:].max() + 0.05
    assert wrong[0] < wrong[1:].min() - 0.2


def test_nothing_has_skills_too() -> None:
    answers, _ = crowd(np.random.default_rng(5))
    none = answers.where(np.zeros(IMAGES, dtype=np.bool_))
    labels = aggregate(none, [1], CLASSES, "weighted", {})
    assert len(agree(labels, none, {}, np.empty((0, CLASSES))).skills()) == 0
