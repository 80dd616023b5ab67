"""Samplers by the name that `--sampler` takes; each is imported when it is used.

They are made afresh for every ask, so that a resumed study equals itself. A new sampler is a row.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from budget.errors import InputError, nearest

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from budget.money import Money
    from hpo.search.searcher import Decision, Searcher
    from hpo.settings.config import StudyConfig
    from hpo.settings.search_space import SearchSpace
    from hpo.trial.outcome import Outcome
    from labeling.types import LabelPlan

    Choose = Callable[[], LabelPlan]
    Make = Callable[[int, SearchSpace, Choose], BaseSampler]
    Decide = Callable[[Searcher, Sequence[Outcome], Money, frozenset[str]], Decision]


class Sampler(NamedTuple):
    """A sampler by name.

    Attributes:
        make: makes it for one ask, from a seed, the space, and a function that names our next plan.
        decide: names the next plan or the reason to stop, for samplers of ours, given everything
            evaluated, the money left and the conditions that are being bought in. None for stock
            samplers, which stop where no plan can be afforded.
        searches_rules: whether it can search dynamic overlap.
    """

    make: Make
    decide: Decide | None = None
    searches_rules: bool = True


def _ours(seed: int, space: SearchSpace, choose: Choose) -> BaseSampler:
    from hpo.search.money_aware import MoneyAwareSampler

    return MoneyAwareSampler(space, choose, seed)


def _tpe(seed: int, space: SearchSpace, choose: Choose) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed)


def _nsga2(seed: int, space: SearchSpace, choose: Choose) -> BaseSampler:
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(seed=seed, population_size=8)


def _gp(seed: int, space: SearchSpace, choose: Choose) -> BaseSampler:
    from optuna.samplers import GPSampler

    return GPSampler(seed=seed, n_startup_trials=5)


def _random(seed: int, space: SearchSpace, choose: Choose) -> BaseSampler:
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


SAMPLERS = {
    "money": Sampler(_ours, lambda searcher, *state: searcher.decide(*state), False),
    "rule": Sampler(_ours, lambda searcher, *state: searcher.decide_by_rule(*state), False),
    "tpe": Sampler(_tpe),
    "nsga2": Sampler(_nsga2),
    "gp": Sampler(_gp),
    "random": Sampler(_random),
}


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
        able = [name for name, sampler in SAMPLERS.items() if sampler.searches_rules]
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
    from optuna.exceptions import ExperimentalWarning

    seed = seed % 2**32  # Optuna seeds numpy's legacy RandomState
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return sampler_named(name).make(seed, space, choose)
