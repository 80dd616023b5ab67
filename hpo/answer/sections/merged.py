"""The section on all labels owned, merged over conditions: the model they give today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from budget.money import ZERO
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import merged_line


def _key(findings: Findings) -> str:
    orders = [record.order for record in findings.own.store.all_orders()]
    return str(sum(order.condition.price != ZERO for order in orders))  # not own labels


def _keys(findings: Findings) -> Sequence[str]:
    return [_key(findings)] if findings.best is not None else []


def _measure(findings: Findings, key: str) -> Any:
    from hpo.trial.versions.merged_labels import merged_today

    assert findings.best is not None  # noqa: S101 - else there is no key
    return merged_today(findings.best.plan, findings.own)


def _tell(findings: Findings, report: Report) -> Report:
    return {**report, "all_labels_merged": findings.kept(MERGED.name).get(_key(findings))}


def _sentences(report: Mapping[str, Any]) -> list[str]:
    merged = report["all_labels_merged"]
    return [merged_line(merged)] if merged else []


MERGED = Section("merged", "", _keys, _measure, _tell, _sentences)
