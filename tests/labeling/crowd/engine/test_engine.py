"""The engine, stepped from outside as a server in front of it would."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from budget.money import Money
from labeling.campaign.campaign import QualityRules
from labeling.crowd.engine.engine import Crowd
from labeling.crowd.engine.pool import PoolSettings
from labeling.crowd.people.items import make_items
from labeling.crowd.scenario import load_scenario
from labeling.types import Ints

TASKS = 60


def _crowd(
    name: str = "default", seed: int = 0, pages: list[Ints] | None = None, **changes: Any
) -> Crowd:
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
    return Crowd(scenario, PoolSettings(**settings), items, seed, "condition", pages=pages)


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


def test_a_pool_closes_for_good_when_its_allowance_is_used_up() -> None:
    closed_by_skips = 0
    for seed in range(12):
        crowd = _crowd(seed=seed)
        _open(crowd, overlap=5, allowance=6)
        crowd.advance()
        assert not crowd.is_open
        assert crowd.active == 0
        # The sixth assignment closed it; one of them may have been handed back since.
        assert len(crowd.submitted) <= 6
        closed_by_skips += len(crowd.submitted) < 6
    assert closed_by_skips


def test_event_by_event_is_all_at_once() -> None:
    whole, events = _crowd("spam-heavy"), _crowd("spam-heavy")
    _open(whole)
    _open(events)
    whole.advance()
    while events.next_event < float("inf"):
        due = events.next_event
        events.step()
        assert events.clock == due
    assert events.submitted == whole.submitted
    assert events.clock == whole.clock
    assert np.array_equal(events.suites.labels, whole.suites.labels)


def test_rows_that_come_later_are_answered_like_others() -> None:
    crowd = _crowd()
    _open(crowd, overlap=1)
    crowd.advance(60.0)
    more = make_items(load_scenario("default"), np.arange(40) % 3, 3, 1)
    crowd.extend(more)
    late = np.arange(TASKS + 20, TASKS + 60)
    crowd.add(late, np.full(40, 3))
    crowd.advance()
    tasks, labels = zip(*(crowd.suites.real(suite) for suite in crowd.submitted), strict=True)
    rows, given = np.concatenate(tasks), np.concatenate(labels)
    assert np.all(np.bincount(rows, minlength=TASKS + 60)[late] == 3)
    assert np.all(np.bincount(rows)[:TASKS] == 1)
    is_late = rows >= TASKS + 20
    assert (given[is_late] == more.truth[rows[is_late] - TASKS - 20]).mean() > 0.5


def test_pages_put_together_by_the_requester_are_shown_whole_and_once_to_each() -> None:
    pages = [np.array([3 * at, 3 * at + 1, 3 * at + 2, TASKS + at]) for at in range(10)]
    crowd = _crowd(pages=pages, controls=0)
    crowd.open(np.arange(10), np.full(10, 4))
    crowd.advance()
    shown = [tuple(crowd.suites.tasks[suite][:4].tolist()) for suite in crowd.submitted]
    assert {page: shown.count(page) for page in set(shown)} == {
        tuple(page.tolist()): 4 for page in pages
    }
    people = crowd.suites.person[crowd.submitted].tolist()
    assert len(set(zip(people, shown, strict=True))) == len(shown)
    assert crowd.suites.control[crowd.submitted][:, 3].all()
    assert not crowd.suites.control[crowd.submitted][:, :3].any()


def test_annotators_stopped_by_hand_do_no_more_until_they_are_let_back() -> None:
    crowd = _crowd(controls=0, rules=QualityRules(0, 0.0, 0))
    _open(crowd, overlap=8)
    crowd.advance(200.0)
    opened = crowd.suites.person[: crowd.suites.count]
    person = int(np.bincount(opened).argmax())
    before = int((opened == person).sum())
    crowd.restrict(person, banned=True)
    assert crowd.banned(person)
    crowd.advance(400.0)
    assert int((crowd.suites.person[: crowd.suites.count] == person).sum()) == before
    crowd.restrict(person, banned=False)
    crowd.admit(person, admitted=False)
    crowd.advance(420.0)
    assert int((crowd.suites.person[: crowd.suites.count] == person).sum()) == before


def test_another_price_counts_from_now_on() -> None:
    cheap, raised = _crowd(price=Money.parse("0.0005")), _crowd(price=Money.parse("0.0005"))
    for crowd in (cheap, raised):
        crowd.open(np.arange(TASKS), np.full(TASKS, 40))
        crowd.advance(600.0)
    assert cheap.suites.count == raised.suites.count
    raised.revise(replace(raised.pool, price=Money.parse("0.02")))
    for crowd in (cheap, raised):
        crowd.advance(1200.0)
    joined = [
        len(np.unique(c.suites.person[: c.suites.count][c.suites.start[: c.suites.count] > 600]))
        for c in (cheap, raised)
    ]
    assert joined[1] > 1.2 * joined[0]
