"""Exam tasks whose difficulty is known by the share of people who got them right."""

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
    """Items whose exam rows have the scenario's pass rates, as far as it names any.

    Args:
        scenario: the crowd, with `exam_pass_rates` for the first rows.
        items: what annotators see.
        rows: [E] the exam's rows.
        classes: number of classes of the question.
    """
    rates = scenario.exam_pass_rates[: len(rows)]
    error = items.error.copy()
    error[rows[: len(rates)]] = error_at(scenario, rates, classes)
    return replace(items, error=error)


def error_at(scenario: Scenario, rates: Sequence[float], classes: int) -> Floats:
    """Item errors at which the given shares of all who sit the exam answer rightly.

    Those who try are right with probability sigmoid(logit(1 - error) + skill), skill being normal;
    all others are right once in `classes` answers. A rate beyond what the crowd can reach gives
    the nearest it can.

    Args:
        scenario: the crowd, at its reference wage.
        rates: [E] shares.
        classes: number of classes of the question.

    Returns:
        [E] within (0, 1).
    """
    blind = scenario.spammers + scenario.careless * scenario.careless_guess
    wanted = (np.asarray(rates, dtype=np.float64) - blind / classes) / (1 - blind)
    skill = scenario.skill_mean + scenario.skill_sd * _NODES
    low, high = np.full(len(wanted), -_REACH), np.full(len(wanted), _REACH)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        right = 1 / (1 + np.exp(-(middle[:, None] + skill))) @ (_WEIGHTS / _WEIGHTS.sum())
        low = np.where(right < wanted, middle, low)
        high = np.where(right < wanted, high, middle)
    error: Floats = 1 / (1 + np.exp((low + high) / 2))
    return np.clip(error, 1e-9, 1 - 1e-9)
