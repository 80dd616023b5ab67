"""What to buy, what more money gives, and the inverse questions, on surfaces that are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from budget.money import Money
from hpo.answer.advice.advisor import Advisor, estimate_to_plain
from hpo.answer.advice.baselines import largest_for
from hpo.answer.advice.candidates import BEYOND
from hpo.answer.advice.more_money import NOISE, RATE, SMALL, forecasts, highest_rate, verdict
from hpo.answer.advice.questions import campaign, price_of
from hpo.answer.advice.recommend import (
    SURE,
    best_for,
    estimated_front,
    net_dollars,
    recommend,
    told_apart,
)
from hpo.answer.estimates.plan_estimates import Estimate, PlanEstimates, tolerance
from hpo.answer.plan_in_words import plan_in_words
from hpo.answer.sentences import percent
from hpo.trial.world import World
from labeling.types import LabelPlan
from tests.hpo.answer.surfaces import Surface, conditions, flat, measured, steep


@pytest.fixture(scope="module")
def world(module_study: Callable[..., Any]) -> World:
    return module_study(study="s", budget="20").world


def asked_for(world: World, **settings: object) -> World:
    """The same world under other goals."""
    return dataclasses.replace(world, config=dataclasses.replace(world.config, **settings))


def advisor_of(
    world: World, surface: Surface, noise: float = 0.002, **settings: object
) -> tuple[Advisor, list[LabelPlan]]:
    """The advice on a surface of which one condition is measured."""
    plans = conditions(world, 1)[0]
    there = asked_for(world, **settings)
    estimates = PlanEstimates(there, measured(plans, surface, there, noise, seed=1))
    return Advisor(estimates, plans), plans


def test_without_a_goal_the_cheapest_plan_near_the_best_is_recommended(world: World) -> None:
    advisor, _ = advisor_of(world, steep)
    best, front = advisor.best, advisor.front
    assert best is not None
    most = max(e.accuracy for e in front)
    near = [e for e in front if e.accuracy >= most - tolerance(most) - 1e-9]
    assert best == min(near, key=lambda e: e.price)
    assert recommend([], advisor.estimates, world.config) is None


def test_a_target_is_named_only_where_a_purchase_almost_surely_reaches_it(world: World) -> None:
    advisor, _ = advisor_of(world, steep, target=0.75)
    best = advisor.best
    assert best is not None
    assert advisor.is_target_reached
    assert advisor.estimates.chance_of(best.plan, 0.75) >= SURE
    cheaper = [e for e in advisor.tried if e.price < best.price]
    assert all(advisor.estimates.chance_of(e.plan, 0.75) < SURE for e in cheaper)
    beyond, _ = advisor_of(world, steep, target=0.999)
    assert not beyond.is_target_reached
    assert beyond.best is not None  # as without a target
    assert beyond.all()["target"]["chosen"] is None


def test_worth_chooses_the_plan_that_is_worth_most_after_its_price(world: World) -> None:
    dear, _ = advisor_of(world, steep, worth=Money.parse("100"))
    cheap, _ = advisor_of(world, steep, worth=Money(1))
    assert dear.best is not None
    assert cheap.best is not None
    assert dear.best.price > cheap.best.price
    worth = Money.parse("100")
    assert all(net_dollars(e, worth) <= net_dollars(dear.best, worth) + 1e-6 for e in dear.tried)
    assert cheap.best == min(cheap.front, key=lambda e: e.price)


def test_the_plan_bought_again_stays_unless_another_is_better_beyond_doubt(world: World) -> None:
    advisor, _ = advisor_of(world, steep)
    assert advisor.best is not None
    dearest = max(advisor.front, key=lambda e: e.price)
    kept = dataclasses.replace(advisor, preferred=dearest.plan)
    assert kept.best == dearest
    smallest = min(advisor.front, key=lambda e: e.price)
    left = dataclasses.replace(advisor, preferred=smallest.plan)
    assert left.best == advisor.best
    assert left.why == advisor.why


def test_a_plan_that_stays_is_not_called_the_cheapest(world: World) -> None:
    advisor, _ = advisor_of(world, flat, noise=0.01)
    assert advisor.best is not None
    dearest = max(advisor.front, key=lambda e: e.price)
    assert dearest != advisor.best
    kept = dataclasses.replace(advisor, preferred=dearest.plan)
    assert kept.best == dearest
    said = f"({plan_in_words(advisor.best.plan)}, for {advisor.best.price.cents()})"
    assert kept.why.endswith(f"is not better beyond doubt {said}")
    assert not kept.estimates.is_better(advisor.best.plan, dearest.plan)


def test_the_reason_is_that_of_the_rule_that_chose(world: World) -> None:
    """With a target in reach the plan that reaches it stays; out of reach, the tolerance rules."""
    advisor, _ = advisor_of(world, steep, target=0.7)
    assert advisor.best is not None
    dearest, smallest = (pick(advisor.front, key=lambda e: e.price) for pick in (max, min))
    kept = dataclasses.replace(advisor, preferred=dearest.plan)
    assert kept.best == dearest
    assert "it reaches 70 %, too, as does" in kept.why
    assert plan_in_words(advisor.best.plan) in kept.why
    assert "beyond doubt" not in kept.why
    left = dataclasses.replace(advisor, preferred=smallest.plan)
    assert left.best == advisor.best
    assert left.why == "cheapest evaluated plan that reaches 70 % with 90 % probability"
    beyond, _ = advisor_of(world, steep, target=0.999)
    poor = dataclasses.replace(beyond, preferred=smallest.plan)
    assert beyond.estimates.is_better(beyond.best.plan, smallest.plan)  # type: ignore[union-attr]
    assert poor.best == beyond.best  # better beyond doubt, target or not


def test_the_verdict_says_why_it_stops(world: World) -> None:
    advisor, _ = advisor_of(world, steep)
    assert advisor.best is not None
    cheapest = min(advisor.offers, key=lambda e: e.price)
    urged = verdict(cheapest, advisor.offers, advisor.estimates, 0.0)
    assert urged.why == ""
    dear = verdict(cheapest, advisor.offers, advisor.estimates, 1000 * urged.rate)
    assert dear.why == RATE
    level, _ = advisor_of(world, flat)
    assert level.verdict.why == NOISE
    near = [e for e in advisor.offers if 0 < e.accuracy - cheapest.accuracy < 0.005]
    sure = [e for e in near if advisor.estimates.gain(e.plan, cheapest.plan).told_from_noise]
    assert verdict(cheapest, near, advisor.estimates, 0.0).why == (SMALL if sure else NOISE)


def test_what_is_asked_and_what_is_forecast_are_one(world: World) -> None:
    """The best plan for twice the money is the same to `ask` and in the report."""
    advisor, _ = advisor_of(world, steep)
    assert advisor.best is not None
    for row in advisor.all()["forecast"]["at"]:
        asked = advisor.best_for(advisor.best.price * row["times"])
        assert asked is not None
        assert row["plan"]["key"] == asked.plan.key
        assert row["accuracy"] == round(asked.accuracy, 6)


def test_no_plan_that_is_asked_for_costs_more_than_the_limit(world: World) -> None:
    advisor, _ = advisor_of(world, steep)
    limit = advisor.limit
    assert limit == Money.parse("20").share(world.config.plan_share)
    told = advisor.best_for(limit * 10)
    assert told is not None
    assert told.price <= limit
    assert (
        dataclasses.replace(
            advisor,
            estimates=advisor.estimates.under(dataclasses.replace(world.config, pool_size=50_000)),
        ).limit
        is None
    )


def test_an_accuracy_is_priced_by_any_number_of_images_and_never_denied_by_the_money(
    world: World,
) -> None:
    advisor, _ = advisor_of(world, steep)
    asked = advisor.price_of(0.8)
    assert asked.chosen is not None
    assert not asked.is_evaluated
    assert asked.chosen.plan.tasks not in world.space.tasks
    best = advisor.best_for(asked.chosen.price)
    assert best is not None
    assert best.accuracy >= 0.8
    in_tries = price_of(0.8, advisor.tried, advisor.estimates)
    assert in_tries.chosen is not None
    assert asked.chosen.price <= in_tries.chosen.price
    assert asked.low is not None
    assert asked.low <= asked.chosen.price.dollars


def test_what_was_tried_at_one_level_only_is_not_called_without_effect(world: World) -> None:
    plans = [p for p in conditions(world, 1)[0] if p.overlap == 1][:1]
    estimates = PlanEstimates(world, measured(plans, steep, world, 0.002, seed=1))
    told = Advisor(estimates, plans).all()
    assert {row["tried"] for row in told["matters"]} == {False}
    assert told["importance"] == []
    more, _ = advisor_of(world, steep)
    rows = {row["knob"]: row["tried"] for row in more.all()["matters"]}
    assert rows["tasks"]
    assert not rows["price"]
    assert {row["knob"] for row in more.all()["importance"]} == {k for k, v in rows.items() if v}


def test_a_direct_purchase_never_costs_more_than_the_money(world: World) -> None:
    advisor, plans = advisor_of(world, steep)
    largest = max(plans, key=lambda plan: plan.tasks)
    for dollars in ("0.02", "0.1313", "0.5", "1", "1.3007", "5"):
        bought = largest_for(largest, Money.parse(dollars), advisor.estimates)
        assert advisor.estimates.costs.price(bought) <= Money.parse(dollars)


def test_rows_that_cannot_be_told_apart_are_one_row(world: World) -> None:
    advisor, _ = advisor_of(world, flat, noise=0.01)
    front = estimated_front(advisor.tried)
    assert len(told_apart(front, advisor.estimates, [])) < max(2, len(front))
    steeper, _ = advisor_of(world, steep)
    assert len(told_apart(steeper.front, steeper.estimates, [])) >= 3


def test_the_verdict_urges_only_to_gains_told_from_noise(world: World) -> None:
    advisor, _ = advisor_of(world, steep)
    cheapest = min(advisor.offers, key=lambda e: e.price)
    urged = verdict(cheapest, advisor.offers, advisor.estimates, 0.0)
    assert urged.gain is not None
    assert urged.gain.low > 0
    assert urged.chosen is not None
    assert urged.chosen.price > cheapest.price
    assert verdict(cheapest, advisor.offers, advisor.estimates, 2 * urged.rate).chosen is None
    level, _ = advisor_of(world, flat)
    assert level.all()["verdict"]["stop"]


def test_the_highest_rate_bounds_the_verdict(world: World) -> None:
    advisor, _ = advisor_of(world, steep)
    cheapest = min(advisor.offers, key=lambda e: e.price)
    urged = verdict(cheapest, advisor.offers, advisor.estimates, 0.0)
    assert urged.rate <= highest_rate(cheapest, advisor.offers) + 1e-9


def test_forecasts_name_plans_within_the_limits_and_never_fall(world: World) -> None:
    advisor, _ = advisor_of(world, steep)
    assert advisor.best is not None
    rows = forecasts(advisor.best, advisor.offers, advisor.estimates)
    assert [row.times for row in rows] == [2, 5]
    accuracies = [advisor.best.accuracy, *(row.estimate.accuracy for row in rows)]
    assert accuracies == sorted(accuracies)
    for row in rows:
        assert row.estimate.price <= advisor.best.price * row.times
        assert advisor.estimates.costs.outside(row.estimate.plan) is None
    dearest = max(advisor.offers, key=lambda e: e.accuracy)
    assert all(r.estimate == dearest for r in forecasts(dearest, [dearest], advisor.estimates))


def test_the_price_of_an_accuracy_lies_in_its_interval_and_rises(world: World) -> None:
    advisor, _ = advisor_of(world, steep)
    prices = [price_of(a, advisor.offers, advisor.estimates) for a in (0.6, 0.7, 0.8)]
    dollars = [p.chosen.price.dollars for p in prices if p.chosen]
    assert dollars == sorted(dollars)
    assert dollars
    for price in prices:
        if price.chosen is not None:
            assert price.low is not None
            assert price.low <= price.chosen.price.dollars
    none = price_of(0.9999, advisor.offers, advisor.estimates)
    assert (none.chosen, none.low, none.high) == (None, None, None)


def test_more_money_never_names_a_worse_plan(world: World) -> None:
    advisor, _ = advisor_of(world, steep)
    told = [best_for(Money.parse(d), advisor.offers) for d in ("0.001", "0.05", "0.2", "5")]
    assert told[0] is None
    accuracies = [e.accuracy for e in told if e is not None]
    assert accuracies == sorted(accuracies)


def test_money_buys_any_number_of_images(world: World) -> None:
    advisor, _ = advisor_of(world, steep)
    few = min(advisor.offers, key=lambda e: e.price)
    next_size = sorted(world.space.tasks)[1]
    many = advisor.estimates.of([dataclasses.replace(few.plan, tasks=next_size)])[0]
    between = Money((few.price.micros + many.price.micros) // 2)
    told = advisor.best_for(between)
    assert told is not None
    assert told.price <= between
    assert few.accuracy < told.accuracy
    assert few.plan.tasks < told.plan.tasks
    assert told.plan.tasks not in world.space.tasks
    more = dataclasses.replace(told.plan, tasks=told.plan.tasks + 10)  # a page more
    assert advisor.estimates.costs.price(more) > between
    assert advisor.best_for(Money(1)) is None


def test_a_larger_pool_asks_for_more_where_the_curve_still_rises(world: World) -> None:
    advisor, plans = advisor_of(world, steep)
    most = max(plan.tasks for plan in plans)
    small, large = (campaign(n, advisor.estimates) for n in (2 * most, 10 * most))
    assert small.chosen is not None
    assert large.chosen is not None
    assert large.chosen.plan.tasks > small.chosen.plan.tasks
    assert large.chosen.accuracy > small.chosen.accuracy
    beyond = campaign(100 * most, advisor.estimates)
    assert beyond.answerable == BEYOND * most
    assert all(e.plan.tasks <= beyond.answerable for e in beyond.offers)


def test_a_deadline_holds_for_a_larger_pool(world: World) -> None:
    advisor, plans = advisor_of(world, steep, max_minutes=5.0)
    made = campaign(5 * max(plan.tasks for plan in plans), advisor.estimates)
    assert made.offers
    assert all(e.minutes is not None and e.minutes <= 5 for e in made.offers)


def test_the_rule_of_thumb_is_not_compared_with_itself(world: World) -> None:
    advisor, _ = advisor_of(world, steep)
    assert advisor.best is not None
    rule = dataclasses.replace(advisor, rule=[advisor.best.plan]).all()["rule_of_thumb"]
    assert rule["is_the_rule"]
    assert rule["gain"] == {"points": 0.0, "interval_95": [0.0, 0.0], "told_from_noise": False}
    assert not advisor.all()["rule_of_thumb"]["is_the_rule"]


@pytest.mark.parametrize(("surface", "helps"), [(steep, True), (flat, False)])
@pytest.mark.parametrize("noise", [0.005, 0.02])
def test_more_money_is_advised_where_it_helps_and_nowhere_else(
    surface: Surface, helps: bool, noise: float, world: World
) -> None:
    """From a fifth of the tasks, where those that were tried say how the rest goes on."""
    plans = [plan for plan in conditions(world, 1)[0] if plan.overlap == 1]
    cheap, dearest = (pick(plans, key=lambda plan: plan.tasks) for pick in (min, max))
    for seed in range(3):
        estimates = PlanEstimates(world, measured(plans, surface, world, noise, seed))
        (chosen,) = estimates.of([cheap])
        made = verdict(chosen, estimates.of(plans), estimates, 0.0)
        assert (made.chosen is not None) == helps
        if made.chosen is not None and made.gain is not None:
            truly = surface(made.chosen.plan) - surface(cheap)
            assert surface(dearest) - surface(cheap) >= truly > tolerance(surface(cheap))
            assert made.gain.low <= truly <= made.gain.high


def test_an_estimate_and_an_outcome_of_one_plan_are_told_alike(world: World) -> None:
    """Outcomes have six decimals; with four, 91.7475 % became 91.75 and then 91.8 %."""
    plan = conditions(world, 1)[0][0]
    made = Estimate(plan, 0.917475, 0.8, 0.95, Money.parse("1"), None)
    assert percent(estimate_to_plain(made)["accuracy"]) == percent(made.accuracy) == "91.7 %"
