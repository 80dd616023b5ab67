"""Aggregation: closed forms, crowd-kit as a reference, published crowds, and what is refused."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping

import numpy as np
import pytest

from budget.errors import InputError
from labeling.aggregation.methods import CORRELATION, aggregate
from labeling.aggregation.registry import AGGREGATORS
from labeling.aggregation.skills import annotator_skills, crowd_skill, log_odds
from labeling.aggregation.votes import votes_of
from labeling.types import Answers, Floats, Ints, LabelSet
from tests import DATA


def made(rows: list[tuple[int, int, int, bool]]) -> Answers:
    """Usable answers from (task, annotator, label, control)."""
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    numbers = [np.array(column, dtype=np.int64) for column in columns[:3]]
    control = np.array(columns[3], dtype=np.bool_)
    return Answers(*numbers, control, np.ones(len(rows), dtype=np.bool_))


def crowd(
    seed: int, tasks: int = 300, overlap: int = 3, people: int = 30, controls: int = 20
) -> tuple[Answers, Ints, Mapping[int, int]]:
    """A one-coin crowd of 3 classes and skills .4 to .95; answers, truth, control truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(3, size=tasks)
    control_truth = {1000 + n: int(rng.integers(3)) for n in range(controls)}
    skill = rng.uniform(0.4, 0.95, people)

    def vote(person: int, true: int) -> int:
        right = rng.random() < skill[person]
        return int(true if right else (true + rng.integers(1, 3)) % 3)

    rows = [
        (task, int(person), vote(int(person), int(truth[task])), False)
        for task in range(tasks)
        for person in rng.permutation(people)[:overlap]
    ]
    rows += [
        (task, person, vote(person, true), True)
        for task, true in control_truth.items()
        for person in range(people)
    ]
    return made(rows), truth, control_truth


def accuracy(labels: LabelSet, truth: Ints) -> float:
    return float((labels.posterior.argmax(axis=1) == truth[labels.task]).mean())


# --- refusals ------------------------------------------------------------------------------------


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        InputError, match="'glad' is not known; valid are weighted, majority, dawid-skene, auto"
    ):
        aggregate(made([(0, 0, 1, False)]), [0], 2, "glad", {})


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_beyond_the_classes_is_refused(label: int) -> None:
    with pytest.raises(InputError, match=f"label {label} is not one of the 2 classes"):
        aggregate(made([(0, 0, label, False)]), [0], 2, "majority", {})


def test_fewer_than_two_classes_are_refused() -> None:
    with pytest.raises(InputError, match="classes: 1"):
        aggregate(made([(0, 0, 0, False)]), [0], 1, "majority", {})


@pytest.mark.parametrize("method", AGGREGATORS)
def test_a_control_task_without_a_truth_is_refused(method: str) -> None:
    answers = made([(0, 0, 1, False), (77, 0, 1, True)])
    with pytest.raises(InputError, match="control task 77"):
        aggregate(answers, [0], 2, method, {78: 1})


# --- every method --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", AGGREGATORS)
def test_what_every_result_is(method: str) -> None:
    answers, _, control_truth = crowd(1, tasks=60)
    usable = answers.usable & (answers.task != 7)
    answers = Answers(answers.task, answers.annotator, answers.label, answers.control, usable)
    tasks = [9, 7, 3, 500, 0, 59]
    labels = aggregate(answers, tasks, 3, method, control_truth)
    assert labels.task.tolist() == [9, 3, 0, 59]  # the tasks' order; without an answer, no row
    assert labels.answers.tolist() == [3, 3, 3, 3]
    for table in (labels.shares, labels.posterior):
        assert table.shape == (4, 3)
        assert np.isfinite(table).all()
        assert (table >= 0).all()
        np.testing.assert_allclose(table.sum(axis=1), 1.0, atol=1e-12)


@pytest.mark.parametrize("method", AGGREGATORS)
def test_no_answers_give_no_labels(method: str) -> None:
    labels = aggregate(made([]), [1, 2], 3, method, {})
    assert len(labels.task) == 0
    assert labels.shares.shape == labels.posterior.shape == (0, 3)


@pytest.mark.parametrize("method", AGGREGATORS)
def test_the_same_answers_in_another_order_give_the_same_labels(method: str) -> None:
    answers, _, control_truth = crowd(2, tasks=40)
    shuffled = answers.where(np.ones(len(answers), dtype=np.bool_))
    order = np.random.default_rng(0).permutation(len(answers))
    shuffled = Answers(*(getattr(answers, name)[order] for name in Answers.__dataclass_fields__))
    one = aggregate(answers, range(40), 3, method, control_truth)
    two = aggregate(shuffled, range(40), 3, method, control_truth)
    np.testing.assert_allclose(one.posterior, two.posterior, atol=1e-9)
    np.testing.assert_allclose(one.shares, two.shares, atol=1e-12)


