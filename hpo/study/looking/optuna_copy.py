"""A study's trials as Optuna's own tools want them: a copy in memory, which decides nothing.

The stored trials hold what decisions depend on, too. The copy has flat attributes alone.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.study.looking.notes import leave_answer, recommended_trial
from hpo.study.storage.trial_facts import flat_facts

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial


def optuna_copy(
    name: str, trials: Sequence[FrozenTrial], report: Mapping[str, Any], paid: Mapping[int, float]
) -> optuna.Study:
    """An Optuna study in memory.

    Args:
        name: of the study.
        trials: the run's trials.
        report: its report as of now.
        paid: dollars paid in the trials that bought, by number.
    """
    from optuna.storages import InMemoryStorage

    from hpo.study.storage.made import optuna_study

    made = optuna_study(name, InMemoryStorage())
    best = recommended_trial(trials, report)
    for trial in trials:
        told = copy.deepcopy(trial)
        told.user_attrs = {key: value for key, value in flat_facts(trial).items() if value != ""}
        told.user_attrs["recommended"] = trial.number == best
        if trial.number in paid:
            told.user_attrs["paid"] = paid[trial.number]
        made.add_trial(told)
    leave_answer(made, report, best)
    return made
