"""Filters, questions and exams: who sees a pool, at what wage, and who gets in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from labeling.campaign.campaign import SUBJECTIVE, Exam, Question
from labeling.crowd.people.audience import audience
from labeling.crowd.people.exam_items import error_at
from labeling.crowd.people.people import bad_share
from labeling.crowd.scenario import load_scenario

from ..conftest import CAMPAIGN, Market

Make = Callable[..., Market]
DEFAULT = load_scenario("default")
TESTED = replace(CAMPAIGN, language_test=True)
TASTE = Question("taste", "Nice?", ("no", "yes"), SUBJECTIVE)


def test_without_filter_and_further_questions_the_crowd_stays_as_it_is() -> None:
    assert audience(DEFAULT, CAMPAIGN) == DEFAULT


def odds(share: float) -> float:
    return share / (1 - share)


def test_the_language_test_costs_supply_and_spares_bad_annotators() -> None:
    tested = audience(DEFAULT, TESTED)
    assert tested.looks_per_minute == pytest.approx(0.843 * DEFAULT.looks_per_minute)
    assert tested.population == int(0.843 * DEFAULT.population)
    # TolokerGraph: 20.9 % banned with tested English, 27.0 % without, 21.8 % in all.
    share, everybody = bad_share(tested, 1.71), bad_share(DEFAULT, 1.71)
    untested = (everybody - DEFAULT.tested_share * share) / (1 - DEFAULT.tested_share)
    assert odds(share) / odds(everybody) == pytest.approx(odds(0.209) / odds(0.218), rel=0.01)
    assert odds(untested) / odds(everybody) == pytest.approx(odds(0.270) / odds(0.218), rel=0.02)
    assert tested.careless == pytest.approx(tested.spammers)


def test_a_crowd_without_bad_annotators_can_be_filtered() -> None:
    best = replace(DEFAULT, careless=0.0, spammers=0.0)
    assert audience(best, TESTED).careless == 0


@pytest.mark.slow
def test_the_filter_makes_a_pool_slower(market: Make) -> None:
    minutes = []
    for campaign in (CAMPAIGN, TESTED):
        shops = [market(seed=seed, tasks=400, campaign=campaign) for seed in range(12)]
        minutes.append(np.mean([shop.buy(shop.order(3)).end.minutes for shop in shops]))
    assert minutes[1] > minutes[0]


def test_a_further_question_takes_time_and_lowers_the_wage() -> None:
    both = replace(CAMPAIGN, questions=(*CAMPAIGN.questions, TASTE))
    crowd = audience(DEFAULT, both)
    assert crowd.task_seconds == pytest.approx(1.5 * DEFAULT.task_seconds)
    assert crowd.spam_seconds == pytest.approx(1.5 * DEFAULT.spam_seconds)


# Exams.


def test_rates_out_of_reach_give_the_nearest() -> None:
    all_right, none_right = error_at(DEFAULT, [1.0, 0.0], 3)
    assert 0 < all_right < 1e-6
    assert 1 - 1e-6 < none_right < 1


def test_exam_tasks_are_got_right_as_often_as_the_scenario_says(market: Make) -> None:
    rates = [0.4, 0.6, 0.8]
    campaign = replace(CAMPAIGN, exam=Exam(3, 2))
    right, sat, failed = np.zeros(3), 0, 0
    for seed in range(6):
        shop = market("spam-heavy", seed=seed, campaign=campaign, exam_pass_rates=tuple(rates))
        order = shop.order(7, condition=shop.condition("0.002", exam=True))
        pool, run = shop.source().simulate(order)
        right += pool.exam_right
        sat += len(pool.exams)
        failed += run.end.exam_failed
    # Some 1,500 people: a standard error of .013. Those too slow for the pool's end are missing.
    assert right / sat == pytest.approx(rates, abs=0.045)
    # Two of three right, if tasks and people were independent.
    p, q, r = rates
    passed = p * q * r + (1 - p) * q * r + p * (1 - q) * r + p * q * (1 - r)
    assert 1 - failed / sat == pytest.approx(passed, abs=0.05)


def test_hard_exam_tasks_are_hard_in_the_exam_only(market: Make) -> None:
    shop = market(exam_pass_rates=(0.1,) * 10)
    bought = shop.buy(shop.order(condition=shop.condition(controls=2)))
    right = [
        label == shop.items.truth[task]
        for who, task, label, control in bought.answers()
        if control and who not in bought.banned
    ]
    assert np.mean(right) == 1.0


@pytest.mark.slow
def test_expected_minutes_know_how_hard_the_exam_is(market: Make) -> None:
    campaign = replace(CAMPAIGN, exam=Exam(10, 10))
    simulated, expected = [], []
    for rates in ((0.93,) * 10, (0.3, *(0.93,) * 9)):
        shops = [
            market(seed=s, tasks=900, campaign=campaign, exam_pass_rates=rates) for s in range(8)
        ]
        condition = shops[0].condition("0.002", 1, True)
        simulated.append(
            np.mean([s.buy(s.order(3, condition=condition)).end.minutes for s in shops])
        )
        expected.append(shops[0].source().expected_minutes(condition, 300))
    assert expected == pytest.approx(simulated, rel=0.2)
    assert expected[1] > 1.3 * expected[0]
