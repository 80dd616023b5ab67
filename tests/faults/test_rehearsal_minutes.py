"""A rehearsal that is killed while it buys reports the minutes of the undisturbed one."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from hpo.study.study import Study
from labeling.toloka.api.clock import PlatformClock
from tests.conftest import SMALL
from tests.forks import ended, forked
from tests.heads import FixedHeads

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


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
        seen = iter(range(polls))

        def sleep(clock: PlatformClock, seconds: float) -> None:
            if next(seen, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        PlatformClock.sleep = sleep  # type: ignore[method-assign]
        rehearsed(folder, data)

    assert ended(forked(work)) == -signal.SIGKILL


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
