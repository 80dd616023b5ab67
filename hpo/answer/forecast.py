"""Forecasts beyond the money tried: learning curves through the front, with a track record.

Two families of curves in dollars D, fitted to every posterior draw of the front's accuracies:
power law, error = c + a D^-b, and arctan, accuracy = u (2/pi) arctan((D/d)^h). Mahmood et al. 2022,
"How Much More Data Do I Need?", found ensembles of such families safer than any one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labeling.types import Floats
from training.evaluate import Z95

_DRAWS = 300
_POWERS = np.array([0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5])
_HALVES = np.geomspace(0.001, 3.0, 12)  # d, in units of the cheapest plan's dollars
_SLOPES = (0.5, 1.0)
_FEWEST = 3  # points that a curve is fitted to


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected accuracy at a number of dollars, with its 95 % interval."""

    dollars: float
    accuracy: float
    low: float
    high: float


def forecast(
    cost: Floats,
    samples: Floats,
    dollars: float,
    track: float = 0.0,
    model: Floats | None = None,
) -> Forecast | None:
    """The accuracy to expect of the best plan at a number of dollars.

    Args:
        cost: [n] price tags of the front, rising, in dollars.
        samples: [draws, n] posterior draws of its accuracies.
        dollars: of one plan, beyond the front or inside it.
        track: root mean square error of earlier forecasts, which widens the interval.
        model: [draws] what the surrogate says of the best plan at these dollars, which knows that
            a pool ends: it counts as much as both curves, which do not and hope for too much.

    Returns:
        None where the front has too few plans for a curve.
    """
    if len(cost) < _FEWEST:
        return None
    drawn = samples[:_DRAWS]
    weight = 1 / (samples.std(axis=0) + 0.003)
    draws = np.concatenate(
        [family(cost, drawn, weight, dollars) for family in (_power_law, _arctan)]
    )
    if model is not None:
        draws = np.concatenate([draws, np.tile(model[: len(drawn)], 2)])
    bought = np.flatnonzero(cost <= dollars)
    if len(bought):  # no plan has to be bought that is worse than one known to be cheaper
        dearest = drawn[:, bought[-1]]
        draws = np.maximum(draws, np.tile(dearest, len(draws) // len(dearest)))
    mean = float(draws.mean())
    half = Z95 * float(np.sqrt(draws.var() + track**2))
    return Forecast(dollars, mean, max(0.0, mean - half), min(1.0, mean + half))


def backtest(cost: Floats, samples: Floats) -> tuple[float, float, int]:
    """One-step-ahead errors: every front plan forecast from the cheaper ones.

    Returns:
        Root mean square and median absolute error in accuracy, and the number of forecasts.
    """
    errors = []
    for i in range(_FEWEST, len(cost)):
        said = forecast(cost[:i], samples[:, :i], float(cost[i]))
        if said is not None:
            errors.append(said.accuracy - float(samples[:, i].mean()))
    if not errors:
        return 0.0, 0.0, 0
    away = np.array(errors)
    return float(np.sqrt((away**2).mean())), float(np.median(np.abs(away))), len(away)


def to_plain(said: Forecast) -> dict[str, Any]:
    """A forecast as JSON types."""
    return {
        "dollars": round(said.dollars, 2),
        "accuracy": round(said.accuracy, 4),
        "interval_95": [round(said.low, 4), round(said.high, 4)],
    }


def _power_law(cost: Floats, samples: Floats, weight: Floats, dollars: float) -> Floats:
    fits = []
    for power in _POWERS:
        x, at = cost**-power, dollars**-power
        w = weight**2 / (weight**2).sum()
        middle = float(w @ x)
        error = 1 - samples
        level = error @ w
        slope = np.maximum((error - level[:, None]) @ (w * (x - middle)), 0.0)
        slope = slope / max(float(w @ (x - middle) ** 2), 1e-12)
        floor = level - slope * middle
        # An error below zero is none: then the curve goes through the origin.
        through = (error @ (w * x)) / float(w @ x**2)
        slope, floor = np.where(floor < 0, through, slope), np.maximum(floor, 0.0)
        miss = ((floor[:, None] + slope[:, None] * x - error) ** 2) @ w
        fits.append((miss, 1 - floor - slope * at))
    return _best(fits)


def _arctan(cost: Floats, samples: Floats, weight: Floats, dollars: float) -> Floats:
    fits = []
    w = weight**2 / (weight**2).sum()
    for half in _HALVES * cost[0]:
        for slope in _SLOPES:
            x = 2 / np.pi * np.arctan((cost / half) ** slope)
            at = 2 / np.pi * np.arctan((dollars / half) ** slope)
            height = np.minimum((samples @ (w * x)) / float(w @ x**2), 1.0)
            miss = ((height[:, None] * x - samples) ** 2) @ w
            fits.append((miss, height * at))
    return _best(fits)


def _best(fits: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Per draw the value of the curve that fits best."""
    misses = np.stack([miss for miss, _ in fits])
    values = np.stack([value for _, value in fits])
    best: Floats = values[misses.argmin(axis=0), np.arange(values.shape[1])]
    return best
