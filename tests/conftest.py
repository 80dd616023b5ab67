"""Shared grounds: a small pool of real digits, and studies on it."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from tests import DATA
from tests import postgres as postgres_server
from tests.browser import axe, browser
from tests.clearml_server.fixtures import _stand_in, clearml_server, no_clearml, stand_in
from tests.drawn import examples
from tests.heads import FixedHeads
from tests.reports import reports_keep_the_schema, shared_reports_keep_the_schema

__all__ = [  # fixtures for all tests
    "_stand_in",
    "axe",
    "browser",
    "clearml_server",
    "no_clearml",
    "reports_keep_the_schema",
    "shared_reports_keep_the_schema",
    "stand_in",
]

MEMORY, ROOM = Path("/dev/shm"), 2 << 30  # a run writes 300 MB
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
    # A study commits hundreds of times: half of a test's time on a disk. A kill loses neither.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
os.environ.setdefault("OMP_NUM_THREADS", "1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a suite that a shell runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else its children hear no Ctrl-C

hypothesis.settings.register_profile("house", max_examples=examples(100))
hypothesis.settings.load_profile("house")


def pytest_collection_finish() -> None:
    """What the suite has imported stays: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # by default a twentieth of the suite's time is its


SMALL: dict[str, object] = {
    "budget": "0.3",
    "few_labels_ok": True,
    "price": "0.001,0.002,0.004",
    "overlap": "1,2,3",
    "controls": "0,1",
    "tasks": "20%,50%,100%",
    "exam": "off",
    "goal": "plan",
}
"""Settings of a search of about eight purchases; data is added by `small_data`."""


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of test data beside the project, found by LABELWORTH_DATA."""
    if not DATA.is_dir():
        pytest.skip("no test data: set LABELWORTH_DATA")
    return DATA


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    """A PostgreSQL server on loopback, for tests that make databases in it."""
    if why := postgres_server.missing():
        pytest.skip(why)
    with postgres_server.on_loopback() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where a new database may be opened, of either kind; `make test` runs the contract on both."""
    return new_place(request, tmp_path)


def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where a database of the kind that is a fixture's parameter may be opened."""
    if request.param == "sqlite":
        return tmp_path / "study.sqlite"
    server: postgres_server.Server = request.getfixturevalue("postgres")
    return server.fresh()


def digits_file(folder: Path, count: int) -> str:
    """Scanned digits in a file, asked the three-way question, as `--data` names it."""
    from hpo.data.dataset import DIGITS3
    from training.images import load_digits

    images, digits = load_digits()
    assert images.pixels is not None
    kinds = np.array([DIGITS3[int(digit)] for digit in digits[:count]])
    np.savez(folder / "digits.npz", x=images.pixels[:count], y=kinds)
    return f"npz:{folder / 'digits.npz'}"


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """90 scanned digits: what tests of money, kills and stops are about does not need more."""
    return digits_file(tmp_path_factory.mktemp("small"), 90)


@pytest.fixture(scope="session")
def more_data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """360 scanned digits, for tests of what a model makes of them."""
    return digits_file(tmp_path_factory.mktemp("more"), 360)


Make = Callable[..., Any]


@contextmanager
def studies_in(folder: Path, data: str) -> Iterator[Make]:
    """Makes small studies in a folder, with heads that take no time, and closes them."""
    from hpo import Study

    made: list[Study] = []

    def make(runs: Path = folder, trainer: Any = None, **settings: object) -> Study:
        settings = {**SMALL, "data": data, **settings}
        made.append(Study(runs=runs, trainer=trainer or FixedHeads(), **settings))
        return made[-1]

    try:
        yield make
    finally:
        for study in made:
            study.close()


@pytest.fixture
def small_study(small_data: str, tmp_path: Path) -> Iterator[Make]:
    """Makes small studies in the test's folder; `trainer=CrossValidated()` trains as users do."""
    with studies_in(tmp_path / "runs", small_data) as make:
        yield make


@pytest.fixture(scope="module")
def module_study(small_data: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Makes small studies for a whole module: its tests only look at them."""
    with studies_in(tmp_path_factory.mktemp("runs"), small_data) as make:
        yield make


@pytest.fixture(scope="session")
def finished_small(small_data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small study `s` that spent its budget; tests that change it copy it."""
    with studies_in(tmp_path_factory.mktemp("finished"), small_data) as make:
        study = make(study="s")
        study.run()
    return Path(study.folder)


@pytest.fixture(scope="session")
def bought_twice(small_data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small study `s` of two purchases; tests that change it copy it."""
    with studies_in(tmp_path_factory.mktemp("twice"), small_data) as make:
        study = make(study="s", trials=2)
        study.run()
    return Path(study.folder)


DELIVERS: dict[str, object] = {"goal": "model", "learn": "20%", "budget": "0.4"}
"""Beside `SMALL`: a study that delivers labels and a model."""


@pytest.fixture(scope="session")
def delivered_small(small_data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small study `s` that delivered; tests that change it copy it."""
    with studies_in(tmp_path_factory.mktemp("delivered"), small_data) as make:
        study = make(study="s", **DELIVERS)
        study.run()
    return Path(study.folder)


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Runs a command in this process and the test's folder: exit code, output, errors."""
    from hpo.run import main

    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as end:
            code = int(str(end.code))
        said = capsys.readouterr()
        return code, said.out, said.err

    yield call
    for number, handler in before.items():
        signal.signal(number, handler)
