"""The engine, stepped from outside as a server in front of it would."""

from __future__ import annotations

from typing import Any

import numpy as np

from budget.money import Money
from labeling.campaign import QualityRules
from labeling.crowd.engine import Crowd
from labeling.crowd.items import make_items
from labeling.crowd.pool import PoolSettings
from labeling.crowd.scenario import load_scenario

TASKS = 60


def _crowd(name: str = "default", **changes: Any) -> Crowd:
    scenario = load_scenario(name)
    items = make_items(scenario, np.arange(TASKS + 20) % 3, 3, 0)
    settings: dict[str, Any] = {
        "price": Money.parse("0.002"),
        "suite_size": 10,
        "controls": 1,
        "exam": None,
        "rules": QualityRules(),
        "assignment_seconds": 300.0,
        "classes": 3,
        "control_rows": np.arange(TASKS, TASKS + 20),
        "exam_rows": np.empty(0, dtype=np.int64),
        **changes,
    }
    return Crowd(scenario, PoolSettings(**settings), items, 0, "condition")


def _open(crowd: Crowd, overlap: int = 2, **changes: float) -> None:
    crowd.open(np.arange(TASKS), np.full(TASKS, overlap), **changes)


def test_a_closed_pool_takes_what_was_active_and_nothing_more() -> None:
    crowd = _crowd()
    _open(crowd, overlap=5)
    crowd.advance(120.0)
    opened, active = crowd.suites.count, crowd.active
    assert active > 0
    crowd.close()
    crowd.advance()
    assert crowd.suites.count == opened
    assert crowd.active == 0
    assert crowd.idle


def test_a_pool_that_was_never_opened_stands_still() -> None:
    crowd = _crowd()
    crowd.advance(1000.0)
    assert crowd.idle
    assert crowd.clock == 0.0
    assert crowd.submitted == []


def test_the_allowance_bounds_what_is_opened_and_unfinished_suites_give_it_back() -> None:
    crowd = _crowd()
    _open(crowd, overlap=5, allowance=4)
    crowd.advance()
    assert len(crowd.submitted) == 4
    assert crowd.allowance == 0


def test_many_small_steps_are_one_large_step() -> None:
    whole, steps = _crowd("spam-heavy"), _crowd("spam-heavy")
    _open(whole)
    _open(steps)
    whole.advance()
    cursor, news, clock = 0, [], 0.0
    while not steps.idle:
        clock += 7.0
        steps.advance(clock)
        news += steps.submitted[cursor:]
        cursor = len(steps.submitted)
    assert news == whole.submitted
    assert steps.bans == whole.bans
    for column in ("tasks", "labels", "control", "person", "seconds", "end"):
        assert np.array_equal(getattr(steps.suites, column), getattr(whole.suites, column))


def test_overlap_raised_later_is_answered_by_others() -> None:
    crowd = _crowd()
    _open(crowd, overlap=1)
    crowd.advance()
    crowd.add(np.arange(9), np.full(9, 2))
    crowd.advance()
    shown = crowd.suites.tasks[crowd.submitted]
    assert [int((shown == task).sum()) for task in (0, 8, 9)] == [3, 3, 1]
    for task in range(9):
        people = crowd.suites.person[crowd.submitted][(shown == task).any(axis=1)]
        assert len(set(people.tolist())) == 3


def test_nothing_is_banned_who_never_came() -> None:
    assert not _crowd().banned(10**6)
