"""A study invests better than its user would alone: its model and labels against direct buying."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.invest import judge

pytestmark = pytest.mark.statistics


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    """Two studies of $2 on each of two surfaces, each with a direct purchase beside it."""
    cache: Path = tmp_path_factory.mktemp("invest")
    surfaces = ("default", "spam-heavy")
    return [judge(name, "2", seed, 1, cache) for name in surfaces for seed in (0, 1)]


def mean(rows: list[dict[str, float]], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


def test_the_delivered_model_beats_a_direct_purchase_of_the_same_money(
    rows: list[dict[str, float]],
) -> None:
    # Measured: +1.8 points, with a standard deviation of 0.7 between studies: 0.35 for four.
    assert np.mean([row["delivered"] - row["exam"] for row in rows]) > 1.8 - 4 * 0.35


def test_the_delivered_labels_are_right_more_often_and_the_estimate_knows_how_often(
    rows: list[dict[str, float]],
) -> None:
    assert mean(rows, "labels - answers'") > 6  # measured: 10, standard error 0.7 for four
    assert abs(mean(rows, "estimate - labels")) < 2  # measured: -0.5, standard error 0.3 for four
    assert mean(rows, "label ECE") < 0.05
    assert mean(rows, "headline covers") >= 0.75
