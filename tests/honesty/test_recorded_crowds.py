"""Honesty: fitted crowds must predict answers they have not seen, and a wrong model must not.

T3, T4 and T8 of the validation plan, and the fit's acceptance on recorded crowds. Where the data
is absent the tests skip; the negative control also runs on a fixture of parameters. Accuracies
are compared in points: 1 point = .01.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labeling.aggregation.methods import aggregate
from labeling.crowd.fitting import agreement as agree
from labeling.crowd.fitting.fit import estimate
from labeling.crowd.fitting.imitate import blank, imitate
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.recorded.reading import read_recording
from labeling.recorded.recording import Recording
from labeling.seeds import stream
from labeling.types import Answers, Floats

pytestmark = pytest.mark.statistics
SPLITS = 20


def recorded(data_folder: Path, name: str) -> Recording:
    path = data_folder / "crowd" / name
    if not path.exists():
        pytest.skip(f"{name} is not among the test data: set LABELWORTH_DATA")
    return read_recording(path)


def halves(recording: Recording, seed: int) -> tuple[Recording, Recording]:
    """The recording in halves: of annotators where they are known, of tasks where not."""
    unit = recording.task if recording.annotator is None else recording.annotator
    half = stream(seed, "halves").permutation(int(unit.max()) + 1) % 2
    return recording.where(half[unit] == 0), recording.where(half[unit] == 1)


def predicted_curve(scenario: Scenario, like: Recording, most: int, seed: int) -> Floats:
    """Majority-vote curve of a scenario's people on 3,000 new tasks of the same classes."""
    rng = stream(seed, "new tasks")
    truth = rng.choice(like.gold[like.gold >= 0], 3000)
    answers = imitate(scenario, blank(truth, most, len(like.classes)), seed)
    return agree.majority_curve(answers, most, rng)


# --- fit on one half, predict the other ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "most", "strict"),
    [
        ("product.csv", 3, 3),
        ("cifar10n_labels.npz", 3, 3),
        ("dog.csv", 5, 4),
        ("weather.csv", 10, 5),
    ],
)
def test_the_fitted_crowd_predicts_the_other_halfs_majority(
    data_folder: Path, name: str, most: int, strict: int
) -> None:
    """Mean over 20 splits, each used in both directions.

    So what the halves differ by cancels, and a bias of the fit remains. On product a few heavy
    annotators decide a half: single splits are off by 5 to 9 points, and the mean over 20 in one
    direction only has a standard error of 1.3 to 2.2 points.

    Within 1.2 points on product and CIFAR-10N, on dog up to overlap 4 and on weather up to 5;
    beyond, within two standard errors of the held-out curve over the set's 807 or 300 tasks.
    """
    recording = recorded(data_folder, name)
    gaps, held_out = [], []
    for split in range(SPLITS):
        both = halves(recording, split)
        for fitted, other in (both, both[::-1]):
            curve = agree.majority_curve(other, most, stream(split, "held out"))
            scenario, _ = estimate(fitted)
            gaps.append(predicted_curve(scenario, fitted, most, split) - curve)
            held_out.append(curve)
    gap, curve = np.mean(gaps, axis=0), np.mean(held_out, axis=0)
    error = np.sqrt(curve * (1 - curve) / (recording.gold >= 0).sum())
    allowed = np.where(np.arange(most) < strict, 0.012, np.maximum(0.012, 2 * error))
    assert (np.abs(gap) <= allowed).all(), (gap.round(4), allowed.round(4))


def test_t3_one_half_of_the_images_predicts_the_other(data_folder: Path) -> None:
    """CIFAR-10N: majority of 3 within 1.2 points, kappa within .02, cells within 2 points."""
    one, two = halves(recorded(data_folder, "cifar10n_labels.npz"), 0)
    other = imitate(estimate(one)[0], two, 0)
    curves = [agree.majority_curve(r, 3, stream(0, "t3")) for r in (two, other)]
    assert abs(curves[1][2] - curves[0][2]) <= 0.012
    assert agree.fleiss_kappa(other) == pytest.approx(agree.fleiss_kappa(two), abs=0.02)
    cells = [agree.right_cells(r, 3) for r in (two, other)]
    np.testing.assert_allclose(cells[1], cells[0], atol=0.02)


# --- the negative control ------------------------------------------------------------------------


def class_confusion_only(fitted: Recording, like: Recording, seed: int) -> Recording:
    """A generator that is wrong: errors follow the class alone, all images are as hard."""
    classes = len(fitted.classes)
    table = np.zeros((classes, classes))
    np.add.at(table, (fitted.gold[fitted.task], fitted.label), 1)
    steps = np.cumsum(table / table.sum(axis=1, keepdims=True), axis=1)
    chance = stream(seed, "class confusion").random(len(like))
    label = (chance[:, None] >= steps[like.gold[like.task]]).sum(axis=1)
    return replace(like, label=np.minimum(label, classes - 1))


def majority_gaps(one: Recording, two: Recording) -> tuple[float, float]:
    """Points by which the fitted crowd and the negative control miss the majority of three."""
    real, crowd, control = (
        agree.majority_curve(r, 3, stream(0, "t4"))[2]
        for r in (two, imitate(estimate(one)[0], two, 0), class_confusion_only(one, two, 0))
    )
    return 100 * float(crowd - real), 100 * float(control - real)


