"""Predictions shown to own annotators: how many control tasks they got right with and without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sections.sellers.checked import checked


def _tell(findings: Findings, report: Report) -> Report:
    """Right and all answers to control tasks, by whether predictions were shown."""
    world = findings.world
    if not world.market.prelabels:
        return report
    conditions = {record.order.condition for record in world.store.all_orders()}
    told = {name: {"right": 0, "answers": 0} for name in ("shown", "hidden")}
    for condition in conditions:
        if condition.market != world.market.name:
            continue
        counts = told["shown" if condition.prelabels else "hidden"]
        for key, count in checked(condition, world).items():
            counts[key] += count
    return {**report, "prelabels": told}


def _sentences(report: Mapping[str, Any]) -> list[str]:
    told = report.get("prelabels")
    if not told or not told["shown"]["answers"]:
        return []
    shown, hidden = told["shown"], told["hidden"]
    without = f"; without, {hidden['right']} of {hidden['answers']}" if hidden["answers"] else ""
    return [
        f"With predictions shown, {shown['right']} of {shown['answers']} answers to control tasks "
        f"were right{without}."
    ]


PRELABELS = Section("prelabels", tell=_tell, sentences=_sentences)
