"""Best labels: a good model rights labels, a poor one changes none, and their quality is known."""

from __future__ import annotations

import numpy as np
import pytest

from labeling.aggregation.best_labels import LEAST_POWER, BestLabels, best_labels, with_prior
from labeling.aggregation.methods import aggregate
from labeling.types import Answers, Floats, Ints

CLASSES, IMAGES = 4, 800


def crowd(
    truth: Ints, skill: float, each: int, rng: np.random.Generator, alike: float = 0.0
) -> Answers:
    """Answers of many people of one skill; a share of an image's wrong answers is one class."""
    task = np.repeat(np.arange(len(truth)), each)
    is_right = rng.random(len(task)) < skill
    other = (truth[task] + rng.integers(1, CLASSES, len(task))) % CLASSES
    own = (truth + rng.integers(1, CLASSES, len(truth))) % CLASSES
    wrong = np.where(rng.random(len(task)) < alike, own[task], other)
    label = np.where(is_right, truth[task], wrong)
    people = rng.integers(0, 60, len(task))
    yes = np.ones(len(task), dtype=np.bool_)
    return Answers(task, people, label, ~yes, yes)


def predictions(truth: Ints, right: float, sure: float, rng: np.random.Generator) -> Floats:
    """A model that is right in a share of images and gives its class a probability."""
    said = np.where(
        rng.random(len(truth)) < right,
        truth,
        (truth + rng.integers(1, CLASSES, len(truth))) % CLASSES,
    )
    rest = (1 - sure) / (CLASSES - 1)
    return np.where(said[:, None] == np.arange(CLASSES), sure, rest)


def combined(
    skill: float,
    each: int,
    right: float,
    sure: float,
    seed: int = 0,
    mistakes: float = 1.0,
    alike: float = 0.0,
) -> tuple[BestLabels, Ints, Ints]:
    """Best labels, the labels of the answers alone, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CLASSES, IMAGES)
    answers = crowd(truth, skill, each, rng, alike)
    labels = aggregate(answers, np.arange(IMAGES), CLASSES, "weighted", {})
    model = predictions(truth, right, sure, rng)
    best = best_labels(labels, answers, {}, model, mistakes)
    return best, labels.posterior.argmax(axis=1), truth


@pytest.mark.parametrize("seed", range(3))
def test_a_good_model_rights_labels_and_the_estimate_of_their_quality_holds(seed: int) -> None:
    best, people, truth = combined(skill=0.75, each=1, right=0.9, sure=0.8, seed=seed)
    share = float((best.posterior.argmax(axis=1) == truth).mean())
    assert best.counts
    assert best.power >= LEAST_POWER
    assert share > (people == truth).mean() + 0.08
    # Binomial noise of 800 labels near 0.93 is 0.009; the estimate's own error adds to it.
    assert abs(best.accuracy - share) < 3 * max(best.accuracy_sd, 0.009)
    assert best.answers_accuracy == pytest.approx((people == truth).mean(), abs=0.05)
    assert best.changed == pytest.approx((best.posterior.argmax(axis=1) != people).mean())


def test_a_model_that_is_wrong_and_sure_changes_no_label() -> None:
    best, people, _ = combined(skill=0.8, each=3, right=0.3, sure=0.95)
    assert not best.counts
    assert best.changed == 0
    assert (best.posterior.argmax(axis=1) == people).all()


def test_confidence_is_calibrated_where_people_and_model_err_independently() -> None:
    best, _, truth = combined(skill=0.7, each=2, right=0.85, sure=0.6)
    sure = best.posterior.max(axis=1)
    is_right = best.posterior.argmax(axis=1) == truth
    bins = np.array_split(np.argsort(sure), 8)  # of 100 labels: a standard error of 0.05 at most
    error = sum(len(b) * abs(sure[b].mean() - is_right[b].mean()) for b in bins) / IMAGES
    assert error < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_wrong_answers_that_agree_are_no_proof(seed: int) -> None:
    best, people, truth = combined(0.55, 6, right=0.7, sure=0.6, seed=seed, alike=0.8)
    share = float((best.posterior.argmax(axis=1) == truth).mean())
    assert share > (people == truth).mean() + 0.08
    # As independent mistakes they were thought right: 0.15.
    assert abs(best.accuracy - share) < 0.06


def test_thirty_answers_that_agree_are_certain() -> None:
    answers = crowd(np.zeros(5, dtype=np.int64), 1.0, 30, np.random.default_rng(0))
    labels = aggregate(answers, np.arange(5), CLASSES, "weighted", {})
    best = best_labels(labels, answers, {}, np.full((5, CLASSES), 1 / CLASSES), 1.0)
    assert best.combined[:, 0].min() > 0.99


def test_more_shared_mistakes_make_labels_less_sure_and_change_none() -> None:
    alone, *_ = combined(skill=0.75, each=2, right=0.9, sure=0.8)
    shared, *_ = combined(skill=0.75, each=2, right=0.9, sure=0.8, mistakes=1.6)
    assert 1 - shared.accuracy == pytest.approx(1.6 * (1 - alone.accuracy), rel=0.1)
    assert (shared.posterior.argmax(axis=1) == alone.posterior.argmax(axis=1)).all()


def test_rows_are_probabilities() -> None:
    best, *_ = combined(skill=0.6, each=2, right=0.7, sure=0.7)
    for rows in (best.posterior, best.combined, np.exp(best.prior)):
        assert rows.shape == (IMAGES, CLASSES)
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-9)


def test_a_prior_is_added_to_the_probabilities_of_answers() -> None:
    posterior, model = np.array([[0.8, 0.2]]), np.array([[0.1, 0.9]])
    expected = 0.8 * 0.1 / (0.8 * 0.1 + 0.2 * 0.9)
    assert with_prior(posterior, np.log(model))[0, 0] == pytest.approx(expected)
