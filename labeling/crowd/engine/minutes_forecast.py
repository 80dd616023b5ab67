"""Forecast: how long an order takes, worked out from the scenario without simulating it.

A fixed sample of people stands for those who look. For each one follows, in expectation, when
their suites are opened and which share of them survives the ban rules. Added up over a steady
arrival of such people this gives, for every minute, the suites opened and those that stay usable;
an order is then a few rounds, each as long as it takes to open what the last one left missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from labeling.aggregation.dynamic_overlap import enough, skill_of, votes
from labeling.crowd.engine.pool import PoolSettings
from labeling.crowd.people.items import Items
from labeling.crowd.people.people import (
    CARELESS,
    HONEST,
    People,
    Traits,
    hourly_wage,
    participation,
)
from labeling.crowd.scenario import Scenario
from labeling.seeds import stream
from labeling.types import DynamicOverlap, Floats, Ints

_MOST_SUITES = 60  # of one annotator that matter before an order is done
_QUANTILES = 20  # of item error, in place of all items
_DRAIN = 1.2  # working times from the last suite opened to the last one submitted
_STEP = 0.05  # minutes to which openings are rounded down
_MOST_STEPS = 200_000
_TASKS = 2000  # sampled for the mean of dynamic overlap
_SMALL = 0.02  # suites missing that are too few to wait for


@dataclass(frozen=True, slots=True)
class Flow:
    """Suites per person who takes part, by the minutes since that person came.

    Attributes:
        opened_at: [M] minutes, ascending, at which suites are opened.
        weight: [M] expected suites opened then, per person.
        spoilt: share of the submitted suites that a ban makes unusable.
        suite: mean minutes of work on a full suite.
        rate: people who take part, per minute.
        expire_share: share of suites abandoned.
        expire_minutes: minutes until an abandoned suite expires.
        horizon: minutes after which an order is given up.
    """

    opened_at: Floats
    weight: Floats
    spoilt: float
    suite: float
    rate: float
    expire_share: float
    expire_minutes: float
    horizon: float

    def minutes(self, assignments: int) -> float:
        """Minutes until an order that lists at `assignments` is complete, recompletion included.

        Within 20 % of the mean simulated time of 100 to 1,000 assignments at $.001 to $.008 a
        task, with and without exam (tested). Nobody left to come reads as the horizon.

        Args:
            assignments: assignments expected without any ban.
        """
        total, missing = 0.0, float(assignments)
        while missing > _SMALL and total < self.horizon:
            chance = min(1.0, missing)  # below one suite: the chance that there is such a round
            suites = max(1.0, missing)
            opened = self.opened(suites)
            total += chance * (opened + _DRAIN * self.suite + self._expiry(suites, opened))
            missing *= self.spoilt
        return min(total, self.horizon)

    def opened(self, suites: float) -> float:
        """Minutes from a pool's opening until so many suites are opened.

        People come at a steady rate, so the count is rate * sum_m weight_m (t - opened_at_m)+: a
        rising line with bends, read backwards.
        """
        weights = np.cumsum(self.weight)
        at_bend = self.rate * (weights * self.opened_at - np.cumsum(self.weight * self.opened_at))
        bend = max(0, int(np.searchsorted(at_bend, suites, "right")) - 1)
        slope = self.rate * float(weights[bend])
        if slope <= 0:
            return math.inf
        return float(self.opened_at[bend]) + (suites - float(at_bend[bend])) / slope

    def _expiry(self, suites: float, minutes: float) -> float:
        """Mean minutes for which a round waits for abandoned suites to expire."""
        longest = self.expire_minutes
        late = min(1.0, longest / max(minutes, 1e-9))  # of the suites: expire after the round
        wait = longest / 2 if late < 1 else longest - minutes / 2
        return wait * -math.expm1(-self.expire_share * suites * late)


@dataclass(frozen=True, slots=True)
class _Careers:
    """What each of a sample of people is expected to do in a pool.

    Attributes:
        traits: the people, P of them.
        error: [P] share of wrong answers to control tasks.
        passed: [P] chance to pass the exam.
        exam: [P] seconds the exam takes.
        safe: [P, M + 1] chance that no rule has banned a person after so many suites.
        reached: [P, M] chance that a suite is wanted and nothing but a ban keeps a person from it.
    """

    traits: Traits
    error: Floats
    passed: Floats
    exam: Floats
    safe: Floats
    reached: Floats


def _careers(scenario: Scenario, pool: PoolSettings, items: Items) -> _Careers:
    traits = People(scenario, pool.price, stream(0, "forecast")).traits
    error = _mean_error(scenario, pool, items, traits, pool.control_rows)
    count = np.arange(_MOST_SUITES + 1)
    given_up = (1 - scenario.expire_share) ** count[:-1]
    cap = len(pool.control_rows) // pool.controls if pool.controls else _MOST_SUITES
    wants = count[None, :-1] < np.minimum(traits.suites, cap)[:, None]
    passed, exam = _exam(scenario, pool, items, traits)
    safe = _never_banned(scenario, pool, traits, error, count)
    return _Careers(traits, error, passed, exam, safe, passed[:, None] * wants * given_up)


def make_flow(scenario: Scenario, pool: PoolSettings, items: Items) -> Flow:
    """What a typical person contributes to a pool, averaged over a fixed sample of people.

    Args:
        scenario: the crowd.
        pool: what the requester sets.
        items: the items, control rows as easy as the annotators find them.
    """
    c = _careers(scenario, pool, items)
    suite = c.traits.pace * pool.suite_size * math.exp(scenario.seconds_within**2 / 2)
    count = np.arange(_MOST_SUITES + 1)
    # Suite m + 1 is opened after m suites, if m did not lead to a ban.
    weight = c.reached * c.safe[:, :-1]
    opened_at = (c.exam[:, None] + count[None, :-1] * suite[:, None]) / 60
    lost = (c.reached * (c.safe[:, :-1] - c.safe[:, 1:]) * count[1:]).sum()
    step = np.minimum(opened_at / _STEP, _MOST_STEPS).astype(np.int64)
    rate = participation(scenario, hourly_wage(scenario, pool.price))
    by_step = np.bincount(step.ravel(), weights=weight.ravel()).astype(np.float64)
    return Flow(
        opened_at=np.arange(len(by_step), dtype=np.float64) * _STEP,
        weight=by_step / len(c.traits),
        spoilt=float(lost / max(weight.sum(), 1e-300)),
        suite=float(suite.mean()) / 60,
        rate=scenario.looks_per_minute * rate,
        expire_share=scenario.expire_share,
        expire_minutes=pool.assignment_seconds / 60,
        horizon=scenario.horizon_minutes,
    )


def mean_overlap(
    scenario: Scenario, pool: PoolSettings, items: Items, rule: DynamicOverlap
) -> float:
    """Usable answers per task that dynamic overlap is expected to buy.

    A fixed sample of tasks is answered by people drawn by how many suites they do unbanned.
    Within 10 % of the mean simulated overlap where tasks get at least two answers, within 25 % at
    one (tested): an order ends before most careers do, so skills are less known than here.

    Args:
        scenario: the crowd.
        pool: what the requester sets.
        items: the items, control rows as easy as the annotators find them.
        rule: when a task needs no further answer.
    """
    c, rng = _careers(scenario, pool, items), stream(0, "overlap forecast")
    usable = (c.reached * c.safe[:, 1:]).ravel()
    if not usable.sum():
        return float(rule.most)
    drawn = rng.choice(len(usable), (_TASKS, rule.most), p=usable / usable.sum())
    person, done = np.divmod(drawn, c.reached.shape[1])
    judged = (done + 1) * pool.controls
    most_wrong = pool.rules.wrong_controls - 1 if pool.rules.wrong_controls else judged
    wrong = np.minimum(rng.binomial(judged, c.error[person]), most_wrong)
    if pool.exam:
        sat = len(pool.exam_rows)
        at_exam = _mean_error(scenario, pool, items, c.traits, pool.exam_rows)[person]
        missed = rng.binomial(sat, at_exam)
        judged, wrong = judged + sat, wrong + np.minimum(missed, sat - pool.exam.pass_correct)
    skill = skill_of(judged - wrong, judged)
    error = rng.choice(np.delete(items.error, [*pool.control_rows, *pool.exam_rows]), _TASKS)
    labels = _sample_labels(scenario, pool.classes, c.traits, person, error, rng)
    score = votes(labels.ravel(), skill.ravel(), pool.classes)
    score = np.cumsum(score.reshape(_TASKS, rule.most, pool.classes), axis=1)
    done_at = enough(rule, np.arange(1, rule.most + 1), score).argmax(axis=1)
    return float(done_at.mean()) + 1


def _sample_labels(
    scenario: Scenario,
    classes: int,
    traits: Traits,
    person: Ints,
    error: Floats,
    rng: np.random.Generator,
) -> Ints:
    """[n, k] answers to tasks whose truth is class 0 and whose own distractor is class 1."""
    share = np.where(traits.kind == HONEST, 0.0, 1.0)
    share[traits.kind == CARELESS] = scenario.careless_guess
    logit = np.log(np.clip(error, 1e-9, 1 - 1e-9) / (1 - np.clip(error, 1e-9, 1 - 1e-9)))
    right = 1 / (1 + np.exp(logit[:, None] - traits.skill[person]))
    chance = rng.random((4, *person.shape))
    other = 1 + (chance[2] * (classes - 1)).astype(np.int64)
    tried = np.where(chance[1] < scenario.distractor_share, 1, other)
    tried = np.where(chance[0] < right, 0, tried)
    blind = (chance[2] * classes).astype(np.int64)
    labels: Ints = np.where(chance[3] < share[person], blind, tried)
    return labels


def _mean_error(
    scenario: Scenario, pool: PoolSettings, items: Items, traits: Traits, rows: Ints
) -> Floats:
    """[P] each person's share of wrong answers on the given rows."""
    chosen = items.error[rows]
    if not len(chosen):
        return np.zeros(len(traits))
    error = np.clip(np.quantile(chosen, (np.arange(_QUANTILES) + 0.5) / _QUANTILES), 1e-9, 1 - 1e-9)
    logit = np.log(error / (1 - error))
    tried = (1 / (1 + np.exp(traits.skill[:, None] - logit))).mean(axis=1)
    blind = 1 - 1 / pool.classes
    guess = scenario.careless_guess
    wrong: Floats = np.select(
        [traits.kind == HONEST, traits.kind == CARELESS],
        [tried, (1 - guess) * tried + guess * blind],
        blind,
    )
    return wrong


