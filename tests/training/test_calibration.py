"""A temperature from noisy answers and a few known labels: near the one that is true."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibration import (
    Answered,
    Known,
    answers_loss,
    fit_temperature,
    loss_at_best_temperature,
)
from training.heads import softmax

CLASSES, IMAGES, SKILL = 4, 1500, 0.8
TRUE = 0.4  # logits are those of the truth, divided by 1 / TRUE: a model that is too unsure


def model(rng: np.random.Generator, images: int):
    """Logits of a model whose probabilities are right at temperature TRUE, and true classes."""
    logits = rng.normal(0, 2.5, size=(images, CLASSES))
    truth = (softmax(logits).cumsum(axis=1) < rng.random((images, 1))).sum(axis=1)
    return TRUE * logits, np.minimum(truth, CLASSES - 1)


def answers(rng: np.random.Generator, truth, overlap: int, skill: float = SKILL):
    """Answers of one-coin annotators."""
    row = np.repeat(np.arange(len(truth)), overlap)
    wrong = (truth[row] + rng.integers(1, CLASSES, size=len(row))) % CLASSES
    return row, np.where(rng.random(len(row)) < skill, truth[row], wrong)


NOTHING = Known(np.zeros((0, CLASSES)), np.zeros(0, dtype=np.int64))
UNANSWERED = Answered(
    np.zeros((0, CLASSES)), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
)


def logs(evidence: str, overlap: int = 1, skill: float = SKILL, known: int = 50) -> np.ndarray:
    """ln of the temperatures of 20 data sets."""
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        logits, truth = model(rng, IMAGES)
        answered = Answered(logits, *answers(rng, truth, overlap, skill))
        labelled = Known(*model(rng, known))
        fitted = fit_temperature(
            UNANSWERED if evidence == "known" else answered,
            NOTHING if evidence == "answers" else labelled,
        )
        assert fitted is not None
        found.append(np.log(fitted))
    return np.array(found)


@pytest.mark.parametrize("overlap", [1, 3])
@pytest.mark.parametrize("skill", [0.6, 0.95])
def test_noisy_answers_give_the_true_temperature(overlap, skill):
    """Without a known label and without knowing the skill: mean within 3 standard errors + .03."""
    found = logs("answers", overlap, skill)
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean() - np.log(TRUE)) < 3 * error + 0.03
    assert found.std(ddof=1) < 0.25


def test_answers_taken_for_the_truth_would_leave_the_model_unsure():
    """The fault that this module is for: the best temperature for answers at a skill of .8."""
    rng = np.random.default_rng(0)
    logits, truth = model(rng, IMAGES)
    row, label = answers(rng, truth, 1)
    as_truth = fit_temperature(UNANSWERED, Known(logits[row], label))
    assert as_truth is not None
    assert as_truth > 1.7 * TRUE


def test_known_labels_alone_give_the_true_temperature():
    found = logs("known", known=300)
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean() - np.log(TRUE)) < 3 * error + 0.03


def test_known_labels_correct_answers_that_are_wrong_where_the_model_is_unsure():
    """Hard images mislead people and model alike: answers alone say that the model is surer."""
    apart = {"answers": [], "both": []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        logits, truth = model(rng, IMAGES)
        unsure = softmax(logits / TRUE).max(axis=1) < 0.8
        row, label = answers(rng, truth, 1, skill=0.95)
        guess = logits[row].argmax(axis=1)
        label = np.where(unsure[row] & (rng.random(len(row)) < 0.5), guess, label)
        answered = Answered(logits, row, label)
        for name, known in (("answers", NOTHING), ("both", Known(*model(rng, 300)))):
            apart[name].append(np.log(fit_temperature(answered, known) / TRUE))
    assert abs(np.mean(apart["both"])) < 0.5 * abs(np.mean(apart["answers"]))


def test_no_temperature_without_evidence():
    rng = np.random.default_rng(0)
    assert fit_temperature(UNANSWERED, NOTHING) is None
    logits, truth = model(rng, 5)
    few = Answered(logits, *answers(rng, truth, 1))
    assert fit_temperature(few, NOTHING) is None
    assert fit_temperature(few, Known(*model(rng, 3))) is None


def test_the_same_evidence_gives_the_same_temperature():
    rng = np.random.default_rng(0)
    logits, truth = model(rng, 300)
    answered, known = Answered(logits, *answers(rng, truth, 2)), Known(*model(rng, 20))
    assert fit_temperature(answered, known) == fit_temperature(answered, known)


def test_answers_are_likelier_by_the_better_model_however_sure_it_says_to_be() -> None:
    rng = np.random.default_rng(3)
    logits, truth = model(rng, IMAGES)
    row, label = answers(rng, truth, 1)
    skill = np.full(len(row), SKILL)
    worse = logits + rng.normal(0, 1, logits.shape)
    good, bad = (answers_loss(Answered(each, row, label), skill) for each in (logits, worse))
    assert good < bad - 0.02
    assert answers_loss(Answered(logits / 2, row, label), skill) == pytest.approx(good, abs=0.005)
    # A model that knows nothing leaves the answers at chance.
    empty = Answered(np.zeros_like(logits), row, label)
    assert answers_loss(empty, skill) == pytest.approx(np.log(CLASSES))


def test_the_loss_at_the_best_temperature_does_not_punish_a_model_for_being_too_sure() -> None:
    rng = np.random.default_rng(0)
    logits, truth = rng.normal(size=(400, 3)), rng.integers(0, 3, size=400)
    logits[np.arange(400), truth] += 1.0
    targets, weights = np.eye(3)[truth], rng.uniform(1, 3, size=400)
    loss = loss_at_best_temperature(logits, targets, weights)
    assert loss_at_best_temperature(2 * logits, targets, weights) == pytest.approx(loss, abs=1e-3)
    said = np.log(softmax(logits))[np.arange(400), truth]
    assert 0 <= -np.average(said, weights=weights) - loss < 0.05
    assert loss_at_best_temperature(-logits, targets, weights) > loss + 0.1
