"""The recommended plan's model on the final images, which no decision has touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.answer.plan_in_words import counted
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import expected

if TYPE_CHECKING:
    from hpo.trial.outcome import Outcome
    from hpo.trial.world import World
    from labeling.types import LabelPlan


def state_key(outcome: Outcome, own: World) -> str:
    """A plan and the state of its condition: more answers there may change its labels."""
    return state_of(outcome.plan, own)


def state_of(plan: LabelPlan, own: World) -> str:
    """The same key of any plan."""
    return f"{plan.key}/{len(own.store.orders(own.condition(plan)))}"


def told_score(score: Mapping[str, Any]) -> dict[str, Any]:
    """A score as reports tell it."""
    from hpo.trial.evaluate import FOR_ESTIMATES

    return {name: value for name, value in score.items() if name not in FOR_ESTIMATES}


def _keys(findings: Findings) -> Sequence[str]:
    return [state_key(findings.best, findings.own)] if findings.best is not None else []


def _measure(findings: Findings, key: str) -> Any:
    from hpo.trial.evaluate import final_score, fit_plan

    assert findings.best is not None  # noqa: S101 - else there is no key
    return final_score(fit_plan(findings.best.plan, findings.world), findings.world)


def _tell(findings: Findings, report: Report) -> Report:
    if findings.best is None or not findings.has_stopped:
        return report
    score = findings.kept(FINAL.name).get(state_key(findings.best, findings.own))
    told = None if score is None else told_score(score)
    return {**report, "recommended": {**report["recommended"], "final": told}}


def _sentences(report: Mapping[str, Any]) -> list[str]:
    final = report["recommended"]["final"]
    if not final:
        return []
    images = counted(final["images"], "image")
    lines = [
        "its model, trained on the labels that the search bought, gives "
        f"{expected(report, final)} on {images} that no decision has touched"
    ]
    if made := final.get("calibration"):
        before, after = made["ece_before"], final.get("ece")
        if before is not None and after is not None:
            lines.append(
                f"its probabilities are calibrated: the calibration error is {after:.3f}, and was "
                f"{before:.3f}"
            )
    return lines


FINAL = Section(
    "final",
    "measuring the recommended plan on the final images",
    _keys,
    _measure,
    _tell,
    _sentences,
    "headline",
)
