"""Difficulty from features: the same errors, on other images."""

from __future__ import annotations

import numpy as np
import pytest

from budget.errors import InputError
from labeling.crowd.people.difficulty import difficulty_from_features, distractor_from_features
from labeling.crowd.people.items import make_items
from labeling.crowd.scenario import load_scenario

DEFAULT = load_scenario("default")


def _line(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Three classes along a line, touching at 0 and 1."""
    x = np.random.default_rng(0).uniform(-1, 2, n)
    return x[:, None], np.digitize(x, [0.0, 1.0])


@pytest.mark.parametrize(
    ("features", "truth", "expected"),
    [
        ([[0.0], [1.0]], [0], "one finite row per image"),
        ([0.0, 1.0], [0, 1], "one finite row per image"),
        ([[0.0], [float("nan")]], [0, 1], "one finite row per image"),
        ([[0.0], [1.0]], [1, 1], "overlap needs a second"),
    ],
)
def test_features_that_cannot_be_are_refused(
    features: list[object], truth: list[int], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        difficulty_from_features(features, truth, 2, DEFAULT, 0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=expected):
        distractor_from_features(features, truth)  # type: ignore[arg-type]


def test_the_marginal_is_the_scenarios_to_the_last_item() -> None:
    x, y = _line()
    followed = difficulty_from_features(x, y, 3, DEFAULT, 7)
    assert np.array_equal(np.sort(followed), np.sort(make_items(DEFAULT, y, 3, 7).error))


def test_images_at_the_border_of_their_class_are_hard_and_taken_for_the_neighbour() -> None:
    x, y = _line()
    error = difficulty_from_features(x, y, 3, DEFAULT, 0)
    border = np.minimum(np.abs(x[:, 0]), np.abs(x[:, 0] - 1))
    hard = error >= np.quantile(error, 0.9)
    assert border[hard].max() < np.median(border)
    distractor = distractor_from_features(x, y)
    expected = np.where(y == 1, np.where(x[:, 0] < 0.5, 0, 2), 1)
    # In the middle of class 1 the nearest of either side may win.
    clear = np.abs(x[:, 0] - 0.5) > 0.1
    assert np.array_equal(distractor[clear], expected[clear])
    assert len(make_items(DEFAULT, y, 3, 0, error, distractor)) == len(x)


def test_an_image_alone_in_its_class_is_the_hardest() -> None:
    x, y = _line(60)
    y = np.where(y == 2, 1, y)
    y[5] = 2
    assert difficulty_from_features(x, y, 3, DEFAULT, 0).argmax() == 5
