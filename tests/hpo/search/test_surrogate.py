"""The surrogate: it learns what is there, doubts what is noisy, and its numbers are calibrated."""

import dataclasses
import time

import numpy as np
import pytest
from scipy.stats import norm

from budget.money import Money
from hpo.search import surrogate as module
from hpo.search.acquisition import (
    Offers,
    best_contained,
    best_purchase,
    expected_improvement,
    look_out,
)
from hpo.search.surrogate import Surrogate, encode, fit, to_log_error
from hpo.settings.config import make_config
from hpo.settings.search_space import SearchSpace
from labeling.types import LabelPlan

ITEMS = 367
SPACE = SearchSpace.of(make_config({"budget": "20"}), 980)
PRIOR = module._THETA


def plan(price: str, overlap: int, controls: int, tasks: int, exam: bool = False) -> LabelPlan:
    return LabelPlan(Money.parse(price), overlap, controls, tasks, exam)


def draw_study(rng: np.random.Generator, count: int):
    """Evaluations drawn from the model itself: inputs, log errors, and the true means."""
    places = rng.choice(len(SPACE.plans), count, replace=False)
    inputs = encode([SPACE.plans[i] for i in places], 10)
    signal = module._signal(inputs, inputs, PRIOR)
    root = np.linalg.cholesky(signal + 1e-9 * np.eye(count))
    truth = inputs.basis @ module._MEAN + root @ rng.standard_normal(count)
    truth = np.minimum(truth, -0.2)
    purchase = np.linalg.cholesky(module._purchase(inputs, inputs, PRIOR) + 1e-9 * np.eye(count))
    noise = np.sqrt(module._noise(truth, ITEMS, PRIOR))
    z = truth + purchase @ rng.standard_normal(count) + noise * rng.standard_normal(count)
    return inputs, np.minimum(z, -0.05), truth


def test_the_prior_is_the_rule_of_thumb() -> None:
    """Without any evaluation: tasks beat overlap at equal money, and a check beats none."""
    nothing = Surrogate(encode([], 10), np.zeros(0), ITEMS, PRIOR)

    def error(one: LabelPlan) -> float:
        return float(nothing.predict(encode([one], 10))[0][0])

    assert error(plan("0.002", 1, 1, 588)) < error(plan("0.002", 3, 1, 196))
    assert error(plan("0.002", 1, 1, 392)) < error(plan("0.002", 1, 0, 392))
    assert error(plan("0.002", 2, 1, 980)) < error(plan("0.002", 1, 1, 980))
    assert abs(error(plan("0.001", 1, 1, 980)) - error(plan("0.008", 1, 1, 980))) < 0.01


def test_a_cheap_unchecked_purchase_teaches_less_than_a_checked_one() -> None:
    nothing = Surrogate(encode([], 10), np.zeros(0), ITEMS, PRIOR)
    _, sd, lesson = nothing.predict(encode([plan("0.001", 1, 0, 98), plan("0.001", 1, 1, 98)], 10))
    assert lesson[0] / sd[0] < lesson[1] / sd[1]
    # Measured: 12 to 22 points at an error near a quarter.
    unchecked, checked = nothing.purchase_sd(encode([plan("0.001", 1, c, 98) for c in (0, 1)], 10))
    assert (
        0.05 < 0.25 * checked < 0.25 * unchecked < 0.15
    )  # points of accuracy at one error in four


def test_evaluations_of_one_purchase_count_less_than_separate_ones() -> None:
    one = encode([plan("0.001", 1, 0, n) for n in (98, 196, 392)], 10)
    three = dataclasses.replace(one, condition=np.arange(3))
    at = encode([plan("0.002", 1, 0, 392)], 10)
    sds = [
        Surrogate(inputs, np.full(3, -1.5), ITEMS, PRIOR).predict(at)[1][0]
        for inputs in (one, three)
    ]
    assert sds[0] > sds[1]


def test_intervals_cover_what_they_say() -> None:
    """Drawn from the model, 95 % intervals hold 95 % of the truths: 600 of them, correlated."""
    inside = []
    for seed in range(20):
        inputs, z, truth = draw_study(np.random.default_rng(seed), 30)
        mean, sd, _ = Surrogate(inputs, z, ITEMS, PRIOR).predict(inputs)
        inside.append(np.mean(np.abs(mean - truth) <= 1.96 * sd))
    assert 0.90 <= np.mean(inside) <= 0.99


def test_the_posterior_beats_what_was_measured() -> None:
    raw, shrunk = [], []
    for seed in range(10):
        inputs, z, truth = draw_study(np.random.default_rng(100 + seed), 40)
        theta = fit(inputs, z, ITEMS)
        mean, _, _ = Surrogate(inputs, z, ITEMS, theta).predict(inputs)
        raw.append(np.sqrt(np.mean((z - truth) ** 2)))
        shrunk.append(np.sqrt(np.mean((mean - truth) ** 2)))
    assert np.mean(shrunk) < 0.7 * np.mean(raw)


