"""A plan in words: singular and plural, dynamic overlap, the share of control tasks."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.money import Money
from hpo.answer.plan_in_words import counted, plan_in_words, told_plan_in_words
from hpo.trial.outcome import plan_to_plain
from labeling.types import DynamicOverlap, LabelPlan
from tests import ROOT


@pytest.mark.parametrize(
    ("key", "suite_size", "words"),
    [
        (
            "p0.001-k1-c1-n686-exam",
            10,
            "686 images, 1 answer each, $0.001 a task, with exam, 1 control task in 10",
        ),
        (
            "p0.02-k3-c0-n1",
            10,
            "1 image, 3 answers each, $0.02 a task, without exam, no control tasks",
        ),
        (
            "p0.0015-k2to5at0.9-c2-n10388",
            8,
            "10,388 images, 2 to 5 answers each until 90 % sure, $0.0015 a task, without exam, "
            "2 control tasks in 8",
        ),
        (
            "p0.001-k1-c1-n2",
            None,
            "2 images, 1 answer each, $0.001 a task, without exam, 1 control task a page",
        ),
    ],
)
def test_a_plan_in_words(key: str, suite_size: int | None, words: str) -> None:
    assert plan_in_words(LabelPlan.parse(key), suite_size) == words


overlaps = st.one_of(
    st.integers(1, 30).map(lambda k: (k, None)),
    st.tuples(st.integers(1, 9), st.integers(0, 9), st.sampled_from([0.8, 0.9, 0.95, 0.999])).map(
        lambda t: (t[0] + t[1], DynamicOverlap(t[0], t[0] + t[1], t[2]))
    ),
)
plans = st.builds(
    lambda price, overlap, controls, tasks, exam: LabelPlan(
        Money(price), overlap[0], controls, tasks, exam, overlap[1]
    ),
    st.integers(1, 2_000_000),
    overlaps,
    st.integers(0, 9),
    st.integers(1, 2_000_000),
    st.booleans(),
)


def told(plan: LabelPlan) -> dict[str, object]:
    """The plan as reports hold it."""
    raw = {**plan_to_plain(plan), "price_per_task": plan.price.to_json()}
    del raw["price_micros"]
    return raw


@given(plans, st.one_of(st.none(), st.integers(10, 100)))
def test_a_report_says_a_plan_as_the_program_does(plan: LabelPlan, suite_size: int | None) -> None:
    words = plan_in_words(plan, suite_size)
    assert told_plan_in_words(told(plan), suite_size) == words
    for noun in ("image", "answer", "control task"):
        assert f" 1 {noun}s" not in f" {words}"
    assert "\n" not in words


@given(st.lists(plans, min_size=2, max_size=2))
def test_other_plans_have_other_words(pair: list[LabelPlan]) -> None:
    def meaning(plan: LabelPlan) -> tuple[object, ...]:
        rule = plan.dynamic  # from 3 to 3 answers is 3 answers
        is_open = rule is not None and rule.least < rule.most
        return (
            *(plan.price, plan.overlap, plan.controls, plan.tasks, plan.exam),
            rule if is_open else None,
        )

    first, second = pair
    same = plan_in_words(first, 10) == plan_in_words(second, 10)
    assert same == (meaning(first) == meaning(second))


def test_a_count_has_its_noun() -> None:
    assert [counted(n, "plan") for n in (0, 1, 2, 1000)] == [
        "0 plans",
        "1 plan",
        "2 plans",
        "1,000 plans",
    ]


def test_words_take_no_arrays() -> None:
    code = "import sys, hpo.answer.plan_in_words; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
