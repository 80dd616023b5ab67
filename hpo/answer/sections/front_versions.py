"""Label versions and models of the front's plans that were evaluated for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpo.answer.sections.final import state_key
from hpo.answer.sections.section import Findings, Report, Section


def front_versions(findings: Findings) -> dict[str, str]:
    """The label versions of the front's plans that have one, by plan."""
    kept = findings.kept(FRONT_VERSIONS.name)
    bought = {p.outcome.plan.key: p.version for p in findings.purchases}
    versions = {
        o.plan.key: bought.get(o.plan.key) or kept.get(state_key(o, findings.own))
        for o in findings.front
    }
    return {plan: version for plan, version in versions.items() if version is not None}


def _keys(findings: Findings) -> Sequence[str]:
    versions = front_versions(findings)
    return [state_key(o, findings.own) for o in findings.front if o.plan.key not in versions]


def _measure(findings: Findings, key: str) -> Any:
    from hpo.trial.evaluate import fit_plan
    from hpo.trial.versions.label_versions import save_version

    plan = next(o.plan for o in findings.front if state_key(o, findings.own) == key)
    return save_version(fit_plan(plan, findings.world), findings.world)


def _tell(findings: Findings, report: Report) -> Report:
    versions = front_versions(findings)
    front = [{**row, "version": versions.get(row["plan"]["key"])} for row in report["front"]]
    return {**report, "front": front}


FRONT_VERSIONS = Section("front versions", "", _keys, _measure, _tell)
