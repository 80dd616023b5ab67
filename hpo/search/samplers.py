"""Samplers for ask and tell, made afresh for every ask so that a resumed study equals itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler, RandomSampler

from hpo.settings.search_space import SearchSpace
from labeling.types import LabelPlan

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

OURS = ("money", "rule")


class MoneyAwareSampler(BaseSampler):
    """Proposes the plan that a chooser names: one inside the limits that the money left bears.

    Args:
        space: the search space.
        choose: names the next plan; a function of what the study has stored.
        seed: for dimensions outside the space, which a static space does not have.
    """

    def __init__(self, space: SearchSpace, choose: Callable[[], LabelPlan], seed: int = 0) -> None:
        self._space = space
        self._choose = choose
        self._independent = RandomSampler(seed=seed)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The whole space, the same for every trial."""
        return self._space.distributions()

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The draw that stands for the chosen plan."""
        return self._space.params_of(self._choose())

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A random value for a parameter that is not a dimension of the space."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)


def make_sampler(
    name: str, seed: int, space: SearchSpace, choose: Callable[[], LabelPlan]
) -> BaseSampler:
    """Our sampler, or one of Optuna's.

    Args:
        name: money | rule | tpe | nsga2 | gp | random.
        seed: of this ask: derived from (study seed, number of complete trials).
        space: the search space.
        choose: names the next plan, for our samplers.
    """
    import optuna

    seed = seed % 2**32  # Optuna seeds numpy's legacy RandomState
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name in OURS:
            return MoneyAwareSampler(space, choose, seed)
        if name == "tpe":
            return optuna.samplers.TPESampler(seed=seed)
        if name == "nsga2":
            return optuna.samplers.NSGAIISampler(seed=seed, population_size=8)
        if name == "gp":
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=5)
        return optuna.samplers.RandomSampler(seed=seed)
