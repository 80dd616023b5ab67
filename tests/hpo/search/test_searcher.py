"""The search's decisions: limits, money, the rule of thumb, confirmation, forecasts."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from budget.errors import InputError
from budget.money import ZERO, Money
from hpo.answer.confirmation import affordable, confirming
from hpo.answer.plan_in_words import counted
from hpo.answer.sentences import advice_lines, confirmation_line, merged_line
from hpo.market.quote import Quote, quote
from hpo.search.rule_of_thumb import practitioner_within, rule_curve, rule_purchase
from hpo.search.searcher import Searcher
from hpo.settings.config import make_config
from hpo.settings.search_space import SearchSpace
from hpo.settings.stored_answer import to_json
from hpo.trial.outcome import Outcome
from hpo.trial.purchase import CONFIRMED, mark_of
from hpo.trial.world import World
from labeling.types import LabelPlan

Make = Callable[..., object]


@pytest.fixture(scope="module")
def done(finished_small: Path, module_study, tmp_path_factory: pytest.TempPathFactory):
    """A finished study of the default sampler, and its report."""
    runs = tmp_path_factory.mktemp("done")
    shutil.copytree(finished_small, runs / "s")
    study = module_study(runs=runs, study="s")
    return study, study.report()


def test_every_proposal_is_bought(done) -> None:
    """Plans outside the limits, or that the money left cannot bear, are never proposed."""
    study, report = done
    states = [trial.state.name for trial in study.trials.all()]
    assert set(states) == {"COMPLETE"}
    assert len(report["purchases"]) >= 5


def by_database(plan: LabelPlan, world: World) -> Quote:
    """What a plan lacks by the order that the database would write down for it."""
    order = world.prices.lacking(plan)
    wanted = [count for _, count in order.wanted] if order else []
    condition, allowance = world.condition(plan), world.config.allowance
    return quote(world.source, condition, sum(wanted), max(wanted, default=0), allowance)


def test_the_initial_design_is_cheap_and_spread_out(small_study, more_data: str) -> None:
    searcher = small_study(study="s", budget="20", controls="0,1,2", data=more_data)._searcher
    design = searcher._design
    cost = sum(searcher.world.prices.list_price(plan).cost.dollars for plan in design)
    assert cost <= 0.15 * 20
    assert design[0] in searcher.rule
    assert len({searcher.prices.condition(plan).key for plan in design}) == len(design) >= 4


def test_what_is_lacking_agrees_with_the_database(done) -> None:
    study, _ = done
    prices = study.world.prices
    prices.refresh()
    for plan in study.world.space.plans:
        assert prices.to_buy(plan) == by_database(plan, study.world), plan.key


@pytest.mark.slow
def test_reuse_evaluates_more_plans_than_were_bought_and_buys_none_of_them(small_study) -> None:
    kept = {"sampler": "random", "seed": 3, "confirm": "0"}
    with_reuse = small_study(study="with", **kept).run()
    without = small_study(study="without", no_reuse=True, **kept).run()
    assert with_reuse["evaluated_plans"] > len(with_reuse["purchases"])
    assert without["evaluated_plans"] == len(without["purchases"])


def test_every_plan_of_the_searchs_front_was_measured_three_times(done) -> None:
    study, _ = done
    front = study._conclusion.front_searched()
    assert len(front) >= 3
    assert all(outcome.draws >= 3 for outcome in front)


def test_the_confirmation_is_kept_from_the_start_and_bought_from_others(small_study) -> None:
    study = small_study(study="s", overlap="1", trials=3)
    report = study.run()
    store, kept = study.world.store, study.config.confirm_reserve
    orders = [record.order for record in store.all_orders()]
    again = [order for order in orders if mark_of(order) == CONFIRMED]
    assert kept == Money(45_000)
    assert len(again) == 1
    said = report["confirmation"]
    assert 0 < said["paid"]["micros"] <= kept.micros
    assert 0 < said["share"] <= 1
    low, high = said["interval_95"]
    inner = said["measured"]["interval_95_same_images"]
    outer = said["measured"]["interval_95"]
    assert outer[0] <= inner[0] <= said["measured"]["accuracy"] <= inner[1] <= outer[1]
    assert low <= said["accuracy"] <= high
    assert said["accuracy"] == report["recommended"]["accuracy"]
    searched = {name for o in orders if o not in again for name in store.annotators(o.condition)}
    assert not searched & set(store.annotators(again[0].condition))
    assert "bought again" in confirmation_line(said, report["recommended"]["plan"]["tasks"])


def test_without_a_confirmation_nothing_is_kept(small_study) -> None:
    study = small_study(study="s", confirm="0", trials=2)
    report = study.run()
    assert report["confirmation"] is None
    assert not any(mark_of(r.order) for r in study.world.store.all_orders())


def test_a_confirmation_above_the_budget_is_refused() -> None:
    with pytest.raises(InputError, match=r"confirm: .* leave nothing of the budget"):
        make_config({"budget": "5", "confirm": "5"})


def test_as_much_is_confirmed_as_the_money_bears(done) -> None:
    study, _ = done
    fresh = confirming(study.world)
    plan = dataclasses.replace(study.recommend().plan, price=Money(4_000))
    whole = fresh.prices.to_buy(plan).hold
    assert affordable(plan, fresh, whole) == plan
    part = affordable(plan, fresh, whole.share(make_config({"budget": "1"}).allowance))
    assert part is not None
    assert 0 < part.tasks < plan.tasks
    assert part.tasks % fresh.condition(plan).real_per_suite == 0
    assert affordable(plan, fresh, ZERO) is None


@pytest.mark.slow
def test_min_gain_leaves_money(small_study) -> None:
    all_of_it = small_study(study="all").run()
    some = small_study(study="some", min_gain="20").run()
    assert some["money"]["spent"]["micros"] < all_of_it["money"]["spent"]["micros"]
    assert some["stopped"] == "no plan promised 20 points per dollar any more"
    assert some["advice"]["verdict"]["stop"]


def test_the_advice_is_complete_and_the_same_again(small_study, done) -> None:
    study, report = done
    advice = report["advice"]
    assert {row["knob"] for row in advice["matters"]} == {"price", "overlap", "controls", "tasks"}
    assert 0 <= advice["certainty"]["probability_best_at_its_cost"] <= 1
    assert advice["rule_of_thumb"]["curve"]
    assert len(advice_lines(report)) >= 5
    assert to_json(study.report()) == to_json(report)


def test_all_labels_owned_are_merged_over_conditions(done) -> None:
    study, report = done
    merged, store = report["all_labels_merged"], study.world.store
    records = store.all_orders()
    assert merged["answers"] == sum(record.usable_answers for record in records)
    assert merged["conditions"] == report["conditions"]
    assert merged["labelled_images"] <= len(study.world.pool)
    assert f"All {counted(merged['answers'], 'answer')} bought" in merged_line(merged)


@pytest.mark.slow
def test_a_larger_pool_moves_plan_money_and_minutes(small_study) -> None:
    report = small_study(study="s", pool_size=500).run()
    answer, campaign = report["answer"], report["advice"]["campaign"]
    chosen = answer["chosen"]
    assert answer["images"] == campaign["images"] == 500
    assert answer["answerable"] == 500
    assert chosen["plan"]["tasks"] > report["recommended"]["plan"]["tasks"]
    assert chosen["price_tag"]["micros"] > report["recommended"]["price_tag"]["micros"]
    assert chosen["minutes"] > report["recommended"]["minutes"]
    low, high = chosen["interval_95"]
    assert low < chosen["accuracy"] < high


@pytest.mark.slow
def test_nothing_is_said_beyond_some_times_the_images_measured(small_study) -> None:
    study = small_study(study="s", pool_size=50_000, trials=2)
    answer = study.run()["answer"]
    assert answer["answerable"] == 20 * max(o.labels for o in study.outcomes())
    assert answer["chosen"]["plan"]["tasks"] <= answer["answerable"]


# --- the rule of thumb ---


def test_the_rule_fills_the_pool_then_raises_overlap() -> None:
    space = SearchSpace.of(make_config({"budget": "20"}), 980)
    curve = rule_curve(space.plans, lambda plan: True)
    assert {(p.price.micros, p.controls, p.exam) for p in curve} == {(1000, 1, False)}
    sizes = [(p.overlap, p.tasks) for p in curve]
    assert sizes == [(1, n) for n in (98, 196, 392, 686, 980)] + [(k, 980) for k in (2, 3, 4, 5, 7)]
    assert rule_purchase(curve, lambda p: True) == curve[4]
    assert rule_purchase(curve, lambda p: p.tasks < 500) == curve[2]
    assert rule_purchase(curve, lambda p: False) is None


def test_the_rule_takes_the_smallest_price_that_is_in_time() -> None:
    space = SearchSpace.of(make_config({"budget": "20"}), 980)

    def in_time(plan: LabelPlan) -> bool:
        return plan.tasks * plan.overlap <= 500 * plan.price.micros / 1000

    curve = {(p.overlap, p.tasks): p.price.micros for p in rule_curve(space.plans, in_time)}
    assert curve[1, 392] == 1000
    assert curve[1, 980] == 2000
    assert curve[2, 980] == 4000


def test_a_lucky_purchase_does_not_keep_the_practitioners_plan_from_being_looked_at(
    small_study,
) -> None:
    """Where crowds are noisy, the first purchase of a better condition may look worse."""
    study = small_study(study="s", data="digits3", exam="off,on", budget="2")
    searcher = Searcher(study.world)
    usual = practitioner_within([p for p in searcher.plans if searcher.is_inside(p)])
    assert usual is not None
    assert (usual.exam, usual.overlap, usual.controls) == (True, 1, 0)
    assert usual.tasks == max(p.tasks for p in searcher.plans if searcher.is_inside(p))
    lucky = [
        guessed(plan, 0.6 if plan.exam else 0.9)
        for plan in [*searcher._design, *(p for p in searcher.plans if p.tasks < usual.tasks)]
    ]
    hold = study.world.prices.to_buy(usual).hold
    last = searcher.decide(lucky, hold + Money(20_000)).plan
    assert last == usual
    assert searcher.decide(lucky, hold * 20).plan != usual
    assert searcher.decide([*lucky, guessed(usual, 0.6)], hold + Money(20_000)).plan != usual


def guessed(plan: LabelPlan, accuracy: float) -> Outcome:
    tag = Money(1300 * plan.tasks * plan.overlap)
    count = plan.tasks * plan.overlap
    return Outcome(plan, accuracy, 0, 1, 0, 0, 0, tag, 5, plan.tasks, count, "soft", 1.0)
