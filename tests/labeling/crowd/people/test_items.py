"""Items: difficulty and distractors, drawn or given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from budget.errors import InputError
from labeling.crowd.people.items import confusion_steps, draw_wrong, make_items
from labeling.crowd.scenario import load_scenario

DEFAULT = load_scenario("default")
TRUTH = np.arange(3000) % 3


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"truth": [0, 3]}, "truth must be one class below 3"),
        ({"truth": [0, -1]}, "truth must be one class below 3"),
        ({"classes": 1}, "at least 2 classes"),
        ({"difficulty": [0.5]}, "difficulty must be 3 numbers"),
        ({"difficulty": [0.5, 1.0, 0.1]}, "difficulty must be 3 numbers"),
        ({"difficulty": [0.5, float("nan"), 0.1]}, "difficulty must be 3 numbers"),
        ({"distractor": [0, 0, 0]}, "distractor must be 3 wrong classes"),
        ({"distractor": [1, 2, 3]}, "distractor must be 3 wrong classes"),
    ],
)
def test_impossible_items_are_refused(changes: dict[str, object], expected: str) -> None:
    given: dict[str, object] = {"truth": [0, 1, 2], "classes": 3, "seed": 0, **changes}
    with pytest.raises(InputError, match=expected):
        make_items(DEFAULT, **given)  # type: ignore[arg-type]


def test_a_confusion_table_of_another_size_is_refused() -> None:
    two = replace(DEFAULT, confusion=((0.0, 1.0), (1.0, 0.0)))
    with pytest.raises(InputError, match="confusion has 2 classes, the question 3"):
        make_items(two, TRUTH, 3, 0)


def test_what_is_given_is_kept() -> None:
    items = make_items(DEFAULT, [0, 1], 3, 0, difficulty=[0.2, 0.0], distractor=[2, 0])
    assert items.error.tolist() == [0.2, 0.0]
    assert items.distractor.tolist() == [2, 0]
    assert len(items) == 2


def test_same_seed_same_items_and_another_seed_others() -> None:
    one, two = (make_items(DEFAULT, TRUTH, 3, 7) for _ in range(2))
    other = make_items(DEFAULT, TRUTH, 3, 8)
    assert np.array_equal(one.error, two.error)
    assert np.array_equal(one.distractor, two.distractor)
    assert not np.array_equal(one.error, other.error)
    assert np.all(one.distractor != one.truth)


def test_a_single_honest_answer_errs_as_on_cifar10n() -> None:
    items = make_items(DEFAULT, np.zeros(20_000, dtype=int), 10, 0)
    skill = DEFAULT.skill_sd * np.random.default_rng(0).standard_normal(len(items))
    correct = 1 / (1 + items.error / (1 - items.error) * np.exp(-skill))
    # CIFAR-10N: 82.3 % of single answers are right. Standard error here: .14 / sqrt(20,000) = .001.
    assert float(correct.mean()) == pytest.approx(0.823, abs=0.006)


def test_confusion_decides_the_wrong_class_and_never_the_true_one() -> None:
    table = ((0.0, 3.0, 1.0), (1.0, 5.0, 0.0), (0.0, 1.0, 0.0))
    steps = confusion_steps(replace(DEFAULT, confusion=table), 3)
    chance = np.linspace(0, 1, 4000, endpoint=False)
    for true, expected in enumerate(([0, 0.75, 0.25], [1, 0, 0], [0, 1, 0])):
        wrong = draw_wrong(np.full(4000, true), chance, steps)
        assert np.bincount(wrong, minlength=3) / 4000 == pytest.approx(expected, abs=0.001)
