"""Dynamic overlap: Toloka's documented examples, and what a user writes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.errors import InputError
from budget.money import Money
from labeling.aggregation.dynamic_overlap import confidence, enough, parse_overlap, skill_of, votes
from labeling.types import Condition, DynamicOverlap, LabelPlan
from tests.drawn import examples


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "'0' must be a whole number from 1, or dynamic"),
        ("three", "must be a whole number"),
        ("dynamic(2,5)", "must be a whole number"),
        ("dynamic(2,5,high)", "must be a whole number"),
        ("dynamic(5,2,0.9)", "between 1 and the largest"),
        ("dynamic(0,2,0.9)", "between 1 and the largest"),
        ("dynamic(2,5,90)", "above 0 and below 1"),
    ],
)
def test_a_wrong_overlap_is_refused_in_one_line(text: str, expected: str) -> None:
    with pytest.raises(InputError, match=r"overlap|dynamic") as caught:
        parse_overlap(text)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plans_overlap_is_the_largest_of_its_rule() -> None:
    with pytest.raises(InputError, match="overlap 3 is not the largest"):
        LabelPlan(Money(2_000), 3, 1, 980, False, DynamicOverlap(2, 5, 0.9))


def test_an_overlap_reads_as_it_is_written() -> None:
    assert parse_overlap(" 3 ") == 3
    rule = parse_overlap("dynamic( 2, 5, 0.9 )")
    assert rule == DynamicOverlap(2, 5, 0.9)
    assert parse_overlap(str(rule)) == rule


@pytest.mark.parametrize(
    ("labels", "skills", "percent"),
    [([1, 1], [0.7, 0.9], 97.7), ([0, 1], [0.7, 0.9], 76.1), ([0, 1, 1], [0.7, 0.9, 0.8], 96.2)],
)
def test_the_platforms_documented_examples(
    labels: list[int], skills: list[float], percent: float
) -> None:
    shares = confidence(labels, skills, 3)
    assert shares.argmax() == 1
    assert 100 * shares.max() == pytest.approx(percent, abs=0.05)


def test_without_answers_or_evidence_nothing_is_known() -> None:
    assert confidence([], [], 4).tolist() == [0.25] * 4
    assert skill_of(0, 0) == 0.5
    assert confidence([0, 0, 0], [0.5] * 3, 2).tolist() == [0.5, 0.5]
    assert skill_of(10, 10) == pytest.approx(10.5 / 11)


def test_answers_of_impossible_skill_are_still_answers() -> None:
    assert np.isfinite(confidence([0, 1], [1.0, 0.0], 3)).all()


def test_a_task_is_done_when_sure_or_full_and_never_below_the_least() -> None:
    rule = DynamicOverlap(2, 4, 0.9)
    sure = votes(np.array([0]), 0.999, 3)
    unsure = np.zeros((1, 3))
    for answers, score, done in ((1, sure, False), (2, sure, True), (3, unsure, False)):
        assert enough(rule, np.array([answers]), score).tolist() == [done]
    assert enough(rule, np.array([4]), unsure).tolist() == [True]


def test_keys_tell_dynamic_overlap_and_stay_without_it() -> None:
    rule = DynamicOverlap(2, 5, 0.9)
    assert LabelPlan(Money(2_000), 5, 1, 9, False, rule).key == "p0.002-k2to5at0.9-c1-n9"
    condition = Condition("data", "market", "campaign", Money(2_000), 1, 10, False)
    assert condition.key == "acb7290ac469d2a20c383676ba1bd3c0"
    other = Condition("data", "market", "campaign", Money(2_000), 1, 10, False, rule)
    assert other.key != condition.key


@given(
    answers=st.lists(st.tuples(st.integers(0, 3), st.floats(0.01, 0.99)), max_size=6),
)
@settings(max_examples=examples(100), deadline=None, derandomize=True)
def test_shares_do_not_depend_on_the_order_of_answers(
    answers: list[tuple[int, float]],
) -> None:
    labels, skills = [a for a, _ in answers], [s for _, s in answers]
    shares = confidence(labels, skills, 4)
    assert shares.sum() == pytest.approx(1.0)
    turned = confidence(labels[::-1], skills[::-1], 4)
    assert turned == pytest.approx(shares)
    # The formula itself, without logarithms.
    likely = [np.prod([q if label == z else (1 - q) / 3 for label, q in answers]) for z in range(4)]
    assert shares == pytest.approx(np.array(likely) / np.sum(likely))
