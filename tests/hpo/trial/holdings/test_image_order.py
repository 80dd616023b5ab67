"""Conditions of a search label different images, and keep theirs whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.money import Money
from hpo.settings.stored_answer import to_json
from hpo.study.study import Study
from hpo.trial import purchase
from hpo.trial.holdings import image_order
from hpo.trial.holdings.image_order import beginning
from labeling.types import Condition, LabelPlan, Order

POOL = np.array([7, 3, 9, 1, 4, 8, 2, 6, 0, 5])
CHEAP = LabelPlan(Money(1000), 1, 0, 20, False)
DEARER = LabelPlan(Money(2000), 1, 0, 18, False)


def condition(number: int) -> Condition:
    return Condition("data", "market", "campaign", Money(number), 0, 10, False)


def order(number: int, start: int, tasks: int, tranche: int = 0) -> Order:
    rows = np.roll(POOL, -start)[:tasks]
    wanted = tuple((int(row), 1) for row in rows)
    return Order(condition(number), tranche, wanted, 99, None)


@given(st.lists(st.integers(1, 10), min_size=1, max_size=5))
def test_conditions_label_images_without_labels_while_there_are_any(sizes: list[int]) -> None:
    orders: list[Order] = []
    for number, size in enumerate(sizes, start=1):
        orders.append(order(number, beginning(condition(number), POOL, orders, True), size))
    labelled = {row for bought in orders for row, _ in bought.wanted}
    assert len(labelled) == min(sum(sizes), len(POOL))


@given(st.lists(st.integers(1, 10), min_size=1, max_size=5), st.data())
def test_a_condition_keeps_its_place_whatever_is_bought_later(
    sizes: list[int], data: st.DataObject
) -> None:
    orders = [order(1, data.draw(st.integers(0, 9)), sizes[0])]
    place = beginning(condition(1), POOL, orders, True)
    assert POOL[place] == orders[0].wanted[0][0]
    for number, size in enumerate(sizes[1:], start=1):
        other = data.draw(st.integers(1, 3))
        orders.append(order(other, data.draw(st.integers(0, 9)), size, tranche=number))
        assert beginning(condition(1), POOL, orders, True) == place
        assert beginning(condition(1), POOL, orders, False) == place
    assert beginning(condition(9), POOL, orders, False) == 0


def test_tasks_outside_the_pool_count_for_nothing() -> None:
    elsewhere = Order(condition(1), 0, ((77, 1),), 9, None)
    assert beginning(condition(1), POOL, [elsewhere], True) == 0
    assert beginning(condition(2), POOL, [elsewhere], True) == 0


# --- in a study; FEWEST is lowered so that a pool of 90 images counts as large ---


@pytest.fixture
def moving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_order, "FEWEST", 1)
    monkeypatch.setattr(image_order, "ANSWERS", 10_000)  # any budget is short


Make = Callable[..., Study]


def test_small_pools_and_studies_that_deliver_label_from_the_first_image(
    small_study: Make, moving: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not small_study(study="m", goal="model", exam="off").world.prices.moves
    assert small_study(study="p").world.prices.moves
    monkeypatch.undo()
    assert not small_study(study="q").world.prices.moves


def test_a_plan_of_another_condition_takes_other_images_and_owned_plans_cost_nothing(
    small_study: Make, moving: None
) -> None:
    world = small_study(study="s", budget="20").world
    purchase.buy(DEARER, world)
    first = world.tasks(DEARER)
    assert not set(first) & set(world.tasks(CHEAP))
    purchase.buy(CHEAP, world)
    assert world.tasks(DEARER) == first
    for plan in (CHEAP, DEARER):
        assert world.prices.to_buy(plan).answers == 0
        assert world.prices.lacking(plan) is None
        answers = world.store.answers(world.condition(plan))
        assert set(answers.task[~answers.control].tolist()) == set(world.tasks(plan))
    other = small_study(study="s", budget="20").world  # as another process sees it
    assert [other.tasks(plan) for plan in (CHEAP, DEARER)] == [
        world.tasks(plan) for plan in (CHEAP, DEARER)
    ]


def test_a_condition_that_another_process_began_is_gone_on_with(
    small_study: Make, moving: None
) -> None:
    mine, other = (small_study(study="s", budget="20").world for _ in range(2))
    purchase.buy(CHEAP, mine)
    mine.tasks(DEARER)  # a look at where it would begin
    purchase.buy(DEARER, other)
    purchase.buy(LabelPlan(DEARER.price, 1, 0, 30, DEARER.exam), mine)
    answers = mine.store.answers(mine.condition(DEARER))
    assert len(set(answers.task[~answers.control].tolist())) == 30


@pytest.mark.slow
def test_an_interrupted_study_ends_as_if_undisturbed(
    small_study: Make, moving: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = small_study(study="s", runs=tmp_path / "a").run()
    made: list[int] = []
    place = purchase.purchase

    def stops(*args: object) -> None:
        made.append(1)
        if len(made) == 3:
            raise KeyboardInterrupt
        place(*args)  # type: ignore[arg-type]

    broken = small_study(study="s", runs=tmp_path / "b")
    with monkeypatch.context() as patched:
        patched.setattr(purchase, "purchase", stops)
        with pytest.raises(KeyboardInterrupt):
            broken.run()
    broken.close()
    resumed = small_study(study="s", runs=tmp_path / "b").run()
    assert to_json(resumed) == to_json(whole)


def test_where_the_budget_pays_many_answers_an_image_new_conditions_begin_at_the_first(
    small_study: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_order, "FEWEST", 1)
    first = small_study(study="s", budget="0.1").world
    purchase.buy(DEARER, first)
    place = first.tasks(CHEAP)[0]
    raised = small_study(study="s", budget="20").world
    assert raised.tasks(DEARER) == first.tasks(DEARER)
    assert raised.tasks(CHEAP)[0] == raised.pool[0] != place
