"""A study's trials as Optuna's own tools want them: a copy in memory, which decides nothing.

The run's own trials hold what decisions depend on. The copy adds what a reader looks for: metric
names, flat attributes, what each trial was, the answer as the study's note, and the recommended
plan's mark on its trial.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.answer.summary import summary_lines, title
from hpo.study.looking.trial_facts import flat_facts

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

METRICS = ("accuracy", "price tag, dollars")
_NOTE = 2000  # characters that optuna-dashboard keeps in one attribute


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
    import optuna

    made = optuna.create_study(
        study_name=name,
        directions=["maximize", "minimize"],
        storage=optuna.storages.InMemoryStorage(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        made.set_metric_names(list(METRICS))
    best = report["recommended"]["plan"]["key"] if report["recommended"] else None
    at = _trial_of(trials, best)
    for trial in trials:
        told = copy.deepcopy(trial)
        told.user_attrs = {key: value for key, value in flat_facts(trial).items() if value != ""}
        told.user_attrs["recommended"] = trial.number == at
        if trial.number in paid:
            told.user_attrs["paid"] = paid[trial.number]
        made.add_trial(told)
    lines = (f"# {title(report)}", "", *(f"{line}  " for line in summary_lines(report)))
    note = "\n".join(lines)
    made.set_user_attr("answer", note)
    _leave_note(made, "dashboard:", note)
    if at is not None:
        number = made.trials[at]._trial_id
        _leave_note(made, f"dashboard:{number}:", "**recommended** by the study's answer")
    return made


def _trial_of(trials: Sequence[FrozenTrial], plan: str | None) -> int | None:
    """Place of the trial that measured a plan last; None where none did."""
    mine = [
        at
        for at, trial in enumerate(trials)
        if trial.state.name == "COMPLETE" and trial.user_attrs["plan"]["key"] == plan
    ]
    return mine[-1] if mine else None


def _leave_note(study: optuna.Study, prefix: str, text: str) -> None:
    """A note where optuna-dashboard reads it: a version, and the text in parts."""
    storage, number = study._storage, study._study_id
    parts = [text[first : first + _NOTE] for first in range(0, len(text), _NOTE)]
    for at, part in enumerate(parts):
        storage.set_study_system_attr(number, f"{prefix}note_str:{at}", part)
    storage.set_study_system_attr(number, f"{prefix}note_ver", 1)
