"""Forecast of an order's minutes, computed from the scenario without a simulation.

A fixed sample of annotators stands for all who look. For each of them the forecast computes, in
expectation, the opening times of the suites and the share of suites that survives the ban rules.
Summed over a steady arrival of such annotators, this gives the suites opened and usable by each
minute. An order is a few rounds; each round lasts until the suites that the last one left missing
are opened.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from labeling.aggregation.dynamic_overlap import enough, skill_of, votes
from labeling.crowd.engine.pool import PoolSettings
from labeling.crowd.people.items import Items
from labeling.crowd.people.people import (
    CARELESS,
    HONEST,
    SPAM_PASTE,
    People,
    Traits,
    hourly_wage,
    participation,
)
from labeling.crowd.scenario import Scenario
from labeling.seeds import stream
from labeling.types import DynamicOverlap, Floats, Ints

_MOST_SUITES = 60  # largest number of an annotator's suites in the forecast
_QUANTILES = 20  # quantiles of item error, in place of all items
_DRAIN = 1.2  # working times between the last opening of a suite and the last submission
_STEP = 0.05  # minutes; opening times are rounded down to multiples
_MOST_STEPS = 200_000
_TASKS = 2000  # tasks sampled for the mean of dynamic overlap
_SMALL = 0.02  # number of missing suites that no further round waits for


@dataclass(frozen=True, eq=False)
class Flow:
    """Expected suites per annotator who takes part, by the minutes since the arrival.

    Attributes:
        opened_at: [M] minutes, ascending, at which suites are opened.
        weight: [M] expected suites opened at that minute, per annotator.
        spoilt: share of the submitted suites that a ban makes unusable.
        suite: mean minutes of work on a full suite.
        rate: annotators who take part, per minute.
        expire_share: share of suites abandoned.
        expire_minutes: minutes until an abandoned suite expires.
        horizon: minutes after which an order is out of supply.
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
        """Minutes until an order is complete, recompletion included.

        Tested: within 20 % of the mean simulated time of 100 to 1,000 assignments at $.001 to $.008
        a task, with and without exam. The horizon stands for an order that runs out of supply.

        Args:
            assignments: expected assignments without bans.
        """
        total, missing = 0.0, float(assignments)
        while missing > _SMALL and total < self.horizon:
            # Less than one missing suite is the chance that a further round of one suite is needed.
            chance = min(1.0, missing)
            suites = max(1.0, missing)
            opened = self.opened(suites)
            total += chance * (opened + _DRAIN * self.suite + self._expiry(suites, opened))
            missing *= self.spoilt
        return min(total, self.horizon)

    def opened(self, suites: float) -> float:
        """Minutes from a pool's opening until a number of suites is opened.

        Annotators come at a steady rate, so by time t the count is
        rate * sum_m weight_m (t - opened_at_m)+. This piecewise linear function is inverted.
        """
        weights, at_bend = self._bends
        bend = max(0, int(np.searchsorted(at_bend, suites, "right")) - 1)
        slope = self.rate * float(weights[bend])
        if slope <= 0:
            return math.inf
        return float(self.opened_at[bend]) + (suites - float(at_bend[bend])) / slope

    @cached_property
    def _bends(self) -> tuple[Floats, Floats]:
        """Weights so far, and suites opened, at each bend t = opened_at_m."""
        weights = np.cumsum(self.weight)
        # The sum splits into t times the weights so far, less the weighted opening times so far.
        so_far = np.cumsum(self.weight * self.opened_at)
        return weights, self.rate * (weights * self.opened_at - so_far)

    def _expiry(self, suites: float, minutes: float) -> float:
        """Mean minutes for which a round waits for abandoned suites to expire."""
        longest = self.expire_minutes
        # Share of the suites that are opened so late that they would expire after the round.
        late = min(1.0, longest / max(minutes, 1e-9))
        wait = longest / 2 if late < 1 else longest - minutes / 2
        return wait * -math.expm1(-self.expire_share * suites * late)


