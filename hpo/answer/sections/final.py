"""The recommended plan on the final images, which no decision has touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import interval, percent
from labeling.campaign.campaign import score_name

if TYPE_CHECKING:
    from hpo.trial.outcome import Outcome


def state_key(findings: Findings, outcome: Outcome) -> str:
    """A plan and the state of its condition: more answers there may change its labels."""
    condition = findings.world.condition(outcome.plan)
    return f"{outcome.plan.key}/{len(findings.own.store.orders(condition))}"


def _keys(findings: Findings) -> Sequence[str]:
    return [state_key(findings, findings.best)] if findings.best is not None else []


def _measure(findings: Findings, key: str) -> Any:
    from hpo.trial.evaluate import final_score, fit_plan

    assert findings.best is not None  # noqa: S101 - else there is no key
    return final_score(fit_plan(findings.best.plan, findings.world), findings.world)


def _tell(findings: Findings, report: Report) -> Report:
    if findings.best is None or not findings.has_stopped:
        return report
    score = findings.kept(FINAL.name).get(state_key(findings, findings.best))
    return {**report, "recommended": {**report["recommended"], "final": score}}


def _sentences(report: Mapping[str, Any]) -> list[str]:
    final = report["recommended"]["final"]
    if not final:
        return []
    return [
        f"gives a model of {percent(final['accuracy'])} {score_name(report['question']['kind'])} "
        f"(95 %: {interval(final['interval_95'])}) on {final['images']} images "
        "that no decision has touched"
    ]


FINAL = Section(
    "final",
    "measuring the recommended plan on the final images",
    _keys,
    _measure,
    _tell,
    _sentences,
    "headline",
)
