"""A rehearsal that is killed at any moment ends with the report of the undisturbed one.

Half of FAULT_RUNS random moments are tried; a rehearsal is killed several times in a row.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hpo.study.study import Study
from labeling.toloka.api.clock import PlatformClock
from tests import oracle
from tests.conftest import SMALL
from tests.faults.studies import RUNS, chance
from tests.forks import RandomKills, cpu_seconds, ended, forked
from tests.heads import FixedHeads

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

IN_A_ROW = 5
CAP = 100_000  # micro-dollars


def rehearsed(folder: Path, data: str) -> dict[str, Any]:
    settings = {**SMALL, "data": data, "study": "s", "market": "rehearsal", "budget": "0.1"}
    study = Study(runs=folder, trainer=FixedHeads(), **settings)
    try:
        return study.run()
    finally:
        study.close()


def killed(folder: Path, data: str, polls: int) -> None:
    """Run in a child that is killed instead of waiting for news once more."""

    def work() -> None:
        seen, inner = iter(range(polls)), PlatformClock.sleep

        def sleep(clock: PlatformClock, seconds: float) -> None:
            if next(seen, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            inner(clock, seconds)

        PlatformClock.sleep = sleep  # type: ignore[method-assign]
        rehearsed(folder, data)

    assert ended(forked(work)) == -signal.SIGKILL


@pytest.mark.slow
def test_minutes_of_a_killed_rehearsal_are_those_of_the_undisturbed(
    small_data: str, tmp_path: Path
) -> None:
    undisturbed = rehearsed(tmp_path / "whole", small_data)
    assert {row["ended"] for row in undisturbed["purchases"]} == {"complete"}
    minutes = [row["minutes"] for row in undisturbed["purchases"]]
    for polls in (0, 6):
        killed(tmp_path / str(polls), small_data, polls)
        again = rehearsed(tmp_path / str(polls), small_data)
        assert [row["minutes"] for row in again["purchases"]] == pytest.approx(minutes, abs=0.002)


@pytest.mark.slow
def test_killed_at_random_moments_a_rehearsal_ends_with_the_same_report(
    small_data: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seconds = cpu_seconds(forked(lambda: rehearsed(tmp_path / "whole", small_data)))
    for path in (tmp_path / "whole/s").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    undisturbed = (tmp_path / "whole/s/report.json").read_bytes()
    kills = RandomKills(chance("rehearsal"), seconds / 3)
    while kills.killed < RUNS / 2:
        folder = tmp_path / str(kills.killed)
        work = partial(rehearsed, folder, small_data)
        kills.in_a_row(partial(forked, work), IN_A_ROW)
        assert ended(forked(work)) == 0
        assert (folder / "s/report.json").read_bytes() == undisturbed, folder.name
        assert oracle.orders_open(folder / "s") == oracle.held(folder / "s") == 0
        assert oracle.paid_twice(folder / "s") == 0
        assert oracle.settled(folder / "s") == oracle.paid(folder / "s") <= CAP
    record_property("kills of rehearsals at random moments", kills.killed)
