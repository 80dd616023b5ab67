"""`--aggregation auto`: the aggregator that makes left-out answers likeliest."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.crowds import measure, read
from labeling.aggregation.choice import fit_of
from labeling.aggregation.methods import aggregate
from labeling.aggregation.votes import votes_of
from labeling.types import Answers
from tests import DATA

TASKS, PEOPLE, CLASSES = 400, 10, 4


def crowd(confused: bool, overlap: int, seed: int = 1) -> Answers:
    """Skills of .5 to .95; or half of the people take class 1 for class 0, and 3 for 2."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(CLASSES, size=TASKS)
    people = np.stack([rng.permutation(PEOPLE)[:overlap] for _ in range(TASKS)])
    skill = np.full(PEOPLE, 0.85) if confused else np.linspace(0.5, 0.95, PEOPLE)
    task = np.repeat(np.arange(TASKS), overlap)
    person, true = people.ravel(), np.repeat(truth, overlap)
    other = (true + rng.integers(1, CLASSES, size=len(task))) % CLASSES
    label = np.where(rng.random(len(task)) < skill[person], true, other)
    if confused:
        label = np.where((true % 2 == 1) & (person % 2 == 0), true - 1, label)
    no = np.zeros(len(task), dtype=np.bool_)
    return Answers(task, person, label, no, ~no)


@pytest.mark.parametrize(("confused", "best"), [(True, "dawid-skene"), (False, "weighted")])
def test_the_kind_of_mistakes_decides(confused: bool, best: str) -> None:
    answers = crowd(confused, overlap=4)
    fit = fit_of(votes_of(answers, np.arange(TASKS), CLASSES, {}))
    assert fit.best == best
    assert fit.answers == len(answers)
    auto, same = (aggregate(answers, range(TASKS), CLASSES, m, {}) for m in ("auto", best))
    np.testing.assert_array_equal(auto.posterior, same.posterior)
    np.testing.assert_array_equal(auto.shares, same.shares)


def test_without_a_second_answer_nothing_is_compared_and_the_default_holds() -> None:
    answers = crowd(confused=True, overlap=1)
    fit = fit_of(votes_of(answers, np.arange(TASKS), CLASSES, {}))
    assert (fit.best, fit.answers) == ("weighted", 0)


def test_a_fit_is_that_of_answers_which_were_not_seen() -> None:
    """Answers without any truth are as likely as chance, however many parameters a model has."""
    answers = crowd(confused=False, overlap=3)
    noise = np.random.default_rng(0).integers(CLASSES, size=len(answers))
    random = Answers(answers.task, answers.annotator, noise, answers.control, answers.usable)
    fit = fit_of(votes_of(random, np.arange(TASKS), CLASSES, {}))
    assert max(fit.each.values()) < -np.log(CLASSES) + 0.01


def test_an_annotator_of_one_answer_and_control_answers_is_left_out_with_it() -> None:
    """The last annotator code has control answers alone once its only answer is left out."""
    task = np.array([0, 0, 1, 1, 1, 9, 9])
    person = np.array([0, 1, 0, 1, 2, 0, 2])
    label = np.array([0, 0, 1, 1, 0, 1, 1])
    control = task == 9
    answers = Answers(task, person, label, control, np.ones(len(task), dtype=np.bool_))
    fit = fit_of(votes_of(answers, np.array([0, 1]), 2, {9: 1}))
    assert fit.answers == 5
    assert all(np.isfinite(value) for value in fit.each.values())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most", "controls"), [("dog", 5, 0.1), ("weather", 3, 0.1)])
def test_on_published_crowds_it_is_within_a_point_of_the_best(
    name: str, most: int, controls: float
) -> None:
    path = DATA / "crowd" / f"{name}.csv"
    if not path.exists():
        pytest.skip("published crowds are not at hand")
    found = measure(read(path), most, controls, seed=0)
    columns = [found[method][0] for method in ("weighted", "majority", "dawid-skene")]
    assert found["auto"][0] >= max(columns) - 0.01
