"""The answer where Optuna's tools look for it: notes of a study and of its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.answer.summary import summary_lines, title
from hpo.settings.stored_answer import DIGEST, digest, to_json

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

_MARK = "recommended trial"
_UNFINISHED = "This study goes on. Its answer stands here when it ends."
_CHOSEN = "**recommended** by the study's answer"
_LONGEST = 2000  # characters that optuna-dashboard keeps in one attribute


def leave_answer(
    study: optuna.Study, report: Mapping[str, Any] | None = None, best: int | None = None
) -> None:
    """Write the answer as the study's note, and mark the trial of the recommended plan.

    Optuna changes no attribute of a finished trial. So the mark is an attribute of the study,
    `recommended trial`, and a note that optuna-dashboard shows with the trial.

    Args:
        study: in the storage that is written.
        report: its report; None while there is none.
        best: number of the recommended plan's trial; None where there is none.
    """
    trials = study.get_trials(deepcopy=False)
    marked = study.user_attrs.get(_MARK)
    if marked is not None and marked != best:
        _leave(study, f"dashboard:{trials[marked]._trial_id}:", "")
    if best is not None:
        _leave(study, f"dashboard:{trials[best]._trial_id}:", _CHOSEN)
    note = _UNFINISHED if report is None else _in_words(report)
    _leave(study, "dashboard:", note)
    study.set_user_attr("answer", note)
    study.set_user_attr(DIGEST, None if report is None else digest(to_json(report).encode()))
    study.set_user_attr(_MARK, best)


def recommended_trial(trials: Sequence[FrozenTrial], report: Mapping[str, Any]) -> int | None:
    """Number of the trial that measured the recommended plan last; None where none did."""
    best = report["recommended"]
    if best is None:
        return None
    mine = [
        trial.number
        for trial in trials
        if trial.state.name == "COMPLETE" and trial.user_attrs["plan"]["key"] == best["plan"]["key"]
    ]
    return mine[-1] if mine else None


def _in_words(report: Mapping[str, Any]) -> str:
    return "\n".join((f"# {title(report)}", "", *(f"{line}  " for line in summary_lines(report))))


def _leave(study: optuna.Study, prefix: str, text: str) -> None:
    """Write a note as optuna-dashboard reads it: a version, and the text in parts."""
    storage, number = study._storage, study._study_id
    stored = storage.get_study_system_attrs(number)
    parts = [text[first : first + _LONGEST] for first in range(0, len(text), _LONGEST)]
    while f"{prefix}note_str:{len(parts)}" in stored:  # of a longer note before
        parts.append("")
    for at, part in enumerate(parts):
        storage.set_study_system_attr(number, f"{prefix}note_str:{at}", part)
    storage.set_study_system_attr(
        number, f"{prefix}note_ver", stored.get(f"{prefix}note_ver", 0) + 1
    )
