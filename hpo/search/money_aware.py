"""Our search as a sampler of Optuna: it proposes the plan that a chooser names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler

from budget.tariffs.wages import EVERYBODY
from hpo.settings.search_space import SearchSpace
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
        "prelabel": CategoricalDistribution(list(space.prelabels)),
        "group": CategoricalDistribution([name or EVERYBODY for name in space.groups]),
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
