"""The grid of plans, and the box that stands for it."""

import math

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.errors import InputError
from hpo.search.money_aware import distributions
from hpo.settings.config import make_config
from hpo.settings.search_space import SearchSpace, task_count
from tests.drawn import examples

SPACE = SearchSpace.of(make_config({"budget": "20"}), 980)


def test_the_default_space_has_every_combination_once() -> None:
    assert len(SPACE.plans) == 7 * 6 * 4 * 5 * 2
    assert len({plan.key for plan in SPACE.plans}) == len(SPACE.plans)
    assert SPACE.tasks == (98, 196, 392, 686, 980)


def test_every_plan_is_the_plan_of_its_own_draw() -> None:
    for plan in SPACE.plans:
        assert SPACE.plan_of(SPACE.params_of(plan)) == plan


@settings(max_examples=examples(100), deadline=None, derandomize=True)
@given(
    st.floats(0.001, 0.008),
    st.integers(1, 7),
    st.integers(0, 3),
    st.integers(98, 980),
    st.booleans(),
)
def test_a_draw_stands_for_the_nearest_levels(price, overlap, controls, tasks, exam) -> None:
    draw = dict(price=price, overlap=overlap, controls=controls, tasks=tasks, exam=exam)
    plan = SPACE.plan_of(draw)
    assert plan in SPACE.plans
    gap = abs(math.log(tasks / plan.tasks))
    assert all(gap <= abs(math.log(tasks / level)) + 1e-12 for level in SPACE.tasks)


def test_fixed_dimensions_are_left_out_of_the_box() -> None:
    config = make_config({"budget": "20", "price": "0.002", "exam": "off", "tasks": "980"})
    space = SearchSpace.of(config, 980)
    assert set(distributions(space)) == {"overlap", "controls"}
    trial = optuna.create_study().ask(distributions(space))
    assert space.plan_of(trial.params).tasks == 980


def test_counts_above_the_pool_are_refused_and_shares_are_of_the_pool() -> None:
    assert [task_count(text, 55) for text in ("10%", "50%", "100%", "7")] == [6, 28, 55, 7]
    assert task_count("1%", 3) == 1
    with pytest.raises(InputError, match="--tasks: 2000 tasks, but the pool has 980 images"):
        SearchSpace.of(make_config({"budget": "20", "tasks": "2000"}), 980)


def test_nearest_prefers_the_closer_plan_and_breaks_ties_by_name() -> None:
    plan = SPACE.plans[0]
    assert SPACE.nearest(plan, SPACE.plans) == plan
    assert SPACE.nearest(plan, []) is None
    assert SPACE.distance(plan, plan) == 0
