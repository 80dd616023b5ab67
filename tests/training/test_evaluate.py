"""Scores equal scikit-learn's; intervals cover as often as they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.errors import InputError
from tests.drawn import examples
from training.evaluate import (
    accuracy_interval,
    calibration_error,
    details,
    paired_difference,
    score,
)


def sample(seed, n=300, classes=4):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), size=n)
    truth = np.array([rng.choice(classes, p=row) for row in p])
    return p, truth, rng


@pytest.mark.parametrize(
    ("p", "truth", "message"),
    [
        (np.ones((0, 3)), np.zeros(0, int), "do not fit"),
        (np.ones((2, 3)), np.zeros(3, int), "do not fit"),
        (np.ones((2, 3)), np.array([0, 3]), "0 to 2"),
        (np.full((2, 3), np.nan), np.array([0, 1]), "finite"),
    ],
)
def test_input_that_does_not_fit_is_named(p, truth, message):
    with pytest.raises(InputError, match=message):
        score(p, truth)


@settings(deadline=None, max_examples=examples(30), derandomize=True)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 60), classes=st.integers(2, 6))
def test_scores_equal_scikit_learns(seed, n, classes):
    from sklearn import metrics

    p, truth, _ = sample(seed, n, classes)
    s, guess = score(p, truth), p.argmax(1)
    assert s.accuracy == pytest.approx(metrics.accuracy_score(truth, guess))
    assert s.macro_f1 == pytest.approx(metrics.f1_score(truth, guess, average="macro"))
    recall = metrics.recall_score(
        truth, guess, average=None, labels=range(classes), zero_division=0
    )
    present = np.isin(np.arange(classes), truth)
    assert s.balanced_accuracy == pytest.approx(recall[present].mean())
    assert [r for r in s.per_class_recall if r is not None] == pytest.approx(recall[present])
    assert [r is None for r in s.per_class_recall] == list(~present)
    assert s.log_loss == pytest.approx(metrics.log_loss(truth, p, labels=range(classes)))
    assert 0 <= s.low <= s.accuracy <= s.high <= 1
    assert s.n == n


def test_calibration_error_by_hand():
    from scipy.stats import foldnorm

    confidence = np.repeat([0.6, 0.9], 10)
    p = np.stack([confidence, 1 - confidence], 1)
    truth = np.array([0] * 10 + [0] * 5 + [1] * 5)
    # two bins: all of ten right at .6, five of ten right at .9, whose share has noise sqrt(.025)
    noise = np.sqrt(0.5 * 0.5 / 10)
    redrawn = foldnorm.mean(0.4 / noise, scale=noise)
    assert calibration_error(p, truth, bins=2) == pytest.approx((0.4 + 2 * 0.4 - redrawn) / 2)


def calibrated_coins(rng: np.random.Generator, n: int, too_sure: float):
    """Two classes; the more probable one is right less often than its probability says."""
    confidence = 0.7 + 0.3 * rng.beta(4, 2, size=n)
    truth = (rng.random(n) >= confidence - too_sure).astype(np.int64)
    return np.stack([confidence, 1 - confidence], 1), truth


def test_calibration_error_loses_most_of_the_bias_of_the_plain_one():
    """Mean over 400 test sets of 400 items: standard errors below .001.

    The plain estimate of a calibrated model is the mean |noise| of 15 bins, .8 of its deviation.
    """
    rng = np.random.default_rng(5)
    found = {
        gap: np.mean([calibration_error(*calibrated_coins(rng, 400, gap)) for _ in range(400)])
        for gap in (0.0, 0.1, 0.2)
    }
    p, _ = calibrated_coins(rng, 100_000, 0.0)
    plain = np.sqrt(2 / np.pi) * np.mean(np.sqrt(p[:, 0] * p[:, 1] / (400 / 15)))
    assert found[0.0] < 0.7 * plain
    assert found[0.1] == pytest.approx(0.1, abs=0.01)
    assert found[0.2] == pytest.approx(0.2, abs=0.01)


def test_calibration_error_of_few_items_takes_fewer_bins():
    p, truth = calibrated_coins(np.random.default_rng(6), 19, 0.0)
    whole = abs((truth == 0).mean() - p[:, 0].mean())
    assert calibration_error(p, truth) == calibration_error(p, truth, bins=1) <= whole


def test_calibrated_probabilities_have_little_error_and_sharpened_ones_much():
    p, truth, _ = sample(1, 20_000)
    sharp = p**4 / (p**4).sum(1, keepdims=True)
    # each bin of 1,333 items has standard error <= .0137, E|error| = .8 of it
    assert calibration_error(p, truth) < 0.02
    assert calibration_error(sharp, truth) > 0.1


def test_wilson_interval_is_the_published_one():
    # Newcombe 1998, table I: 81 of 263 gives .2553 to .3662, 0 of 20 gives 0 to .1611
    assert accuracy_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert accuracy_interval(0.0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_interval_with_draws_covers_test_items_and_training_rows():
    # Truth: a model's accuracy is N(.9, .02^2); 400 items. The interval should hold .9 in 95 %
    # of 1,000 repetitions (standard error .7 %); without the draws it holds it much more rarely.
    rng = np.random.default_rng(0)
    seen = rng.binomial(400, np.clip(rng.normal(0.9, 0.02, size=1000), 0, 1)) / 400
    held = {v: 0 for v in (0.0, 0.02**2)}
    for accuracy in seen:
        for variance in held:
            low, high = accuracy_interval(accuracy, 400, variance)
            held[variance] += low <= 0.9 <= high
    assert 925 <= held[0.02**2] <= 975
    assert held[0.0] < 900


def test_draws_widen_the_interval():
    p, truth, rng = sample(2)
    draws = np.stack([rng.dirichlet(np.ones(4), size=300) * 0.3 + p for _ in range(50)])
    plain, wide = score(p, truth), score(p, truth, draws)
    assert wide.low < plain.low < plain.high < wide.high
    same = score(p, truth, np.repeat(p[None], 10, axis=0))
    assert (same.low, same.high) == (plain.low, plain.high)


def test_paired_difference_is_exact_and_its_interval_covers():
    # a is right with .85, b with .80, independent: true difference .05; 300 repetitions of 500
    # items, 95 % nominal, standard error of the coverage 1.3 %.
    rng = np.random.default_rng(3)
    truth, held = np.zeros(500, dtype=np.int64), 0
    for _ in range(300):
        a, b = ((rng.random(500) < q).astype(float) for q in (0.85, 0.80))
        p_a, p_b = np.stack([a, 1 - a], 1), np.stack([b, 1 - b], 1)
        difference, low, high = paired_difference(p_a, p_b, truth, rng)
        assert difference == pytest.approx(a.mean() - b.mean())
        held += low <= 0.05 <= high
    assert 0.91 <= held / 300 <= 0.99


def test_a_model_does_not_differ_from_itself():
    p, truth, rng = sample(4)
    assert paired_difference(p, p, truth, rng) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_details_equal_scikit_learns(seed):
    from sklearn.metrics import brier_score_loss, confusion_matrix

    rng = np.random.default_rng(seed)
    p, truth = rng.dirichlet(np.ones(4), size=230), rng.integers(4, size=230)
    found = details(p, truth)
    expected = confusion_matrix(truth, p.argmax(axis=1), labels=range(4))
    np.testing.assert_array_equal(found.confusion, expected)
    brier = brier_score_loss(truth, p, labels=range(4), scale_by_half=False)
    assert found.brier == pytest.approx(brier)
    assert found.losses.mean() == pytest.approx(score(p, truth).log_loss)


def test_reliability_bins_hold_all_items_by_confidence():
    rng = np.random.default_rng(0)
    p, truth = rng.dirichlet(np.ones(3), size=151), rng.integers(3, size=151)
    bins = details(p, truth).reliability
    assert len(bins) == 15
    assert sum(part.images for part in bins) == 151
    confidences = [part.confidence for part in bins]
    assert confidences == sorted(confidences)
    hits = sum(part.accuracy * part.images for part in bins)
    assert hits == pytest.approx((p.argmax(axis=1) == truth).sum())
    assert len(details(p[:7], truth[:7]).reliability) == 1


def test_details_of_items_without_a_class_are_refused():
    with pytest.raises(InputError, match="true labels must be 0 to 1"):
        details(np.full((2, 2), 0.5), np.array([0, -1]))
