"""The learning curve's arithmetic at the ends of its range."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hpo.answer.estimates.learning_curve import (
    NO_KNOTS,
    SHAPE,
    Evidence,
    LearningCurve,
    Plans,
    log_errors,
    log_errors_and_slopes,
)
from hpo.answer.estimates.posterior import _chains

CHANCE = 0.9
LEVEL, SLOPE, FLOOR = 0, 1, 3


def plans_of(tasks: list[float]) -> Plans:
    """Plans of one condition with one answer a task."""
    n = len(tasks)
    return Plans(np.array(tasks), np.zeros(n), np.zeros((n, 4)), np.zeros(n, dtype=np.int64))


def draw(level: float, slope: float, asymptote: float) -> np.ndarray:
    """One draw of the parameters, with the offset of its only condition."""
    theta = np.zeros((1, SHAPE + 1))
    theta[0, [LEVEL, SLOPE, FLOOR]] = level, np.log(slope), asymptote
    return theta


@pytest.mark.parametrize("level", [-2000.0, -800.0, -40.0, 0.0, 40.0, 800.0])
def test_an_error_too_small_for_a_float_has_a_logarithm(level: float) -> None:
    theta, plans = draw(level, 1.0, -3.0), plans_of([-5.0, 0.0, 9.0])
    logs = log_errors(theta, theta[:, SHAPE:], plans, CHANCE, NO_KNOTS)
    assert np.isfinite(logs).all()
    assert (np.diff(logs[0]) <= 0).all()
    assert logs.max() <= np.log(CHANCE)
    assert logs[0, -1] == pytest.approx(min(level - 3.0, np.log(CHANCE)), abs=1.0)
    accuracy = LearningCurve(theta, CHANCE, 0.0).accuracy(plans)
    assert ((accuracy >= 1 - CHANCE) & (accuracy <= 1)).all()


@pytest.mark.parametrize("level", [-2000.0, -3.0, 0.0, 3.0])
def test_slopes_are_the_derivatives_of_the_logarithms(level: float) -> None:
    plans = plans_of([-2.0, 0.5, 3.0])
    n = len(plans)
    codes = np.zeros(n, dtype=np.int64)
    evidence = Evidence(
        plans, np.full(n, 0.2), np.full(n, 100.0), codes, np.zeros(n), codes, codes, codes, CHANCE
    )
    theta = draw(level, 0.7, -1.0)[0]
    logs, slopes = log_errors_and_slopes(theta, evidence, NO_KNOTS)
    assert logs == pytest.approx(
        log_errors(theta[None], theta[None, SHAPE:], plans, CHANCE, NO_KNOTS)[0]
    )
    for parameter in range(SHAPE + 1):
        step = np.zeros(SHAPE + 1)
        step[parameter] = 1e-5
        above, _ = log_errors_and_slopes(theta + step, evidence, NO_KNOTS)
        below, _ = log_errors_and_slopes(theta - step, evidence, NO_KNOTS)
        assert slopes[:, parameter] == pytest.approx((above - below) / 2e-5, abs=2e-5)


def test_forecasts_do_not_jump_where_two_kinds_of_curve_are_about_as_probable() -> None:
    def of(*log_evidences: float) -> list[int]:
        modes: Any = [SimpleNamespace(log_evidence=level) for level in log_evidences]
        return _chains(modes)

    assert of(-40.0) == [256]
    before, after = of(-40.0, -37.05), of(-40.0, -36.95)  # three nats are asked for beforehand
    assert sum(before) == sum(after) == 256
    assert 120 < before[1] <= after[1] < 136
    assert of(-40.0, -45.0) == [256, 0]
    assert of(-40.0, -10.0) == [0, 256]
