"""Nested plans see nested answers; no plan sees more than it asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.aggregation.selection import select, task_order
from labeling.types import Answers
from tests.drawn import examples

HOUSE = settings(deadline=None, max_examples=examples(150), derandomize=True)
TASKS, PEOPLE = 12, 6

seeds = st.integers(0, 2**63)


@st.composite
def conditions(draw: st.DrawFn) -> Answers:
    """All answers of a condition: nobody answers a task twice."""
    pairs = draw(
        st.lists(
            st.tuples(st.integers(0, TASKS + 5), st.integers(0, PEOPLE - 1)),
            max_size=60,
            unique=True,
        )
    )
    size = len(pairs)
    table = np.array(pairs, dtype=np.int64).reshape(size, 2)
    usable = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    return Answers(
        table[:, 0],
        table[:, 1],
        np.zeros(size, dtype=np.int64),
        table[:, 0] >= TASKS,  # the last rows are control tasks
        np.array(usable, dtype=np.bool_),
    )


def pairs(answers: Answers) -> set[tuple[int, int]]:
    return set(zip(answers.task.tolist(), answers.annotator.tolist(), strict=True))


@HOUSE
@given(conditions(), st.integers(0, TASKS), st.integers(0, TASKS), seeds, st.data())
def test_smaller_plans_see_part_of_what_larger_ones_see(
    owned: Answers, small: int, more: int, seed: int, data: st.DataObject
) -> None:
    order = task_order(TASKS, seed)
    overlap = data.draw(st.integers(1, 5))
    higher = data.draw(st.integers(overlap, 6))
    few = select(owned, order[:small], overlap, seed)
    many = select(owned, order[: small + more], higher, seed)
    assert pairs(few) <= pairs(many) <= pairs(owned)


@HOUSE
@given(conditions(), st.integers(0, TASKS), st.integers(1, 6), seeds)
def test_a_plan_sees_its_overlap_and_a_fair_share_of_controls(
    owned: Answers, tasks: int, overlap: int, seed: int
) -> None:
    chosen = task_order(TASKS, seed)[:tasks]
    found = select(owned, chosen, overlap, seed)
    real, usable = found.where(~found.control), owned.where(owned.usable & ~owned.control)
    assert real.usable.all()
    assert set(real.task.tolist()) <= set(chosen.tolist())
    kept = np.bincount(real.task, minlength=TASKS)
    there = np.bincount(usable.task, minlength=TASKS)
    assert kept[chosen].tolist() == np.minimum(there[chosen], overlap).tolist()
    for person in range(PEOPLE):
        mine = int((usable.annotator == person).sum())
        share = int((real.annotator == person).sum()) / mine if mine else 0.0
        controls = int((owned.control & (owned.annotator == person)).sum())
        thinned = int((found.control & (found.annotator == person)).sum())
        assert abs(thinned - share * controls) < 1
        assert share not in (0.0, 1.0) or thinned == share * controls


@HOUSE
@given(conditions(), st.integers(1, 6), seeds)
def test_the_same_seed_sees_the_same(owned: Answers, overlap: int, seed: int) -> None:
    one, two = (select(owned, range(TASKS), overlap, seed) for _ in range(2))
    assert one.task.tolist() == two.task.tolist()
    positions = [
        list(zip(owned.task, owned.annotator, strict=True)).index(p)
        for p in zip(one.task, one.annotator, strict=True)
    ]
    assert positions == sorted(positions)  # in order of submission


@HOUSE
@given(st.integers(1, 80), st.integers(1, 5), seeds, st.data())
def test_prefixes_are_stratified(n: int, groups: int, seed: int, data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.integers(0, groups - 1), min_size=n, max_size=n))
    strata = np.array(codes)
    order = task_order(n, seed, strata)
    assert sorted(order.tolist()) == list(range(n))
    present = len(set(codes))
    for group in set(codes):
        size = codes.count(group)
        seen = np.cumsum(strata[order] == group)
        expected = np.arange(1, n + 1) * size / n
        assert np.abs(seen - expected).max() <= 1 + size * present / n + 1e-9
