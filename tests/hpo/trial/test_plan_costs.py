"""The price and the minutes of plans: what was measured corrects what a market expects."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from budget.money import ZERO, Money
from hpo.trial.plan_costs import PlanCosts
from hpo.trial.purchase import buy
from hpo.trial.world import World
from labeling.store.records import OrderRecord
from labeling.types import LabelPlan, Order, OrderEnd

PLAN = LabelPlan(Money(1000), 1, 0, 40, False)
CHECKED = dataclasses.replace(PLAN, controls=1)


@pytest.fixture(scope="module")
def world(module_study: Callable[..., Any]) -> World:
    return module_study(study="s", budget="20").world


def ended(
    world: World, plan: LabelPlan, pace: float, unusable: int = 0, tranche: int = 0
) -> OrderRecord:
    """A purchase of a plan that took `pace` times the minutes that the market expects."""
    condition = world.condition(plan)
    usable = world.prices.list_price(plan).assignments
    wanted = tuple((task, plan.overlap) for task in world.tasks(plan))
    minutes = pace * world.source.expected_minutes(condition, usable)
    answers = sum(count for _, count in wanted)
    return OrderRecord(
        Order(condition, tranche, wanted, 2 * usable, None),
        plan.overlap,
        OrderEnd("complete", minutes, 0, 9, 9, 0),
        usable + unusable,
        unusable,
        condition.reward * (usable + unusable),
        condition.reward * unusable,
        ZERO,
        float(condition.reward.micros) ** 2 * (usable + unusable),
        answers,
        answers,
    )


def test_without_orders_the_market_is_believed(world: World) -> None:
    costs = PlanCosts(world, [])
    listed = world.prices.list_price(PLAN)
    assert costs.minutes(PLAN) == pytest.approx(listed.minutes)
    assert costs.price(PLAN) == listed.cost


def test_an_order_moves_its_plans_minutes_towards_what_it_took(world: World) -> None:
    expected = world.prices.list_price(PLAN).minutes
    for pace in (0.5, 2.0):
        shown = PlanCosts(world, [ended(world, PLAN, pace)]).minutes(PLAN)
        assert shown is not None
        assert min(1, pace) * expected < shown < max(1, pace) * expected


def test_a_market_that_keeps_its_own_pace_is_believed_over_its_quote(world: World) -> None:
    prices = [Money(1000 * n) for n in range(1, 41)]
    plans = [dataclasses.replace(PLAN, price=price) for price in prices]
    costs = PlanCosts(world, [ended(world, plan, 2.0) for plan in plans])
    assert all(1.7 < costs.pace(plan) < 2 for plan in plans)


def test_a_larger_order_tells_more_of_the_pace(world: World) -> None:
    small = dataclasses.replace(PLAN, tasks=10)
    after_small, after_large = (PlanCosts(world, [ended(world, p, 2.0)]) for p in (small, PLAN))
    assert 1 < after_small.pace(PLAN) < after_large.pace(PLAN)


def test_a_real_market_is_believed_sooner_than_a_simulation_of_its_own(world: World) -> None:
    kind = world.market.kind._replace(real_money=True)
    real = world.but(market=dataclasses.replace(world.market, kind=kind))
    record = ended(world, PLAN, 2.0)
    assert PlanCosts(real, [record]).pace(PLAN) > PlanCosts(world, [record]).pace(PLAN) + 0.2


def test_annotators_who_return_to_later_orders_do_not_shorten_a_plan(world: World) -> None:
    first = ended(world, PLAN, 1.0)
    later = [ended(world, PLAN, 0.4, tranche=n) for n in (2, 1)]
    assert PlanCosts(world, [*later, first]).pace(PLAN) == pytest.approx(1)


def test_a_plan_in_tranches_is_shown_with_the_minutes_of_one_order(world: World) -> None:
    """Each tranche waits for annotators anew, which a plan bought at once does once."""
    half = dataclasses.replace(PLAN, tasks=20)
    at_pace = [ended(world, half, 1.0, tranche=n) for n in range(2)]
    summed = sum(r.end.minutes for r in at_pace if r.end)
    shown = PlanCosts(world, at_pace).minutes(PLAN)
    assert shown == pytest.approx(world.prices.list_price(PLAN).minutes)
    assert shown < 0.9 * summed


def test_a_real_purchase_is_shown_near_its_order(world: World) -> None:
    buy(PLAN, world)
    (record,) = world.store.all_orders()
    assert record.end is not None
    quoted, shown = world.prices.list_price(PLAN).minutes, PlanCosts(world).minutes(PLAN)
    assert shown is not None
    assert abs(shown - record.end.minutes) < abs(quoted - record.end.minutes)


def test_conditions_share_a_pace(world: World) -> None:
    """A market slower than expected is slower in conditions without an order, too."""
    dear = dataclasses.replace(PLAN, price=Money(4000))
    one = PlanCosts(world, [ended(world, PLAN, 2.0)])
    two = PlanCosts(world, [ended(world, PLAN, 2.0), ended(world, CHECKED, 2.0)])
    assert 1 < one.pace(dear) < one.pace(PLAN) < 2
    assert one.pace(dear) < two.pace(dear) < 2
    # Conditions that differ keep a part of it of their own.
    split = PlanCosts(world, [ended(world, PLAN, 2.0), ended(world, CHECKED, 0.5)])
    assert split.pace(CHECKED) < split.pace(dear) < split.pace(PLAN)


def test_a_market_of_unknown_time_has_no_minutes_and_no_deadline(world: World) -> None:
    class Timeless:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.source, name)

        def expected_minutes(self, condition: object, assignments: int) -> float:
            return 0.0

    market = dataclasses.replace(world.market, source=Timeless())
    config = dataclasses.replace(world.config, max_minutes=0.001)
    costs = PlanCosts(world.but(market=market, config=config), [])
    assert costs.minutes(PLAN) is None
    assert costs.is_in_time(PLAN)


def test_the_deadline_is_held_against_the_measured_minutes(world: World) -> None:
    longest = 1.05 * world.prices.list_price(PLAN).minutes
    strict = world.but(config=dataclasses.replace(world.config, max_minutes=longest))
    assert PlanCosts(strict, []).outside(PLAN) is None
    slow = PlanCosts(strict, [ended(strict, PLAN, 3.0)])
    assert not slow.is_in_time(PLAN)
    assert slow.outside(PLAN) == (f"would take {slow.minutes(PLAN):.1f} minutes, above {longest:g}")


def test_the_price_pays_for_the_share_that_its_condition_lost(world: World) -> None:
    record = ended(world, CHECKED, 1.0, unusable=2)
    costs = PlanCosts(world, [record])
    lost = Fraction(2, record.assignments - 2)
    larger = dataclasses.replace(CHECKED, tasks=10)
    assert costs.unusable_share(CHECKED) == lost
    for plan in (CHECKED, larger):
        assert costs.price(plan) == world.prices.list_price(plan).cost.share(1 + lost)


def test_an_unbought_condition_loses_what_conditions_like_it_lost(world: World) -> None:
    dear = dataclasses.replace(CHECKED, price=Money(4000))
    usual = PlanCosts(world, []).unusable_share(dear)
    clean = PlanCosts(world, [ended(world, CHECKED, 1.0)]).unusable_share(dear)
    spoilt = PlanCosts(world, [ended(world, CHECKED, 1.0, unusable=9)]).unusable_share(dear)
    assert 0 < clean < usual < spoilt
    assert PlanCosts(world, []).unusable_share(PLAN) == 0  # nobody is banned without checks


def test_orders_on_another_market_count_for_nothing(world: World) -> None:
    record = ended(world, PLAN, 3.0)
    elsewhere = dataclasses.replace(record.order.condition, market="another")
    moved = dataclasses.replace(
        record, order=dataclasses.replace(record.order, condition=elsewhere)
    )
    assert PlanCosts(world, [moved]).pace(PLAN) == 1