@pytest.mark.slow
def test_methods_rank_as_known_where_annotators_vary() -> None:
    """Mean of 10 crowds of 600 tasks: measured gains .050 and .045, standard errors .006."""
    means = {}
    for method in AGGREGATORS:
        results = [crowd(seed, tasks=600, overlap=4) for seed in range(10)]
        means[method] = np.mean(
            [accuracy(aggregate(a, range(600), 3, method, c), truth) for a, truth, c in results]
        )
    assert means["weighted"] > means["majority"] + 0.02
    assert means["dawid-skene"] > means["majority"] + 0.02


# --- the closed forms ----------------------------------------------------------------------------


def test_majority_is_counting() -> None:
    labels = aggregate(
        made([(4, 0, 1, False), (4, 1, 1, False), (4, 2, 0, False)]), [4], 3, "majority", {}
    )
    np.testing.assert_allclose(labels.shares, [[1 / 3, 2 / 3, 0]])
    # one more vote for class 1 than for class 0, and two more than for class 2
    odds = labels.posterior[0]
    assert odds[1] / odds[0] == pytest.approx(odds[0] / odds[2])


def test_weights_follow_the_recommended_formula() -> None:
    # annotator 0: 3 of 4 control answers right; annotator 1: 0 of 2; annotator 2: none seen
    rows = [(10, 0, 1, True), (11, 0, 1, True), (12, 0, 1, True), (13, 0, 0, True)]
    rows += [(10, 1, 0, True), (11, 1, 0, True)]
    every = made([(0, 0, 0, False), (0, 1, 1, False), (0, 2, 1, False), *rows])
    known = dict.fromkeys(range(10, 14), 1)
    m = (3 + 4 * 0.8) / (6 + 4)
    assert crowd_skill(votes_of(every, np.array([0]), 3, known)) == pytest.approx(m)
    expected = np.array([(3 + 4 * m) / 8, (0 + 4 * m) / 6, m])
    np.testing.assert_allclose(annotator_skills(every, known, 3), expected)

    labels = aggregate(every, [0], 3, "weighted", known)
    weights = np.log(expected * 2 / (1 - expected))
    scores = np.array([weights[0], weights[1] + weights[2], 0.0])
    np.testing.assert_allclose(labels.shares[0], scores / scores.sum())
    odds = np.exp(scores / (1 + 2 * CORRELATION))  # three answers to one image
    np.testing.assert_allclose(labels.posterior[0], odds / odds.sum())


def test_nobody_votes_against_a_class() -> None:
    np.testing.assert_allclose(log_odds(np.array([0.0, 0.2, 1 / 3]), 3), 0.01)
    assert log_odds(np.array([0.9]), 2)[0] == pytest.approx(np.log(9))


def test_without_control_tasks_skills_are_read_from_agreement() -> None:
    answers, truth, _ = crowd(3, tasks=900, overlap=4)
    answers = answers.where(~answers.control)
    skill = annotator_skills(answers, {}, 3)
    real = np.array(
        [
            (answers.label == truth[answers.task])[answers.annotator == who].mean()
            for who in range(30)
        ]
    )
    # 120 answers each: standard error .045 at most; shrinking and soft truths add to it
    assert np.abs(skill - real).mean() < 0.05
    assert np.corrcoef(skill, real)[0, 1] > 0.9


@pytest.mark.parametrize("method", AGGREGATORS)
def test_an_only_answer_tells_nothing_of_its_annotator(method: str) -> None:
    """Overlap 1 without control tasks: all annotators count alike, and no class takes over."""
    rng = np.random.default_rng(10)
    truth = rng.integers(3, size=200)
    label = np.where(rng.random(200) < 0.8, truth, (truth + 1) % 3)
    answers = made([(n, n % 20, int(y), False) for n, y in enumerate(label)])
    labels = aggregate(answers, range(200), 3, method, {})
    assert (labels.posterior.argmax(axis=1) == label).all()
    if method != "dawid-skene":  # whose classes have shares of their own
        assert np.ptp(labels.posterior.max(axis=1)) < 1e-9


