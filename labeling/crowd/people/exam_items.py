"""Exam tasks whose difficulty follows from a pass rate: the share of right answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labeling.crowd.people.items import Items
from labeling.crowd.scenario import Scenario
from labeling.types import Floats, Ints

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
_STEPS = 60  # of bisection: halves a logit range of 60 to below 1e-16
_REACH = 30.0  # logits


def set_exam(scenario: Scenario, items: Items, rows: Ints, classes: int) -> Items:
    """Items whose first exam rows have the scenario's pass rates.

    Args:
        scenario: the crowd; its `exam_pass_rates` apply to the first rows.
        items: the items before the change.
        rows: [E] the exam's rows.
        classes: number of classes of the question.
    """
    rates = scenario.exam_pass_rates[: len(rows)]
    error = items.error.copy()
    error[rows[: len(rates)]] = error_at(scenario, rates, classes)
    return replace(items, error=error)


def error_at(scenario: Scenario, rates: Sequence[float], classes: int) -> Floats:
    """Item errors at which the given shares of all annotators at the exam answer rightly.

    An annotator who tries is right with probability sigmoid(logit(1 - error) + skill) with a normal
    skill; all others are right once in `classes` answers. A rate out of the crowd's reach gives the
    nearest rate within reach.

    Args:
        scenario: the crowd, at its reference wage.
        rates: [E] shares.
        classes: number of classes of the question.

    Returns:
        [E] within (0, 1).
    """
    blind = scenario.spammers + scenario.careless * scenario.careless_guess
    # Blind answers are right at a known rate: the rest of each rate is up to those who try.
    wanted = (np.asarray(rates, dtype=np.float64) - blind / classes) / (1 - blind)
    mean, sd = scenario.skill_of_people
    skill = mean + sd * _NODES
    low, high = np.full(len(wanted), -_REACH), np.full(len(wanted), _REACH)
    # The mean over skills has no closed inverse, but it rises with the logit: bisection.
    for _ in range(_STEPS):
        middle = (low + high) / 2
        right = 1 / (1 + np.exp(-(middle[:, None] + skill))) @ (_WEIGHTS / _WEIGHTS.sum())
        low = np.where(right < wanted, middle, low)
        high = np.where(right < wanted, high, middle)
    error: Floats = 1 / (1 + np.exp((low + high) / 2))
    return np.clip(error, 1e-9, 1 - 1e-9)