@dataclass(frozen=True, slots=True)
class _SampledAnnotators:
    """A sample of annotators with their expected work in a pool.

    Attributes:
        traits: traits of the P annotators.
        error: [P] share of wrong answers to control tasks.
        passed: [P] chance to pass the exam.
        exam: [P] seconds for the exam.
        safe: [P, M + 1] chance that no rule has banned an annotator after 0, 1, ... M suites.
        reached: [P, M] chance that an annotator without a ban opens a suite.
    """

    traits: Traits
    error: Floats
    passed: Floats
    exam: Floats
    safe: Floats
    reached: Floats


def _sample_annotators(scenario: Scenario, pool: PoolSettings, items: Items) -> _SampledAnnotators:
    traits = People(scenario, pool.price, stream(0, "forecast")).traits
    error = _mean_error(scenario, pool, items, traits, pool.control_rows)
    count = np.arange(_MOST_SUITES + 1)
    given_up = (1 - scenario.expire_share) ** count[:-1]
    cap = len(pool.control_rows) // pool.controls if pool.controls else _MOST_SUITES
    wants = count[None, :-1] < np.minimum(traits.suites, cap)[:, None]
    passed, exam = _exam(scenario, pool, items, traits)
    safe = _never_banned(scenario, pool, traits, error, count)
    return _SampledAnnotators(traits, error, passed, exam, safe, passed[:, None] * wants * given_up)


