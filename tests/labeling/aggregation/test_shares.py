"""Shares of opinions: intervals that hold, and scores that know their own noise."""

from __future__ import annotations

import numpy as np
import pytest

from budget.errors import InputError
from labeling.aggregation.shares import Shares, answer_shares, score_shares, wilson
from labeling.types import Answers


def _answers(rows: list[tuple[int, int]], usable: list[bool] | None = None) -> Answers:
    task, label = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return Answers(
        task,
        np.arange(len(rows)),
        label,
        np.zeros(len(rows), dtype=np.bool_),
        np.array(usable if usable is not None else [True] * len(rows)),
    )


def test_nothing_to_score_and_another_shape_are_refused() -> None:
    few = answer_shares(_answers([(3, 0), (3, 1)]), [3], 2)
    with pytest.raises(InputError, match="no item has 20 answers"):
        score_shares(np.zeros((0, 2)), few.dense())
    with pytest.raises(InputError, match=r"\(1, 3\) predictions for \(1, 2\)"):
        score_shares(np.zeros((1, 3)), few)


def test_shares_count_usable_answers_to_the_items_asked_for() -> None:
    rows = [(7, 1), (7, 1), (7, 0), (2, 0), (9, 1), (7, 0)]
    got = answer_shares(_answers(rows, [True] * 5 + [False]), [7, 2, 5], 2)
    assert got.task.tolist() == [2, 7]
    assert got.answers.tolist() == [1, 3]
    assert got.share[1] == pytest.approx([1 / 3, 2 / 3])
    assert np.all((got.low <= got.share) & (got.share <= got.high))
    assert got.dense(3).task.tolist() == [7]


def test_wilson_is_the_published_interval() -> None:
    # Wilson (1927), as tabulated by Newcombe (1998): 81 of 263, and 0 of 20.
    low, high = wilson(np.array([81 / 263, 0.0]), np.array([263.0, 20.0]))
    assert low == pytest.approx([0.2553, 0.0], abs=5e-5)
    assert high == pytest.approx([0.3662, 0.1611], abs=5e-5)


def test_the_interval_covers_the_share_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    share = rng.uniform(0.05, 0.95, 20_000)
    observed = rng.binomial(12, share) / 12
    low, high = wilson(observed, np.full(len(share), 12.0))
    # Coverage averages .95 over shares; its standard error here is .0015.
    assert np.mean((low <= share) & (share <= high)) == pytest.approx(0.95, abs=0.015)


def test_a_perfect_prediction_scores_the_stated_noise_and_no_better() -> None:
    rng = np.random.default_rng(1)
    truth = rng.beta(2, 2, 3000)
    answers = np.full(len(truth), 40)
    yes = rng.binomial(40, truth) / 40
    shares = np.stack((1 - yes, yes), axis=1)
    observed = Shares(np.arange(len(truth)), shares, shares, shares, answers)
    perfect = score_shares(np.stack((1 - truth, truth), axis=1), observed)
    # Mean error .055 with a standard error of .001.
    assert perfect.error == pytest.approx(perfect.noise, rel=0.05)
    assert perfect.log_loss > perfect.floor
    mean = score_shares(np.full_like(shares, 0.5), observed)
    assert mean.error > 2 * perfect.error
    assert mean.log_loss == pytest.approx(np.log(2))
    assert score_shares(shares, observed).log_loss == pytest.approx(perfect.floor)