def test_t4_the_negative_control_fails_on_cifar10n(data_folder: Path) -> None:
    crowd, control = majority_gaps(*halves(recorded(data_folder, "cifar10n_labels.npz"), 0))
    assert abs(crowd) <= 1.2
    assert control > 1.0


def test_t4_the_negative_control_fails_on_parameters() -> None:
    """The same without the data: the crowd fitted to CIFAR-10N stands for it."""
    changes = {
        "careless": 0.0,
        "spammers": 0.0,
        "error_a": 1.05,
        "error_b": 5.6,
        "distractor_share": 0.446,
    }
    real = replace(load_scenario("default"), **changes)  # type: ignore[arg-type]
    truth = np.random.default_rng(0).integers(10, size=20_000)
    answers = imitate(real, blank(truth, 3, 10), 7)
    crowd, control = majority_gaps(*halves(answers, 0))
    # 10,000 tasks a half: standard error of a difference .4 points
    assert abs(crowd) <= 1.2
    assert control > 1.0


# --- the default crowd ---------------------------------------------------------------------------


def test_the_default_crowd_errs_together_as_recorded_people_do(data_folder: Path) -> None:
    """CIFAR-10N's people had passed their requester's rules: so have these, of each kind searched.

    Within .05 in the share of wrong answers that agree, give or take a standard error, and within
    1.5 points in the gain of overlap 3 over 1. Means of eight orders of 6,000 tasks: errors
    of .006 and .1 points. Measured: .33 to .423 beside .372 (the most with exam and three control
    tasks), 8.0 to 10.2 points beside 8.9. Without any rule the crowd errs apart.
    """
    from benchmarks.people import FILES, SEARCHED, Rules, figures, mean_figures

    people = np.mean([figures(recorded(data_folder, name)) for name in FILES], axis=0)
    default = load_scenario("default")
    for rules in SEARCHED:
        crowd = mean_figures(default, 10, rules, seeds=8)
        assert crowd[3] == pytest.approx(people[3], abs=0.05 + 0.006), rules
        assert crowd[2] == pytest.approx(people[2], abs=1.5), rules
    checked = mean_figures(default, 10, Rules(controls=1), seeds=8)
    assert checked[0] == pytest.approx(people[0], abs=0.01)
    assert checked[1] == pytest.approx(people[1], abs=0.01)
    unchecked = mean_figures(default, 10, Rules(fast=False), seeds=8)
    assert unchecked[3] < people[3] - 0.1
    assert unchecked[2] > people[2] + 2


# --- aggregation ---------------------------------------------------------------------------------

METHODS = ("majority", "weighted", "dawid-skene")


def aggregated(recording: Recording, overlap: int, share: float, seeds: int) -> dict[str, float]:
    """Mean accuracy by method at low overlap, with a share of the tasks as control tasks.

    Control tasks keep all their answers. Ties count in part.
    """
    found: dict[str, list[float]] = {method: [] for method in METHODS}
    for seed in range(seeds):
        rng = stream(seed, "aggregation")
        control = rng.random(len(recording.tasks)) < share
        few = agree.shuffled_rank(recording.task, rng) < overlap
        kept = recording.where(few | control[recording.task])
        assert kept.annotator is not None
        everybody = np.ones(len(kept), dtype=np.bool_)
        answers = Answers(kept.task, kept.annotator, kept.label, control[kept.task], everybody)
        truth = {int(task): int(kept.gold[task]) for task in np.flatnonzero(control)}
        for method, results in found.items():
            tasks, classes = np.flatnonzero(~control), len(kept.classes)
            labels = aggregate(answers, tasks, classes, method, truth)
            best = labels.posterior >= labels.posterior.max(axis=1, keepdims=True) - 1e-12
            right = best[np.arange(len(labels.task)), kept.gold[labels.task]]
            results.append(float((right / best.sum(axis=1)).mean()))
    return {method: float(np.mean(results)) for method, results in found.items()}


def test_t8_methods_rank_as_measured(data_folder: Path) -> None:
    """Where annotators vary skill pays; with few answers each, smoothed confusions do no harm.

    Product, 3 answers, 10 % control tasks: .897, .931, .938. Weather, 3 answers, none: .771 by
    counting, .790 by confusion matrices, which are worse than counting without smoothing.
    """
    product = aggregated(recorded(data_folder, "product.csv"), 3, 0.1, seeds=2)
    assert product["majority"] < product["weighted"] < product["dawid-skene"]
    weather = aggregated(recorded(data_folder, "weather.csv"), 3, 0.0, seeds=8)
    assert weather["dawid-skene"] > weather["majority"]


@pytest.mark.parametrize(
    ("name", "overlap", "share", "behind"),
    [
        ("product.csv", 3, 0.1, 0.010),
        ("weather.csv", 3, 0.1, 0.010),
        ("face.csv", 3, 0.2, 0.010),
        ("dog.csv", 3, 0.2, 0.025),  # dog breeds are confused in pairs: a matrix pays here
        ("dog.csv", 5, 0.1, 0.030),
    ],
)
def test_weighted_votes_are_near_the_best_at_low_overlap(
    data_folder: Path, name: str, overlap: int, share: float, behind: float
) -> None:
    """Mean of eight draws of answers and control tasks (two on product)."""
    found = aggregated(recorded(data_folder, name), overlap, share, 2 if "product" in name else 8)
    assert found["weighted"] >= max(found.values()) - behind
    assert found["weighted"] >= found["majority"] - 0.003
