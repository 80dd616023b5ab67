"""By bought test labels the interval of an accuracy covers the truth, as often as it says."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpo.data.dataset import load
from hpo.settings.config import make_config
from hpo.study.delivery.measuring import buy_tests
from hpo.trial.evaluate import run_trial, score_on
from hpo.trial.truth.bought import BoughtTests, bought_tests, wrong_labels
from hpo.trial.truth.corrected import corrected_scores
from hpo.trial.world import build
from labeling.aggregation.methods import aggregate
from labeling.types import Answers, LabelPlan
from tests.unlabelled import few_known, truth_of
from training.features import extract
from training.fit import train
from training.images import index_array

pytestmark = pytest.mark.statistics
SEEDS = 40


def check(found: np.ndarray, most_wide: float) -> None:
    """Rows of true accuracy, accuracy told, low, high; nominal coverage within two errors."""
    true, told, low, high = found.T
    covered = ((low <= true) & (true <= high)).mean()
    print(f"covered {covered:.3f}, mean {told.mean():.3f} of {true.mean():.3f}")
    print(f"width {(high - low).mean():.3f}, error {np.sqrt(((told - true) ** 2).mean()):.3f}")
    assert covered >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / len(found))
    assert abs((told - true).mean()) <= 2 * (told - true).std() / np.sqrt(len(found)) + 0.01
    assert (high - low).mean() <= most_wide  # an interval from 0 to 1 covers everything


@pytest.mark.parametrize(("scenario", "most_wide"), [("default", 0.25), ("hard-items", 0.35)])
def test_on_simulated_people(scenario: str, most_wide: float, tmp_path: Path) -> None:
    ground = few_known(tmp_path, 1560, 60)
    found = []
    for seed in range(SEEDS):
        config = make_config({"budget": "50", "seed": seed, "scenario": scenario, **ground})
        data = load(config)
        truth = truth_of(data.images.names, data.classes)
        folder = tmp_path / f"runs-{scenario}/{seed}"
        folder.mkdir(parents=True)
        # The crowd answers from the true classes, which nothing else gets to see.
        with closing(build(config, folder, replace(data, stand_in=truth))) as world:
            buy_tests(world, lambda doing, note: None)
            assert (tests := bought_tests(world)) is not None
            assert tests.images == 400
            plan = LabelPlan(config.price[0], 1, 0, 300, exam=False)
            _, trained = run_trial(plan, world)
            scores = score_on("final", trained, world, redraws=0)
            others = world.pool[300:]
            said = trained.model.predict(world.features.values[others]).argmax(axis=1)
            true = (said == truth[others]).mean()
        found.append((true, scores.accuracy, scores.low, scores.high))
    check(np.array(found), most_wide)


def _measured(
    labels: np.ndarray, truth: np.ndarray, predicted: np.ndarray, seed: int, overlap: int
) -> tuple[float, float, float, float]:
    """An accuracy by 200 of 400 bought labels and 20 of 40 known ones, from recorded answers."""
    rng = np.random.default_rng(seed)
    order, classes = rng.permutation(len(truth)), predicted.shape[1]
    rows, known = order[:440], order[400:440]
    task = np.repeat(rows, overlap)
    said = np.concatenate([labels[row, rng.permutation(3)[:overlap]] for row in rows])
    nobody = np.zeros(len(task), dtype=np.bool_)
    answers = Answers(task, np.arange(len(task)), said, nobody, ~nobody)
    made = aggregate(answers, rows, classes, "weighted", {})
    best = made.posterior.argmax(axis=1)
    is_known = np.isin(made.task, known)
    wrong = best[is_known] != truth[made.task[is_known]]
    errors = wrong_labels(made, answers, {}, (int(wrong.sum()), len(wrong)))
    code, posterior = np.full(len(truth), -1), np.full((len(truth), classes), np.nan)
    code[made.task], posterior[made.task] = best, made.posterior
    code[known] = truth[known]
    tests = BoughtTests(code, posterior, errors, 400, len(task))
    role = np.concatenate([order[:200], known[:20]])
    scores = corrected_scores(predicted[role], role, np.isin(role, known), tests, None, 1.75)
    rest = order[440:]
    true = float((predicted[rest].argmax(axis=1) == truth[rest]).mean())
    return true, scores.accuracy, scores.low, scores.high


@pytest.mark.parametrize("model", ["head", "errs as people"])
def test_on_recorded_people(model: str, data_folder: Path, tmp_path: Path) -> None:
    file = data_folder / "crowd" / "cifar10n_6k.npz"
    if not file.exists():
        pytest.skip("cifar10n_6k.npz is not among the test data: set LABELWORTH_DATA")
    arrays = np.load(file)
    labels, truth = arrays["label"].astype(np.int64), arrays["clean"].astype(np.int64)
    images = index_array(arrays["x"], [str(row) for row in range(len(truth))])
    if model == "head":
        predicted = _head(extract(images, "patch", None, tmp_path).values, labels)
    else:
        predicted = _as_people(labels, truth)
    found = [_measured(labels, truth, predicted, seed, 3) for seed in range(SEEDS)]
    check(np.array(found), 0.2)


def _head(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A head's predictions, each of a head that has not learned the image's answers."""
    rng = np.random.default_rng(0)
    half = rng.permutation(len(labels)) % 2 == 0
    predicted = np.empty((len(labels), 10))
    for learned in (half, ~half):
        rows = np.flatnonzero(learned)[:600]
        target = np.eye(10)[labels[rows, 0]]
        model = train(values[rows], {"soft": target}, target, np.ones(600), rng)
        predicted[~learned] = model.predict(values[~learned])
    return predicted


def _as_people(labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """A good model, which errs where people err, and half of the time as one of them."""
    rng = np.random.default_rng(0)
    chance = 0.55 + 0.4 * (labels == truth[:, None]).mean(axis=1)
    said = labels[np.arange(len(truth)), rng.integers(0, 3, len(truth))]
    other = (truth + rng.integers(1, 10, len(truth))) % 10
    shares_mistake = (rng.random(len(truth)) < 0.5) & (said != truth)
    wrong = np.where(shares_mistake, said, other)
    return np.asarray(np.eye(10)[np.where(rng.random(len(truth)) < chance, truth, wrong)])
