"""Groups of own annotators: what an answer of each cost, and how they did on control tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from budget.money import ZERO, Money
from budget.tariffs.wages import EVERYBODY
from hpo.answer.plan_in_words import counted
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sections.sellers.checked import checked
from labeling.machine import is_machine
from labeling.store.records import OrderRecord


def _tell(findings: Findings, report: Report) -> Report:
    """Answers, pay and checks of each group that was asked; control tasks are answers, too."""
    world = findings.world
    if not world.market.groups:
        return report
    asked: defaultdict[str, list[OrderRecord]] = defaultdict(list)
    for record in world.store.all_orders():
        condition = record.order.condition
        if not is_machine(condition):
            asked[condition.group.name if condition.group else EVERYBODY].append(record)
    told = []
    for name, records in sorted(asked.items()):
        conditions = {record.order.condition for record in records}
        checks = [checked(condition, world) for condition in conditions]
        told.append(
            {
                "group": name,
                "answers": sum(record.assignments for record in records),
                "paid": sum((record.reward for record in records), ZERO).to_json(),
                "controls": {
                    key: sum(check[key] for check in checks) for key in ("right", "answers")
                },
            }
        )
    return {**report, "groups": told}


def _sentences(report: Mapping[str, Any]) -> list[str]:
    return [_sentence(told) for told in report.get("groups", []) if told["answers"]]


def _sentence(told: Mapping[str, Any]) -> str:
    name, checks = told["group"], told["controls"]
    by = "Everybody together" if name == EVERYBODY else f"The group {name}"
    each = Money(round(Money.from_json(told["paid"]).micros / told["answers"]))
    right = ""
    if checks["answers"]:
        right = f", {checks['right']} of {counted(checks['answers'], 'control answer')} right"
    return f"{by} gave {counted(told['answers'], 'answer')} for {each} each{right}."


GROUPS = Section("groups", tell=_tell, sentences=_sentences)
