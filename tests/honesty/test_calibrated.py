"""The probabilities of a delivered model are true, on simulated and on recorded people."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpo.settings.config import make_config
from hpo.trial.purchase import buy
from labeling.types import LabelPlan

pytestmark = pytest.mark.statistics


def errors(settings: dict[str, Any], plan: LabelPlan, seeds: int) -> dict[str, list[float]]:
    """Calibration errors before and after, one crowd and split of the images per seed."""
    from benchmarks.calibration import rows_of
    from benchmarks.ground import _data, _world

    found: dict[str, list[float]] = {"before": [], "after": []}
    for seed in range(seeds):
        config = make_config({"budget": "1000", "study": "c", "seed": 100 + seed, **settings})
        with tempfile.TemporaryDirectory() as folder:
            world = _world(config, Path(folder) / "w", _data(config.data, config.seed), seed)
            buy(plan, world)
            rows = rows_of(plan, world)
            world.close()
        for name, each in found.items():
            each.append(rows[name][1])
    return found


def check(found: dict[str, list[float]]) -> None:
    """At most .05 in the mean; a single seed's estimate has a standard error of about .01."""
    assert np.mean(found["after"]) <= 0.05
    assert max(found["after"]) <= 0.08
    assert np.mean(found["after"]) < 0.5 * np.mean(found["before"])


@pytest.mark.parametrize("difficulty", ["independent", "images"])
def test_on_the_digits(difficulty: str) -> None:
    from benchmarks.calibration import plan

    settings = {"data": "digits3", "difficulty": difficulty}
    check(errors(settings, plan(1, 1, 686, True), seeds=6))


@pytest.mark.parametrize(("overlap", "tasks"), [(1, 500), (3, 500)])
def test_on_recorded_people(overlap: int, tasks: int, data_folder: Path) -> None:
    from benchmarks.calibration import plan, recorded

    file = data_folder / "crowd" / "cifar10n_6k.npz"
    if not file.exists():
        pytest.skip("cifar10n_6k.npz is not among the test data: set LABELWORTH_DATA")
    check(errors(recorded(file), plan(overlap, 0, tasks, False, 2000), seeds=3))
