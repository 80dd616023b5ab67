"""Which images are asked about: those without a label first, then the least sure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hpo.study.delivery.allocation import (
    Standing,
    first_answers,
    further_answers,
)
from hpo.trial.purchase import MOST_ANSWERS


def standing(answers: list[int], sure: list[float] | None = None, room: int = 99) -> Standing:
    counts = np.array(answers, dtype=np.int64)
    probabilities = None if sure is None else np.array(sure)
    return Standing(counts, np.full(len(counts), room), probabilities)


def test_images_without_a_label_come_first_in_the_pools_order() -> None:
    owned = standing([1, 0, 2, 0, 0])
    assert owned.is_first_round
    assert first_answers(owned, most=2, affordable=9, suite=1).tolist() == [1, 3]


def test_where_money_bears_some_images_only_a_model_chooses_the_least_sure() -> None:
    owned = standing([1] * 20 + [0] * 80)
    assert owned.looks(affordable=40)
    assert not owned.looks(affordable=80)  # all get an answer
    assert not standing([1] * 19 + [0] * 81).looks(affordable=40)  # too few labels to look by
    few = standing([1] * 13 + [0] * 87)
    assert first_answers(few, most=99, affordable=40, suite=5).tolist() == list(range(13, 23))
    predicted = np.linspace(0.99, 0.4, 100)
    chosen = first_answers(replace(owned, predicted=predicted), most=99, affordable=40, suite=5)
    assert chosen.tolist() == list(range(99, 89, -1))


def test_a_few_bare_images_wait_for_the_next_round_and_lead_it() -> None:
    bare = standing([0] + [1] * 99, [0.0] + [0.9] * 99)
    assert not bare.is_first_round
    assert further_answers(bare, most=50, affordable=50, suite=10)[0] == 0


def test_the_least_sure_are_asked_again_and_nobody_beyond_the_most_answers() -> None:
    sure = [0.9, 0.5, 0.7, 0.6]
    counts = [1, MOST_ANSWERS, 1, 1]
    asked = further_answers(standing(counts, sure), most=2, affordable=6, suite=1)
    assert asked.tolist() == [3, 2]


def test_even_answers_go_where_there_are_fewest() -> None:
    asked = further_answers(standing([3, 1, 2, 1]), most=3, affordable=9, suite=1)
    assert asked.tolist() == [1, 3, 2]


@given(
    counts=st.lists(st.integers(0, MOST_ANSWERS + 1), min_size=1, max_size=60),
    most=st.integers(1, 80),
    affordable=st.integers(1, 200),
    suite=st.integers(1, 9),
    room=st.integers(0, 2),
)
def test_a_round_is_affordable_asks_each_image_once_and_fills_its_pages(
    counts: list[int], most: int, affordable: int, suite: int, room: int
) -> None:
    asked = further_answers(standing(counts, room=room), most, affordable, suite)
    assert len(asked) <= min(most, affordable)
    assert len(set(asked.tolist())) == len(asked)
    assert all(counts[place] < MOST_ANSWERS for place in asked)
    assert len(asked) % suite == 0 or len(asked) < suite
    able = sum(count < MOST_ANSWERS for count in counts) if room else 0
    assert bool(len(asked)) == bool(able)