def make_flow(scenario: Scenario, pool: PoolSettings, items: Items) -> Flow:
    """Expected suites of an annotator in a pool, averaged over a fixed sample of annotators.

    Args:
        scenario: the crowd.
        pool: the pool's settings.
        items: the items, with the control rows' final difficulty.
    """
    sample = _sample_annotators(scenario, pool, items)
    suite = sample.traits.pace * pool.suite_size * math.exp(scenario.seconds_within**2 / 2)
    count = np.arange(_MOST_SUITES + 1)
    # Suite m + 1 is opened after m suites, if m did not lead to a ban.
    weight = sample.reached * sample.safe[:, :-1]
    opened_at = (sample.exam[:, None] + count[None, :-1] * suite[:, None]) / 60
    lost = (sample.reached * (sample.safe[:, :-1] - sample.safe[:, 1:]) * count[1:]).sum()
    step = np.minimum(opened_at / _STEP, _MOST_STEPS).astype(np.int64)
    rate = participation(scenario, hourly_wage(scenario, pool.price))
    by_step = np.bincount(step.ravel(), weights=weight.ravel()).astype(np.float64)
    return Flow(
        opened_at=np.arange(len(by_step), dtype=np.float64) * _STEP,
        weight=by_step / len(sample.traits),
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
    """Expected usable answers per task under dynamic overlap.

    Annotators, drawn in proportion to their usable suites, answer a fixed sample of tasks. Tested:
    within 10 % of the mean simulated overlap if tasks get at least two answers, within 25 % if they
    get at least one. An order ends before most annotators have done all their suites, so their
    skills are less certain than here.

    Args:
        scenario: the crowd.
        pool: the pool's settings.
        items: the items, with the control rows' final difficulty.
        rule: the dynamic overlap.
    """
    sample, rng = _sample_annotators(scenario, pool, items), stream(0, "overlap forecast")
    usable = (sample.reached * sample.safe[:, 1:]).ravel()
    if not usable.sum():
        return float(rule.most)
    drawn = rng.choice(len(usable), (_TASKS, rule.most), p=usable / usable.sum())
    person, done = np.divmod(drawn, sample.reached.shape[1])
    judged = (done + 1) * pool.controls
    # Only annotators without a ban are drawn: their wrong answers stay below the rule's limit.
    most_wrong = pool.rules.wrong_controls - 1 if pool.rules.wrong_controls else judged
    wrong = np.minimum(rng.binomial(judged, sample.error[person]), most_wrong)
    if pool.exam:
        sat = len(pool.exam_rows)
        at_exam = _mean_error(scenario, pool, items, sample.traits, pool.exam_rows)[person]
        missed = rng.binomial(sat, at_exam)
        judged, wrong = judged + sat, wrong + np.minimum(missed, sat - pool.exam.pass_correct)
    skill = skill_of(judged - wrong, judged)
    error = rng.choice(np.delete(items.error, [*pool.control_rows, *pool.exam_rows]), _TASKS)
    labels = _sample_labels(scenario, pool.classes, sample.traits, person, error, rng)
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
    """Answers [n, k] to tasks whose truth is class 0 and whose own distractor is class 1."""
    share = np.where(traits.kind == HONEST, 0.0, 1.0)
    share[traits.kind == CARELESS] = scenario.careless_guess
    share[traits.kind == SPAM_PASTE] = 0.0
    logit = np.log(np.clip(error, 1e-9, 1 - 1e-9) / (1 - np.clip(error, 1e-9, 1 - 1e-9)))
    right = 1 / (1 + np.exp(logit[:, None] - _skill(scenario, traits)[person]))
    chance = rng.random((4, *person.shape))
    other = 1 + (chance[2] * (classes - 1)).astype(np.int64)
    tried = np.where(chance[1] < scenario.distractor_share, 1, other)
    tried = np.where(chance[0] < right, 0, tried)
    blind = (chance[2] * classes).astype(np.int64)
    labels: Ints = np.where(chance[3] < share[person], blind, tried)
    return labels


def _skill(scenario: Scenario, traits: Traits) -> Floats:
    """Skill [P] behind each annotator's answers: the machine's for those who paste them."""
    return np.where(traits.kind == SPAM_PASTE, scenario.machine_skill, traits.skill)


def _mean_error(
    scenario: Scenario, pool: PoolSettings, items: Items, traits: Traits, rows: Ints
) -> Floats:
    """Each annotator's share [P] of wrong answers to the given rows."""
    chosen = items.error[rows]
    if not len(chosen):
        return np.zeros(len(traits))
    error = np.clip(np.quantile(chosen, (np.arange(_QUANTILES) + 0.5) / _QUANTILES), 1e-9, 1 - 1e-9)
    logit = np.log(error / (1 - error))
    tried = (1 / (1 + np.exp(_skill(scenario, traits)[:, None] - logit))).mean(axis=1)
    blind = 1 - 1 / pool.classes
    guess = scenario.careless_guess
    wrong: Floats = np.select(
        [np.isin(traits.kind, (HONEST, SPAM_PASTE)), traits.kind == CARELESS],
        [tried, (1 - guess) * tried + guess * blind],
        blind,
    )
    return wrong


def _never_banned(
    scenario: Scenario, pool: PoolSettings, traits: Traits, error: Floats, count: Ints
) -> Floats:
    """Chance [P, M] that no rule has banned an annotator after a number of suites."""
    rules = pool.rules
    safe = np.ones((len(traits), len(count)))
    if rules.wrong_controls and pool.controls:
        safe *= _fewer_than(rules.wrong_controls, count * pool.controls, error)
    if rules.fast_responses and rules.fast_seconds > 0:
        # Working time is lognormal: a response is fast if its normal draw lies below this distance.
        far = np.log(rules.fast_seconds / (traits.pace * pool.suite_size))
        scaled = (far / max(scenario.seconds_within, 1e-9)).tolist()
        fast = np.array([NormalDist().cdf(value) for value in scaled])
        safe *= _fewer_than(rules.fast_responses, count, fast)
    return safe


def _fewer_than(limit: int, trials: Ints, chance: Floats) -> Floats:
    """Binomial chance [P, M] of fewer than `limit` events in each number of trials."""
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
    """Each annotator's chance [P] to pass the exam, and the seconds [P] for it."""
    if pool.exam is None:
        return np.ones(len(traits)), np.zeros(len(traits))
    # Exam tasks differ in difficulty, so the number of wrong answers is no binomial: its
    # distribution [P, wrong answers so far] is built up task by task.
    wrong = np.zeros((len(traits), len(pool.exam_rows) + 1))
    wrong[:, 0] = 1.0
    for row in pool.exam_rows:
        error = _mean_error(scenario, pool, items, traits, np.array([row]))[:, None]
        wrong[:, 1:] = wrong[:, 1:] * (1 - error) + wrong[:, :-1] * error
        wrong[:, :1] *= 1 - error
    allowed = len(pool.exam_rows) - pool.exam.pass_correct
    passed = wrong[:, : max(0, allowed + 1)].sum(axis=1)
    return passed, traits.pace * len(pool.exam_rows)
