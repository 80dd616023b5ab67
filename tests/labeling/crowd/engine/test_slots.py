"""Slots: the free list gives what a plain scan would allow, and loses nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.crowd.engine.slots import Slots
from tests.drawn import examples

Seen = st.sets(st.integers(0, 11))


def test_an_empty_queue_gives_nothing() -> None:
    slots = Slots(5)
    assert not slots
    assert slots.take(3).tolist() == []
    assert slots.take(3, np.array([-1, 2])).tolist() == []


def test_who_has_seen_everything_gets_nothing_and_takes_nothing_away() -> None:
    slots = Slots(3)
    slots.add(np.arange(3), np.array([2, 1, 1]))
    assert slots.take(2, np.arange(3)).tolist() == []
    assert slots.take(3).tolist() == [0, 1, 2]
    assert slots.take(3).tolist() == [0]
    assert not slots


def test_overlap_grows_evenly_and_seen_tasks_are_stepped_over() -> None:
    slots = Slots(6)
    slots.add(np.arange(6), np.full(6, 2))
    assert slots.take(4).tolist() == [0, 1, 2, 3]
    assert slots.take(4, np.array([4, -1, -1])).tolist() == [5, 0, 1, 2]
    assert slots.take(4).tolist() == [4, 3, 5]


def test_clearing_forgets_all_wants() -> None:
    slots = Slots(4)
    slots.add(np.arange(4), 3)
    slots.take(2)
    slots.clear()
    assert not slots
    assert slots.need.tolist() == [0, 0, 0, 0]
    slots.add(np.array([2]), 1)
    assert slots.take(4).tolist() == [2]


@given(
    wants=st.lists(st.integers(1, 4), min_size=1, max_size=12),
    steps=st.lists(st.tuples(st.integers(1, 5), Seen, st.booleans()), max_size=60),
)
@settings(max_examples=examples(150), deadline=None, derandomize=True)
def test_takes_as_many_as_a_scan_and_never_a_seen_task(
    wants: list[int], steps: list[tuple[int, set[int], bool]]
) -> None:
    slots, need = Slots(12), np.zeros(12, dtype=int)
    need[: len(wants)] = wants
    slots.add(np.arange(len(wants)), np.array(wants))
    for count, seen, give_back in steps:
        taken = slots.take(count, np.array([-1, *seen]))
        allowed = [task for task in np.flatnonzero(need > 0) if task not in seen]
        assert len(taken) == min(count, len(allowed))
        assert len(set(taken.tolist())) == len(taken)
        assert set(taken.tolist()) <= set(allowed)
        need[taken] -= 1
        if give_back and len(taken):
            slots.add(taken, 1)
            need[taken] += 1
        assert np.array_equal(slots.need, need)
        assert bool(slots) == bool(need.any())


def test_a_long_life_does_not_grow_the_queue_without_bound() -> None:
    slots = Slots(100)
    slots.add(np.arange(100), 1)
    for _ in range(5000):
        slots.add(slots.take(10), 1)
    assert len(slots._queue) <= 4096
    assert int(slots.need.sum()) == 100
