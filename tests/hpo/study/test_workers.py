"""Several workers on one study: each asks for something else, and nothing is bought twice."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import hpo.study.study
from budget.errors import PlanRefused
from budget.files import is_locked, locked
from budget.money import ZERO
from hpo.study.study import Study, open_study
from labeling.types import LabelPlan
from tests.forks import ended, forked
from tests.heads import FixedHeads

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

MakeStudy = Callable[..., Study]


def plan_of(study: Study, text: str) -> LabelPlan:
    return next(plan for plan in study.world.space.plans if plan.key == text)


@pytest.mark.parametrize("sampler", ["money", "random"])
def test_workers_ask_for_different_conditions_within_the_money_left(
    sampler: str, small_study: MakeStudy
) -> None:
    study = small_study(study="s", sampler=sampler, confirm="0.03", seed=3, no_reuse=True)
    asked = []
    while (one := study.ask()) is not None:
        asked.append(one)
        assert len(asked) < 10
    conditions = {study.world.condition(one.plan).key for one in asked}
    assert len(asked) == len(conditions) >= 2
    holds = sum((study.world.prices.list_price(one.plan).hold for one in asked), ZERO)
    assert holds <= study.world.ledger.balance().cap - study.world.config.confirm_reserve
    for one in asked:
        assert study.finish(one.trial.number).state.name == "COMPLETE"
    assert study.world.ledger.balance().spent <= holds
    assert len(study.trials.purchases()) == len(asked)


def test_trials_in_hand_count_against_the_number_of_trials(small_study: MakeStudy) -> None:
    study = small_study(study="s", budget="5", trials=2, no_reuse=True)
    first, second = study.ask(), study.ask()
    assert first is not None
    assert second is not None
    assert first.plan != second.plan
    assert study.ask() is None
    assert study.why_none == "2 purchases of --trials are made"
    study.trials.fail(second.trial.number)  # given up: another may be asked for
    assert study.ask() is not None


def test_what_a_trial_in_hand_will_hold_is_counted_once(small_study: MakeStudy) -> None:
    study = small_study(study="s", confirm="0", no_reuse=True)
    asked = study.ask()
    assert asked is not None
    hold = study.world.prices.list_price(asked.plan).hold
    assert study._asker.left() == study.world.ledger.balance().cap - hold
    order = study.world.prices.lacking(asked.plan)
    assert order is not None
    study.world.ledger.reserve(order.key, hold)
    assert study._asker.left() == study.world.ledger.balance().cap - hold


def test_two_processes_with_one_trial_buy_it_once(small_study: MakeStudy, tmp_path: Path) -> None:
    study = small_study(study="s", no_reuse=True)
    asked = study.ask()
    assert asked is not None
    study.close()

    def finish() -> None:
        own = open_study(tmp_path / "runs/s", FixedHeads())
        assert own.finish(asked.trial.number).state.name == "COMPLETE"
        own.close()

    assert [ended(child) for child in (forked(finish), forked(finish))] == [0, 0]
    study = open_study(tmp_path / "runs/s", FixedHeads())
    assert [e.kind for e in study.world.ledger.entries()] == ["cap", "reserve", "settle"]
    assert len(study.trials.purchases()) == 1
    study.close()


def test_two_processes_buy_in_one_condition_one_after_the_other(
    small_study: MakeStudy, tmp_path: Path
) -> None:
    study = small_study(study="s", budget="5", no_reuse=True)
    plans = [plan_of(study, key) for key in ("p0.001-k1-c0-n10", "p0.001-k2-c0-n25")]
    study.close()

    def buy(plan: LabelPlan) -> None:
        own = open_study(tmp_path / "runs/s", FixedHeads())
        with own.world.buying(plan):
            number = own.admit(plan, plan.key)
            assert number is not None
            own.finish(number)
        own.close()

    children = [forked(lambda plan=plan: buy(plan)) for plan in plans]
    assert [ended(child) for child in children] == [0, 0]
    study = open_study(tmp_path / "runs/s", FixedHeads())
    orders = study.world.store.all_orders()
    assert all(record.end is not None for record in orders)
    assert study.world.ledger.balance().held == ZERO
    assert {outcome.plan.key for outcome in study.outcomes()} == {plan.key for plan in plans}
    larger = study.world.condition(plans[1])
    owned = study.world.store.owned_target(larger)
    assert len(owned) == 25
    assert set(owned.values()) == {2}
    study.close()


def test_what_others_ask_for_is_bought_only_within_limits_and_money(
    small_study: MakeStudy,
) -> None:
    study = small_study(
        study="s", budget="0.1", max_plan_share="0.8", confirm="0.05", no_reuse=True
    )
    with pytest.raises(PlanRefused, match="above 80 % of the cap"):
        study.admit(plan_of(study, "p0.004-k3-c0-n49"), "a")
    number = study.admit(plan_of(study, "p0.001-k1-c0-n10"), "b")
    assert number is not None
    assert study.trials.of_task("b") == number
    with pytest.raises(PlanRefused, match="is left"):  # promised, though not yet held
        study.admit(plan_of(study, "p0.001-k1-c0-n25"), "c")
    study.finish(number)
    assert study.admit(plan_of(study, "p0.001-k1-c0-n10"), "d") is None  # known already


def test_contained_plans_of_a_purchase_are_evaluated_by_whoever_bought(
    small_study: MakeStudy,
) -> None:
    study = small_study(study="s", budget="5", seed=2)
    plan = plan_of(study, "p0.002-k3-c1-n25")
    number = study.admit(plan, "a")
    assert number is not None
    study.finish(number)
    study.reuse(plan)
    free = [o.plan for o in study.outcomes() if o.plan != plan]
    assert 1 <= len(free) <= 8
    assert all((p.price, p.controls) == (plan.price, plan.controls) for p in free)
    assert all(p.tasks <= 25 for p in free)


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "a"
    assert not is_locked(path)

    def hold() -> None:
        with locked(path):
            time.sleep(60)

    child = forked(hold)
    while not is_locked(path):
        time.sleep(0.01)
    os.kill(child, 9)
    ended(child)
    assert not is_locked(path)
    with locked(path):
        assert is_locked(path)
        waiting = threading.Thread(target=lambda: locked(path).__enter__(), daemon=True)
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()


def test_a_killed_worker_s_trial_is_finished_by_the_next_start(
    small_study: MakeStudy, tmp_path: Path
) -> None:
    study = small_study(study="s", trials=1, no_reuse=True, confirm="0")
    asked = study.ask()
    assert asked is not None
    study.close()
    study = open_study(tmp_path / "runs/s", FixedHeads())
    order = study.world.store.order_for(
        study.world.condition(asked.plan),
        study.world.tasks(asked.plan),
        asked.plan.overlap,
        study.config.allowance,
        study.config.max_minutes,
    )
    assert order is not None  # written down, and its worker died
    report = study.run()
    assert [row["plan"]["key"] for row in report["purchases"]] == [asked.plan.key]
    study.close()


def test_a_trial_that_another_worker_finished_meanwhile_is_left_as_it_is(
    small_study: MakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(study="s", no_reuse=True)
    asked = study.ask()
    assert asked is not None
    real = hpo.study.study.run_trial

    def overtaken(*args: object) -> object:
        monkeypatch.setattr(hpo.study.study, "run_trial", real)
        study._buy(asked.trial, asked.plan, asked.bought)
        return real(*args)

    monkeypatch.setattr(hpo.study.study, "run_trial", overtaken)
    assert study.finish(asked.trial.number).state.name == "COMPLETE"
    assert len(study.trials.purchases()) == 1
    assert [e.kind for e in study.world.ledger.entries()] == ["cap", "reserve", "settle"]