@pytest.mark.parametrize("method", AGGREGATORS)
def test_annotators_of_one_answer_each_are_aggregated_as_by_majority(method: str) -> None:
    """Unsmoothed, Dawid-Skene falls to chance here: 33 % right where majority has 95 %."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=60)
    rows = []
    for task, true in enumerate(truth):
        for _ in range(3):
            label = true if rng.random() < 0.85 else (true + rng.integers(1, 3)) % 3
            rows.append((task, len(rows), int(label), False))
    answers = made(rows)
    plain = accuracy(aggregate(answers, range(60), 3, "majority", {}), truth)
    # 60 tasks, of which three are ties of three answers: a class each
    assert accuracy(aggregate(answers, range(60), 3, method, {}), truth) >= plain - 0.05


@pytest.mark.parametrize("method", AGGREGATORS)
def test_a_known_skill_of_the_crowd_takes_the_place_of_its_agreement(method: str) -> None:
    rows = [(0, 0, 1, False), (1, 1, 0, False), (1, 2, 1, False), (2, 0, 0, False)]
    labels = aggregate(made(rows), [0, 1, 2], 2, method, {}, skill=0.9)
    by_majority = aggregate(made(rows), [0, 1, 2], 2, "majority", {}, skill=0.9)
    np.testing.assert_allclose(by_majority.posterior[0], [0.1, 0.9])
    np.testing.assert_allclose(labels.posterior[0], [0.1, 0.9], atol=0.04)


def test_without_control_tasks_the_crowds_skill_is_read_from_agreement() -> None:
    answers, truth, _ = crowd(4, tasks=2000, overlap=5, people=200)
    votes = votes_of(answers.where(~answers.control), np.arange(2000), 3, {})
    real = float((votes.answers.label == truth[votes.answers.task]).mean())
    # 20,000 agreements: standard error of a .0035, of p about .0035
    assert crowd_skill(votes) == pytest.approx(real, abs=0.015)


def test_the_posterior_of_majority_is_never_too_sure_when_all_are_alike() -> None:
    """Independent answers say more than those of people: at most .1 too unsure, never too sure."""
    rng = np.random.default_rng(5)
    truth = rng.integers(3, size=4000)
    rows = []
    for task, true in enumerate(truth):
        for person in range(3):
            label = true if rng.random() < 0.7 else (true + rng.integers(1, 3)) % 3
            rows.append((task, person, int(label), False))
    labels = aggregate(made(rows), range(4000), 3, "majority", {})
    confidence = labels.posterior.max(axis=1)
    right = labels.posterior.argmax(axis=1) == truth
    for low, high in ((0.3, 0.5), (0.5, 0.9), (0.9, 1.0)):
        inside = (confidence > low) & (confidence <= high)
        # standard error below sqrt(.25 / 250) = .032 in the smallest bin
        assert -0.05 < right[inside].mean() - confidence[inside].mean() < 0.14


@pytest.mark.parametrize("seed", [6, 7])
def test_shares_are_crowd_kits(seed: int) -> None:
    import pandas as pd
    from crowdkit.aggregation import MajorityVote

    answers, _, control_truth = crowd(seed)
    votes = answers.where(~answers.control)
    frame = pd.DataFrame({"task": votes.task, "worker": votes.annotator, "label": votes.label})
    skills = pd.Series(log_odds(annotator_skills(answers, control_truth, 3), 3))
    for method, given in (("majority", None), ("weighted", skills)):
        with warnings.catch_warnings():  # its own use of pandas
            warnings.simplefilter("ignore")
            theirs = MajorityVote().fit_predict_proba(frame, skills=given)
        ours = aggregate(answers, range(300), 3, method, control_truth)
        np.testing.assert_allclose(
            ours.shares, theirs.loc[ours.task, [0, 1, 2]].to_numpy(), atol=1e-12
        )


# --- Dawid-Skene ---------------------------------------------------------------------------------


def test_dawid_skene_copes_with_classes_that_nobody_gave() -> None:
    answers = made([(0, 0, 1, False), (1, 0, 3, False), (0, 1, 1, False), (90, 1, 1, True)])
    for control_truth in ({90: 1}, {90: 4}):
        labels = aggregate(answers, [0, 1], 6, "dawid-skene", control_truth)
        assert labels.posterior.argmax(axis=1).tolist() == [1, 3]
        assert labels.posterior[:, [0, 2, 5]].max() < 0.1


def test_dawid_skene_is_unmoved_where_all_agree() -> None:
    rows = [(task, who, task % 3, False) for task in range(30) for who in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = aggregate(made(rows), range(30), 3, "dawid-skene", {})
    assert labels.posterior.argmax(axis=1).tolist() == [task % 3 for task in range(30)]
    assert np.isfinite(labels.posterior).all()


def test_dawid_skene_learns_from_control_tasks() -> None:
    # Two of three annotators always swap two classes: only known labels can tell
    rng = np.random.default_rng(9)
    truth = rng.integers(2, size=20)
    rows = [
        (t, p, int(y) if p == 0 else 1 - int(y), False)
        for t, y in enumerate(truth)
        for p in range(3)
    ]
    known = {1000 + n: n % 2 for n in range(60)}
    rows += [(t, p, y if p == 0 else 1 - y, True) for t, y in known.items() for p in range(3)]
    answers = made(rows)
    assert accuracy(aggregate(answers, range(20), 2, "majority", known), truth) == 0.0
    assert accuracy(aggregate(answers, range(20), 2, "dawid-skene", known), truth) == 1.0


# --- published crowds ----------------------------------------------------------------------------

# Majority by crowd-kit 1.4.2, and its unsmoothed Dawid-Skene: right labels, and log-loss.
ANCHORS = {
    "product": (0.8966, 0.9397, 0.37),
    "dog": (0.8116, 0.8426, 1.76),
    "face": (0.6336, 0.6404, 3.66),
    "weather": (0.8467, 0.8400, 2.14),
    "adult2": (0.7658, 0.7688, 1.95),
}


def published(name: str) -> tuple[Answers, Ints, int]:
    """Answers, truth by task (-1 where unknown), and the number of classes."""
    path = DATA / "crowd" / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"{path.name} is not here: set LABELWORTH_DATA")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    answers = made([(int(r["task"]), int(r["worker"]), int(r["label"]), False) for r in rows])
    truth = np.full(int(answers.task.max()) + 1, -1)
    for row in rows:
        if row["gold"]:
            truth[int(row["task"])] = int(row["gold"])
    return answers, truth, int(max(answers.label.max(), truth.max())) + 1


def tie_lottery(shares: Floats, truth: Ints) -> tuple[float, float]:
    """Mean and standard deviation of the accuracy when ties are broken at random."""
    known = truth >= 0
    top = shares[known] >= shares[known].max(axis=1, keepdims=True) - 1e-12
    right = top[np.arange(known.sum()), truth[known]] / top.sum(axis=1)
    return float(right.mean()), float(np.sqrt((right * (1 - right)).sum()) / known.sum())


def log_loss(labels: LabelSet, truth: Ints) -> float:
    known = truth[labels.task] >= 0
    own = labels.posterior[known, truth[labels.task][known]]
    return float(-np.log(np.maximum(own, 1e-6)).mean())


@pytest.mark.parametrize("name", list(ANCHORS))
def test_anchors_on_published_crowds(name: str) -> None:
    answers, truth, classes = published(name)
    majority, dawid_skene, loss = ANCHORS[name]
    tasks = np.unique(answers.task)
    labels = aggregate(answers, tasks, classes, "majority", {})
    mean, deviation = tie_lottery(labels.shares, truth[labels.task])
    assert majority == pytest.approx(mean, abs=max(0.005, 3 * deviation))  # one draw of the ties
    known = truth[tasks] >= 0
    found = {}
    for method in ("weighted", "dawid-skene"):
        labels = aggregate(answers, tasks, classes, method, {})
        found[method] = (labels.posterior.argmax(axis=1) == truth[tasks])[known].mean()
    # Of 300 tasks or more: two answers' worth of ties, and a quarter of a standard error.
    assert found["dawid-skene"] > dawid_skene - 0.012
    assert found["weighted"] > dawid_skene - 0.02
    assert log_loss(labels, truth) < 0.6 * loss


def test_control_tasks_are_worth_points_on_a_published_crowd() -> None:
    """Product, 10 % of the tasks as control tasks: .895 by majority, .930 weighted."""
    answers, truth, classes = published("product")
    control = np.random.default_rng(0).random(len(truth)) < 0.1
    marked = Answers(
        answers.task, answers.annotator, answers.label, control[answers.task], answers.usable
    )
    known = {int(task): int(truth[task]) for task in np.flatnonzero(control)}
    tasks = np.flatnonzero(~control)
    found = {
        method: accuracy(aggregate(marked, tasks, classes, method, known), truth)
        for method in ("majority", "weighted")
    }
    # 7,480 tasks: standard error .0036, and the draw of control tasks
    assert found["majority"] == pytest.approx(0.895, abs=0.01)
    assert found["weighted"] == pytest.approx(0.930, abs=0.012)
