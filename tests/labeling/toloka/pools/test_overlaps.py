"""The overlap of many tasks is set by a few requests at once; an error begins no further one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from budget.errors import MarketUnreachable
from labeling.toloka.pools.upload import set_overlaps
from tests.labeling.toloka.ground import buy, ground

TASKS = 60


class SlowApi:
    """Counts calls under way; the call of a task named "bad" fails."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begun: list[str] = []
        self.now = self.most = 0

    def write(self, what: str, act: Callable[[Any], Any], look: Callable[[Any], Any]) -> None:
        act(self)

    def patch_task(self, task_id: str, **wanted: Any) -> bool:
        with self._lock:
            self.begun.append(task_id)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        with self._lock:
            self.now -= 1
        if task_id == "bad":
            raise MarketUnreachable("gone")
        return True

    patch_task_overlap_or_min = patch_task


def test_a_few_requests_are_under_way_at_once() -> None:
    api = SlowApi()
    set_overlaps(api, {str(task): (3, task % 2 == 0) for task in range(TASKS)})
    assert sorted(api.begun, key=int) == [str(task) for task in range(TASKS)]
    assert 1 < api.most <= 8


def test_after_an_error_no_further_request_begins() -> None:
    api = SlowApi()
    with pytest.raises(MarketUnreachable):
        set_overlaps(api, {"bad": (3, False)} | {str(task): (3, False) for task in range(TASKS)})
    assert api.now == 0
    assert len(api.begun) < TASKS


def test_a_larger_overlap_reaches_every_task_of_the_local_platform(tmp_path: Path) -> None:
    with ground(tmp_path, tasks=TASKS, controls=20) as on:
        market = on.market()
        buy(market, on.order())
        placed = market.place(on.order(tranche=1, overlap=2))
        tasks = on.serve().platform.world.pools[placed.id].tasks
        overlaps = [task.overlap for task in tasks if task.overlap is not None]
        assert len(overlaps) == TASKS
        assert min(overlaps) == 3  # one answer of the first order, two of this one
        market.close()