def test_the_gradient_is_the_objectives() -> None:
    inputs, z, _ = draw_study(np.random.default_rng(1), 25)
    problem = module._problem(inputs, z, ITEMS)
    at = PRIOR + np.linspace(-0.2, 0.2, 8)
    _, gradient = module._objective(at, problem)
    for i, step in enumerate(1e-5 * np.eye(8)):
        up, down = (
            module._objective(at + step, problem)[0],
            module._objective(at - step, problem)[0],
        )
        assert gradient[i] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-4)


def test_a_group_is_known_in_conditions_that_nobody_bought_in() -> None:
    groups = ("juniors", "seniors")  # beside everybody

    def by(group: str, controls: int, tasks: int) -> LabelPlan:
        return dataclasses.replace(plan("18", 1, controls, tasks), wage=True, group=group)

    asked = [by(g, 0, n) for g in ("", *groups) for n in (98, 196, 392)]
    level = np.repeat([0.0, 0.4, -0.4], 3)
    seen = encode(asked, 10, groups)
    z = module._prior_mean(seen) + level
    theta = fit(seen, z, ITEMS)
    fresh = encode([by(g, 1, 196) for g in ("", *groups)], 10, groups)
    mean, _, _ = Surrogate(seen, z, ITEMS, theta).predict(fresh)
    assert mean[2] + 0.1 < mean[0] < mean[1] - 0.1
    problem, at = module._problem(seen, z, ITEMS), PRIOR + np.linspace(-0.2, 0.2, 8)
    _, gradient = module._objective(at, problem)
    ends = [module._objective(at + step * np.eye(8)[5], problem)[0] for step in (1e-5, -1e-5)]
    assert gradient[5] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-4)


def test_the_same_evaluations_give_the_same_numbers() -> None:
    inputs, z, _ = draw_study(np.random.default_rng(2), 25)
    assert np.array_equal(fit(inputs, z, ITEMS), fit(inputs, z, ITEMS))


def test_log_errors_stay_finite() -> None:
    assert np.isfinite(to_log_error(np.array([0.0, 0.5, 1.0]), 50)).all()


def test_expected_improvement_agrees_with_sampling() -> None:
    rng = np.random.default_rng(0)
    mean, sd, best = np.array([-2.0, -1.5]), np.array([0.3, 0.1]), np.array([0.15, 0.3])
    z = mean + sd * rng.standard_normal((200_000, 2))
    for j, level in enumerate(best):
        sampled = np.maximum(level - np.exp(z), 0)
        error = sampled.std(axis=0) / np.sqrt(len(z))
        exact = expected_improvement(best, mean, sd)[:, j]
        assert (np.abs(exact - sampled.mean(axis=0)) < 4 * error + 1e-9).all()
    assert expected_improvement(best, mean, sd)[0, 0] > 0.15 * (1 - norm.cdf(3)) - 0.15


def offers_of(evaluated: list[LabelPlan], buyable: np.ndarray | None = None) -> Offers:
    plans = SPACE.plans
    tag = np.array([-(-p.tasks * p.overlap // (10 - p.controls)) for p in plans])
    tag = tag * np.array([13 * p.price.micros / 1e6 for p in plans])
    done = np.array([p in evaluated for p in plans])
    inside = tag <= 8
    levels = (SPACE.prices, SPACE.overlaps, SPACE.controls, SPACE.tasks, SPACE.exams)
    shape = tuple(len(level) for level in levels)
    can = inside & ~done if buyable is None else buyable
    return Offers(plans, shape, encode(plans, 10), tag, tag, inside, can, done, done)


def test_a_purchase_is_worth_at_least_what_it_contains() -> None:
    known = [plan("0.001", 1, 1, 98)]
    offers = offers_of(known)
    surrogate = Surrogate(encode(known, 10), np.array([-1.5]), ITEMS, PRIOR)
    outlook = look_out(offers, surrogate, 2 / 3)
    chosen, points, rate = best_purchase(offers, outlook, 0.2)
    assert chosen is not None
    assert points > 0
    assert rate > 0
    assert outlook.promise[~offers.inside].max() == 0
    nothing = offers_of(known, np.zeros(len(SPACE.plans), dtype=bool))
    assert best_purchase(nothing, outlook, 0.2)[0] is None
    assert best_contained(offers, outlook, offers.inside, 0.0) is None  # it is evaluated


def test_a_decision_at_200_evaluations_takes_less_than_half_a_solved_system_of_1000() -> None:
    """Measured .17 of it, 14 ms of 85: some 50 ms are left of the 100 that a decision may take."""
    inputs, z, _ = draw_study(np.random.default_rng(3), 200)
    offers = offers_of([])
    system = np.random.default_rng(0).standard_normal((1000, 1000))
    ratios = []
    for _ in range(5):
        start = time.process_time()
        look_out(offers, Surrogate(inputs, z, ITEMS, PRIOR), 2 / 3)
        between = time.process_time()
        np.linalg.solve(system, system)
        ratios.append((between - start) / (time.process_time() - between))
    assert min(ratios) < 0.5
