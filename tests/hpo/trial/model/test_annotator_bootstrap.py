"""Other annotators: people are drawn, and with them all they answered."""

from __future__ import annotations

import numpy as np
import pytest

from hpo.trial.model.annotator_bootstrap import for_purchases, other_annotators, redrawn_share
from labeling.types import Answers
from training.evaluate import Scores


def answers(people: list[int], tasks: list[int]) -> Answers:
    n = len(people)
    return Answers(
        task=np.array(tasks),
        annotator=np.array(people),
        label=np.arange(n) % 2,
        control=np.array(tasks) >= 100,
        usable=np.ones(n, dtype=np.bool_),
    )


GIVEN = answers([7, 7, 7, 3, 3, 9], [0, 1, 100, 0, 2, 1])


def test_an_annotator_comes_with_all_answers_or_with_none() -> None:
    for seed in range(50):
        drawn = other_annotators(GIVEN, np.random.default_rng(seed))
        sizes = [np.count_nonzero(drawn.annotator == who) for who in np.unique(drawn.annotator)]
        assert len(sizes) == 3  # as many people as there were
        assert set(sizes) <= {1, 2, 3}
        for who in np.unique(drawn.annotator):
            tasks = sorted(drawn.task[drawn.annotator == who].tolist())
            assert tasks in ([0, 1, 100], [0, 2], [1])


def test_everybody_is_drawn_once_on_average() -> None:
    rng = np.random.default_rng(0)
    sizes = np.array([len(other_annotators(GIVEN, rng)) for _ in range(2000)])
    error = sizes.std() / np.sqrt(len(sizes))
    assert abs(sizes.mean() - len(GIVEN)) < 3 * error
    assert sizes.std() > 0.5


def test_one_annotator_is_always_drawn() -> None:
    alone = answers([4, 4], [0, 1])
    drawn = other_annotators(alone, np.random.default_rng(1))
    assert drawn.task.tolist() == [0, 1]
    assert len(np.unique(drawn.annotator)) == 1


def test_of_no_annotators_none_is_drawn() -> None:
    assert len(other_annotators(answers([], []), np.random.default_rng(1))) == 0


def half_width(count: int, variance: float) -> float:
    """Of the told interval, where a bootstrap of some answers gave a variance."""
    told = Scores(0.9, 0.0, 1.0, None, None, 0.0, None, (), 400, 0.9 * 0.1 / 400, variance)
    made = for_purchases(told, answers([*range(count)], [*range(count)]))
    return (made.high - made.low) / 2


def test_an_interval_is_for_purchases_not_for_the_bootstrap() -> None:
    assert redrawn_share(np.array(130)) == 1
    assert redrawn_share(np.array(1)) == redrawn_share(np.array(20))  # fewer were not measured
    images = half_width(90, 0.0)
    assert images == pytest.approx(1.96 * (0.9 * 0.1 / 400) ** 0.5, rel=0.01)
    few, many = half_width(65, 4e-4), half_width(99, 4e-4)
    assert few > many > images  # more answers, a smaller share of the same variance
    assert few == pytest.approx((images**2 + 1.96**2 * 2**0.5 * 4e-4) ** 0.5, rel=0.001)
