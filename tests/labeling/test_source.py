"""Recompletion: what a round asks for again, and no more than the assignments left can carry."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.money import Money
from labeling.source import assignments_left, filled, missing_answers, next_round
from labeling.types import Condition, DynamicOverlap
from tests.drawn import examples


def test_nothing_is_asked_when_no_assignment_is_left() -> None:
    assert next_round(np.array([3, 1]), 9, 0).tolist() == [0, 0]
    assert assignments_left(10, 8, 2) == 0
    assert assignments_left(10, 9, 4) == 0
    assert assignments_left(10, 3, 2) == 5


def test_banned_annotators_answers_are_missing_again() -> None:
    tasks, wanted = np.array([4, 0, 7]), np.array([2, 1, 1])
    answered = np.array([4, 4, 0, 9, 4])
    usable = np.array([True, False, True, True, False])
    assert missing_answers(tasks, wanted, answered, usable).tolist() == [1, 0, 1]


def test_answers_above_what_was_wanted_do_not_make_up_for_others() -> None:
    tasks, wanted = np.array([0, 1]), np.array([1, 1])
    answered = np.array([0, 0, 0])
    assert missing_answers(tasks, wanted, answered, np.ones(3, dtype=bool)).tolist() == [0, 1]


def test_an_order_without_tasks_misses_nothing() -> None:
    none = np.array([], dtype=np.int64)
    assert missing_answers(none, none, none, none.astype(bool)).tolist() == []


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(1, 10), st.integers(0, 12))
@settings(max_examples=examples(150), deadline=None, derandomize=True)
def test_a_round_asks_for_all_it_can_carry_first_tasks_first(
    lacking: list[int], real: int, left: int
) -> None:
    missing = np.array(lacking, dtype=np.int64)
    raised = next_round(missing, real, left)
    assert raised.sum() == min(missing.sum(), real * left)
    assert np.all((raised >= 0) & (raised <= missing))
    short = np.flatnonzero(raised < missing)
    assert not len(short) or raised[short[0] + 1 :].sum() == 0


def condition(real: int, dynamic: DynamicOverlap | None = None) -> Condition:
    return Condition("d", "m", "c", Money(1_000), 1, real + 1, False, dynamic)


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(1, 10))
@settings(max_examples=examples(150), deadline=None, derandomize=True)
def test_the_last_suite_is_filled_and_no_suite_is_added(lacking: list[int], real: int) -> None:
    raised = np.array(lacking, dtype=np.int64)
    asked = filled(raised, condition(real))
    assert np.all((asked == raised) | (asked == raised + 1))
    assert -(-asked.sum() // real) == -(-raised.sum() // real)
    assert len(raised) < real or asked.sum() % real == 0
    assert filled(raised, condition(real, DynamicOverlap(1, 3, 0.9))).tolist() == lacking


def test_tasks_with_the_fewest_answers_fill_the_last_suite() -> None:
    assert filled(np.array([0, 2, 0, 1]), condition(4)).tolist() == [1, 2, 0, 1]
    assert filled(np.array([1, 1]), condition(4)).tolist() == [1, 1]
