"""The plan that a practitioner buys by: exam, one answer, the lowest price in time."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from budget.money import Money
from hpo.search.rule_of_thumb import practitioner_plan
from labeling.types import LabelPlan

PRICES = [Money(1_000), Money(2_000), Money(4_000)]
PLANS = [
    LabelPlan(price, overlap, controls, tasks, exam)
    for price, overlap, controls, tasks, exam in itertools.product(
        PRICES, (1, 3), (0, 1, 2), (20, 100), (False, True)
    )
]


def minutes(rate: float) -> Callable[[LabelPlan], float]:
    """Minutes that fall with the price: at $0.001 a task takes 1/rate minutes."""
    return lambda plan: plan.tasks * 1_000 / plan.price.micros / rate


def chosen(longest: float | None, affordable: int = 1000, plans: list[LabelPlan] = PLANS) -> str:
    return practitioner_plan(plans, minutes(10), longest, lambda plan: affordable).key


def test_without_a_deadline_it_is_the_cheapest_with_an_exam_for_the_whole_pool() -> None:
    assert chosen(None) == "p0.001-k1-c0-n100-exam"


@pytest.mark.parametrize(("longest", "price"), [(10, "0.001"), (5, "0.002"), (2.5, "0.004")])
def test_a_deadline_asks_for_the_lowest_price_that_keeps_it(longest: float, price: str) -> None:
    assert chosen(longest) == f"p{price}-k1-c0-n100-exam"


def test_a_deadline_that_no_price_keeps_gets_the_quickest() -> None:
    assert chosen(0.1) == "p0.004-k1-c0-n100-exam"


def test_little_money_labels_few_images_which_a_low_price_does_in_time() -> None:
    assert chosen(5, affordable=50) == "p0.001-k1-c0-n100-exam"


def test_without_exams_it_has_a_control_task() -> None:
    plain = [plan for plan in PLANS if not plan.exam]
    assert chosen(None, plans=plain) == "p0.001-k1-c1-n100"
