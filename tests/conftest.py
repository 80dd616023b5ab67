"""Shared grounds: a small pool of real digits, and studies on it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import DATA
from tests.clearml_server.fixtures import _stand_in, clearml_server, no_clearml, stand_in

__all__ = ["_stand_in", "clearml_server", "no_clearml", "stand_in"]  # fixtures for all tests

os.environ.setdefault("OMP_NUM_THREADS", "1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a suite that a shell runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else its children hear no Ctrl-C

SMALL: dict[str, object] = {
    "budget": "1",
    "few_labels_ok": True,
    "price": "0.001,0.002,0.004",
    "overlap": "1,2,3",
    "controls": "0,1",
    "tasks": "20%,50%,100%",
    "exam": "off",
}
"""Settings of a study of about a second; data is added by `small_data`."""


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of test data beside the project, found by LABELWORTH_DATA."""
    if not DATA.is_dir():
        pytest.skip("no test data: set LABELWORTH_DATA")
    return DATA


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """360 scanned digits, asked the three-way question."""
    from hpo.data.dataset import DIGITS3
    from training.images import load_digits

    images, digits = load_digits()
    assert images.pixels is not None
    path = tmp_path_factory.mktemp("small") / "digits.npz"
    kinds = np.array([DIGITS3[int(digit)] for digit in digits[:360]])
    np.savez(path, x=images.pixels[:360], y=kinds)
    return f"npz:{path}"


@pytest.fixture
def small_study(small_data: str, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes small studies in the test's folder and closes them."""
    from hpo import Study

    made: list[Study] = []

    def make(runs: Path = tmp_path / "runs", **settings: object) -> Study:
        study = Study(runs=runs, **{**SMALL, "data": small_data, **settings})
        made.append(study)
        return study

    yield make
    for study in made:
        study.close()
