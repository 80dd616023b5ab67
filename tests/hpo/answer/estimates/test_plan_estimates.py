"""Estimates of plans on surfaces whose accuracy is known."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from hpo.answer.advice.advisor import Advisor
from hpo.answer.estimates.plan_estimates import PlanEstimates, tolerance
from hpo.trial.world import World
from tests.hpo.answer.surfaces import SURFACES, conditions, measured, steep


@pytest.fixture(scope="module")
def world(module_study: Callable[..., Any]) -> World:
    return module_study(study="s", budget="20").world


@pytest.fixture(scope="module")
def recorded(module_study: Callable[..., Any]) -> Callable[[], World]:
    """The same study on a market without purchase luck, as of recorded answers."""
    world = module_study(study="recorded", budget="20").world
    kind = world.market.kind._replace(sells_again=False, knows_price=False)
    return world.but(market=dataclasses.replace(world.market, kind=kind))


@pytest.mark.parametrize("count", [1, 3, 6])
@pytest.mark.parametrize("name", list(SURFACES))
def test_an_estimate_is_within_two_points_of_what_was_measured(
    name: str, count: int, world: World
) -> None:
    plans = [plan for some in conditions(world, count) for plan in some]
    evidence = measured(plans, SURFACES[name], world, 0.0, seed=count)
    told = PlanEstimates(world, evidence).of(plans)
    away = [abs(e.accuracy - m.accuracy) for e, m in zip(told, evidence, strict=True)]
    assert max(away) < 0.02
    assert all(e.low <= e.accuracy <= e.high for e in told)


@pytest.mark.parametrize("name", list(SURFACES))
def test_a_dearer_plan_is_never_worse_than_one_it_contains(name: str, world: World) -> None:
    plans = [plan for some in conditions(world, 3) for plan in some]
    estimates = PlanEstimates(world, measured(plans, SURFACES[name], world, 0.02, seed=5))
    all_plans = [plan for some in conditions(world, 6) for plan in some]
    told = {e.plan: e.accuracy for e in estimates.of(all_plans)}
    for plan, accuracy in told.items():
        for other, more in told.items():
            same = world.condition(plan).key == world.condition(other).key
            if same and other.tasks >= plan.tasks and other.overlap >= plan.overlap:
                assert more >= accuracy - 1e-6


def test_intervals_widen_away_from_measurements(world: World) -> None:
    plans = conditions(world, 1)[0]
    smallest = [p for p in plans if p.tasks == min(q.tasks for q in plans)]
    estimates = PlanEstimates(world, measured(smallest, steep, world, 0.005, seed=1))
    near, far = smallest[0], dataclasses.replace(smallest[0], tasks=100 * smallest[0].tasks)
    told = estimates.of([near, far])
    assert told[1].high - told[1].low > 1.5 * (told[0].high - told[0].low)


def test_beyond_all_measured_tasks_the_curve_may_slow_down(world: World) -> None:
    """A power law that fits exactly, as far as it was seen, is no proof of what comes."""
    plans = conditions(world, 1)[0]
    made = [
        dataclasses.replace(m, images=40_000) for m in measured(plans, steep, world, 0.0, seed=4)
    ]
    estimates = PlanEstimates(world, made)
    most = max(plans, key=lambda plan: (plan.tasks, plan.overlap))
    five = dataclasses.replace(most, tasks=5 * most.tasks)
    drawn = estimates.draws([most, five])
    gained = drawn[:, 1] - drawn[:, 0]
    assert gained.mean() < steep(five) - steep(most)
    assert gained.std() > 1.5 * drawn[:, 0].std()
    assert gained.min() >= 0


def test_on_every_draw_more_is_never_worse_beyond_all_measured_tasks(world: World) -> None:
    plans = conditions(world, 1)[0]
    estimates = PlanEstimates(world, measured(plans, steep, world, 0.02, seed=4))
    rows = [
        [dataclasses.replace(plans[0], tasks=n, overlap=k) for n in (900, 1000, 3000, 9000)]
        for k in (1, 3, 7)
    ]
    drawn = [estimates.draws(row) for row in rows]
    for row in drawn:
        assert (row[:, 1:] >= row[:, :-1] - 1e-9).all()
    for fewer, more in itertools.pairwise(drawn):
        assert (more >= fewer - 1e-9).all()


def test_nothing_measured_gives_the_prior_between_chance_and_certainty(world: World) -> None:
    told = PlanEstimates(world, []).of(world.space.plans[:5])
    for e in told:
        assert 1 / 3 - 1e-6 <= e.low < e.high <= 1


def test_recorded_answers_have_no_luck_between_purchases(world: World, recorded: World) -> None:
    plans = conditions(recorded, 1)[0]
    lucky = PlanEstimates(world, measured(plans, steep, world, 0.02, seed=2))
    sure = PlanEstimates(recorded, measured(plans, steep, recorded, 0.02, seed=2))
    assert sure.purchase_sd(plans).max() < lucky.purchase_sd(plans).min()


def test_a_flat_record_recommends_its_cheapest_plan(recorded: World) -> None:
    """As recorded answers of sharp labels: more answers to the same images add nothing."""
    plans = conditions(recorded, 1)[0]
    evidence = measured(plans, lambda plan: 0.9 - 20 / plan.tasks, recorded, 0.002, 3)
    best = Advisor(PlanEstimates(recorded, evidence), plans).best
    assert best is not None
    assert best.plan.overlap == min(plan.overlap for plan in plans)


def test_the_tolerance_is_a_point_or_a_tenth_of_the_error() -> None:
    assert tolerance(0.80) == pytest.approx(0.01)
    assert tolerance(0.97) == pytest.approx(0.003)