def _never_banned(
    scenario: Scenario, pool: PoolSettings, traits: Traits, error: Floats, count: Ints
) -> Floats:
    """[P, M] chance that no rule has banned a person after so many suites."""
    rules = pool.rules
    safe = np.ones((len(traits), len(count)))
    if rules.wrong_controls and pool.controls:
        safe *= _fewer_than(rules.wrong_controls, count * pool.controls, error)
    if rules.fast_responses and rules.fast_seconds > 0:
        far = np.log(rules.fast_seconds / (traits.pace * pool.suite_size))
        scaled = (far / max(scenario.seconds_within, 1e-9)).tolist()
        fast = np.array([NormalDist().cdf(value) for value in scaled])
        safe *= _fewer_than(rules.fast_responses, count, fast)
    return safe


def _fewer_than(limit: int, trials: Ints, chance: Floats) -> Floats:
    """[P, M] binomial chance of fewer than `limit` events in each number of trials."""
    n = trials[None, :]
    p = np.clip(chance, 0.0, 1 - 1e-12)[:, None]
    total = np.zeros((len(chance), n.shape[1]))
    choose = np.ones_like(n, dtype=np.float64)
    for k in range(limit):
        total += np.where(n >= k, choose * p**k * (1 - p) ** np.maximum(n - k, 0), 0.0)
        choose = choose * (n - k) / (k + 1)
    return np.minimum(total, 1.0)


def _exam(
    scenario: Scenario, pool: PoolSettings, items: Items, traits: Traits
) -> tuple[Floats, Floats]:
    """[P] each person's chance to pass, and the seconds the exam takes them."""
    if pool.exam is None:
        return np.ones(len(traits)), np.zeros(len(traits))
    # [P, wrong answers so far]: exam tasks differ, so their counts are added up one by one.
    wrong = np.zeros((len(traits), len(pool.exam_rows) + 1))
    wrong[:, 0] = 1.0
    for row in pool.exam_rows:
        error = _mean_error(scenario, pool, items, traits, np.array([row]))[:, None]
        wrong[:, 1:] = wrong[:, 1:] * (1 - error) + wrong[:, :-1] * error
        wrong[:, :1] *= 1 - error
    allowed = len(pool.exam_rows) - pool.exam.pass_correct
    passed = wrong[:, : max(0, allowed + 1)].sum(axis=1)
    return passed, traits.pace * len(pool.exam_rows)
