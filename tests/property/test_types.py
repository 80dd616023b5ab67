"""Every plan's key reads back to the same plan, and no other text does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.errors import InputError
from budget.money import Money
from labeling.types import DynamicOverlap, LabelPlan

COUNTS = st.integers(1, 10**6)
RULES = st.builds(
    lambda least, further, sure: DynamicOverlap(least, least + further, sure),
    st.integers(1, 50),
    st.integers(0, 50),
    st.floats(0, 1, exclude_min=True, exclude_max=True),
)


@st.composite
def plans(draw: st.DrawFn) -> LabelPlan:
    rule = draw(st.none() | RULES)
    overlap = rule.most if rule else draw(COUNTS)
    price = Money(draw(st.integers(0, 10**12)))
    return LabelPlan(price, overlap, draw(COUNTS), draw(COUNTS), draw(st.booleans()), rule)


@given(plans())
def test_a_key_reads_back_to_its_plan(plan: LabelPlan) -> None:
    assert LabelPlan.parse(plan.key) == plan


@given(plans(), st.integers(0, 60), st.characters())
def test_a_changed_key_is_refused_or_names_itself(plan: LabelPlan, at: int, other: str) -> None:
    key = plan.key[:at] + other + plan.key[at + 1 :]
    try:
        found = LabelPlan.parse(key)
    except (InputError, ValueError):
        return
    assert LabelPlan.parse(found.key) == found


def test_the_error_names_the_flag() -> None:
    with pytest.raises(InputError, match="--plan: 'x' is no plan"):
        LabelPlan.parse("x", "--plan")
