"""Samplers for ask and tell, made afresh for every ask so that a resumed study equals itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    GPSampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)

from budget.errors import InputError, nearest
from budget.money import Money
from hpo.search.searcher import Decision, Searcher
from hpo.settings.config import StudyConfig
from hpo.settings.search_space import SearchSpace
from hpo.trial.outcome import Outcome
from labeling.types import LabelPlan

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Optuna's search space: a box that spans the levels; fixed dimensions are left out."""
    low, high = space.prices[0] / 1e6, space.prices[-1] / 1e6
    overlaps = space.overlaps or (1,)
    box: dict[str, BaseDistribution] = {
        "price": FloatDistribution(low, high, log=True),
        "overlap": IntDistribution(overlaps[0], overlaps[-1], log=True),
        "rule": CategoricalDistribution(list(space.kinds)),
        "controls": IntDistribution(space.controls[0], space.controls[-1]),
        "tasks": IntDistribution(space.tasks[0], space.tasks[-1], log=True),
        "exam": CategoricalDistribution(list(space.exams)),
    }
    return {name: box[name] for name in space.searched}


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
        return distributions(self._space)

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


Decide = Callable[[Searcher, Sequence[Outcome], Money, frozenset[str]], Decision]
"""Of a searcher, everything evaluated, the money left, and conditions that are being bought in."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """A sampler by name.

    Attributes:
        make: makes it for one ask, from a seed, the space, and a function that names our next plan.
        decide: names the next plan or the reason to stop, for samplers of ours; None for stock
            samplers, which stop where no plan can be afforded.
        searches_rules: whether it can search dynamic overlap.
    """

    make: Callable[[int, SearchSpace, Callable[[], LabelPlan]], BaseSampler]
    decide: Decide | None = None
    searches_rules: bool = True


def _ours(seed: int, space: SearchSpace, choose: Callable[[], LabelPlan]) -> BaseSampler:
    return MoneyAwareSampler(space, choose, seed)


SAMPLERS = {
    "money": Sampler(_ours, Searcher.decide, searches_rules=False),
    "rule": Sampler(_ours, Searcher.decide_by_rule, searches_rules=False),
    "tpe": Sampler(lambda seed, *_: TPESampler(seed=seed)),
    "nsga2": Sampler(lambda seed, *_: NSGAIISampler(seed=seed, population_size=8)),
    "gp": Sampler(lambda seed, *_: GPSampler(seed=seed, n_startup_trials=5)),
    "random": Sampler(lambda seed, *_: RandomSampler(seed=seed)),
}
"""Samplers by the name that `--sampler` takes."""


def sampler_named(name: str) -> Sampler:
    """The sampler of a name.

    Raises:
        InputError: there is none.
    """
    if name not in SAMPLERS:
        raise InputError(f"--sampler: {name!r} is not known; {nearest(name, tuple(SAMPLERS))}")
    return SAMPLERS[name]


def check_sampler(config: StudyConfig) -> None:
    """Refuse a sampler that is not known, or that cannot search the configuration's space.

    Raises:
        InputError: naming the samplers that can.
    """
    sampler = sampler_named(config.sampler)
    if config.dynamic_overlap and not sampler.searches_rules:
        able = [name for name, known in SAMPLERS.items() if known.searches_rules]
        raise InputError(
            f"--sampler: {config.sampler} does not search dynamic overlap; use "
            f"{', '.join(able[:-1])} or {able[-1]}"
        )


def make_sampler(
    name: str, seed: int, space: SearchSpace, choose: Callable[[], LabelPlan]
) -> BaseSampler:
    """Our sampler, or one of Optuna's.

    Args:
        name: a name of SAMPLERS.
        seed: of this ask: derived from (study seed, number of complete trials).
        space: the search space.
        choose: names the next plan, for our samplers.

    Raises:
        InputError: no such sampler.
    """
    seed = seed % 2**32  # Optuna seeds numpy's legacy RandomState
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return sampler_named(name).make(seed, space, choose)
