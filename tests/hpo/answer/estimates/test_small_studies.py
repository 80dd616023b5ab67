"""Estimates of small studies, on curves that purchases of plans gave."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hpo.answer.estimates.evidence import VALIDATION, Coding, Measurement, evidence_of
from hpo.answer.estimates.learning_curve import Evidence, Plans, reach
from hpo.answer.estimates.posterior import fit
from hpo.trial.model.annotator_bootstrap import redrawn_share
from labeling.types import Floats, Ints, LabelPlan

SIZES = np.array([98, 98, 98, 98, 98, 98, 196, 392])  # the last three are one purchase's
CURVES = {  # classes, and accuracies of 98, 196 and 392 tasks (benchmarks.curves)
    "digits3": (3, 0.836, 0.874, 0.909),
    "digits": (10, 0.742, 0.865, 0.889),
    "three kinds": (3, 0.751, 0.812, 0.867),
    "three others": (3, 0.843, 0.882, 0.930),
    "eight kinds": (8, 0.586, 0.661, 0.728),
    "eight others": (8, 0.529, 0.624, 0.722),
}
IMAGES, LUCK, BOOTSTRAP = 367, 5.0, 1.5
CONDITION = np.array([0, 1, 2, 3, 4, 5, 5, 5])


def study(error: Floats, chance: float, luck_of: Floats) -> Evidence:
    """The evidence of a $2 study of plans whose errors are known.

    Args:
        error: [n] true errors.
        chance: the error of guessing.
        luck_of: [n] standard normal draws.
    """
    n = len(SIZES)
    luck = LUCK / SIZES * reach(error, chance) ** 2
    same = CONDITION[:, None] == CONDITION[None, :]
    nested = np.sqrt(np.minimum.outer(SIZES, SIZES) / np.maximum.outer(SIZES, SIZES)) * same
    images = np.sqrt(error * (1 - error) / IMAGES)
    noise = nested * np.outer(luck**0.5, luck**0.5)
    noise += (0.6 + 0.4 * np.eye(n)) * np.outer(images, images)
    found = np.clip(error + np.linalg.cholesky(noise) @ luck_of, 0.01, 0.99)
    told = np.full(n, BOOTSTRAP * LUCK) / SIZES
    each: Ints = np.arange(n)
    tasks = np.log(SIZES / 300)
    plans = Plans(tasks, np.zeros(n), np.zeros((n, 4)), CONDITION)
    on = np.full(n, float(IMAGES))
    return Evidence(plans, found, on, 0 * each, told, CONDITION, SIZES, 0 * each + 1, chance)


@pytest.mark.statistics
def test_small_studies_tell_no_accuracy_too_low_and_no_curve_too_flat() -> None:
    away = []
    for i, (classes, *accuracies) in enumerate(CURVES.values()):
        small, middle, large = 1 - np.array(accuracies)
        error = np.array([*[small] * 6, middle, large])
        for seed in range(6):
            rng = np.random.default_rng([seed, i])
            luck = rng.standard_normal(len(error))
            for both in (luck, -luck):  # so that most of it cancels in the mean
                evidence = study(error, 1 - 1 / classes, both)
                told = fit(evidence, rng).accuracy(evidence.plans).mean(axis=0)
                away.append(100 * (told - (1 - error)))
    bias = np.mean(away, axis=0)
    assert abs(bias[:5].mean()) < 0.5
    assert abs(bias[-1]) < 0.5  # it was -0.9


def test_a_lucky_purchase_counts_as_much_as_an_unlucky_one() -> None:
    """Its bootstrap is as small as its error, and would draw the estimates towards it."""
    plan = LabelPlan.parse("p0.001-k1-c0-n98-exam")
    usual = Measurement(plan, 0.75, 367, VALIDATION, 0.0025, "a", 98, 98)
    lucky = dataclasses.replace(usual, accuracy=0.87, luck=0.0009, purchase="b")
    evidence = evidence_of([usual, lucky], Coding(lambda plan: "c", 10, True), 2 / 3, True)
    assert evidence.luck[0] == evidence.luck[1] > 0


def test_the_luck_of_a_plan_is_the_same_whichever_plans_were_measured_beside_it() -> None:
    """Bootstraps of few answers tell too little, of many too much (benchmarks.luck)."""

    def made(tasks: int) -> Measurement:
        plan = LabelPlan.parse(f"p0.001-k1-c0-n{tasks}-exam")
        variance = 14.0 / tasks * float(reach(np.array(0.3), 2 / 3)) ** 2  # as redrawn purchases
        told = variance / float(redrawn_share(np.array(tasks)))
        return Measurement(plan, 0.7, 367, VALIDATION, told, str(tasks), tasks, tasks)

    many, few = [made(980), *[made(n) for n in (20, 39, 49, 78)]], [made(980), made(392)]
    for measured in (many, few):
        luck = evidence_of(measured, Coding(lambda plan: "c", 10, True), 2 / 3, True).luck
        assert luck == pytest.approx([14.0 / m.answers for m in measured])
