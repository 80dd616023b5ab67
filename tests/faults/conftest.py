"""Studies that nothing happens to, run once a session for all tests of faults."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import pytest

from tests.faults.chains import moments_of
from tests.faults.studies import DURABLE, Undisturbed, run_study


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory, small_data: str) -> str:
    """The data of studies; this process has run one, for its children."""
    run_study(tmp_path_factory.mktemp("warm"), small_data)
    return small_data


@pytest.fixture(scope="session")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, warm: str
) -> Callable[[str], Undisturbed]:
    """Runs a kind of study undisturbed, once."""

    @cache
    def run(kind: str) -> Undisturbed:
        folder = tmp_path_factory.mktemp(f"undisturbed-{kind}")
        runs, log = folder / "runs", folder / "log"
        moments, seconds = moments_of(DURABLE, partial(run_study, runs, warm, kind), log)
        return Undisturbed(runs, seconds, moments)

    return run
