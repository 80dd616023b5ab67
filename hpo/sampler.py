"""Stock Optuna samplers, made afresh for every ask so that a resumed study equals itself."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def make_sampler(name: str, seed: int) -> BaseSampler:
    """One of Optuna's samplers.

    Args:
        name: tpe | nsga2 | gp | random.
        seed: of this ask: derived from (study seed, number of complete trials).
    """
    import optuna

    seed = seed % 2**32  # Optuna seeds numpy's legacy RandomState
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "tpe":
            return optuna.samplers.TPESampler(seed=seed)
        if name == "nsga2":
            return optuna.samplers.NSGAIISampler(seed=seed, population_size=8)
        if name == "gp":
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=5)
        return optuna.samplers.RandomSampler(seed=seed)
