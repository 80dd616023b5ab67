"""What an answer of own annotators costs, as measured: wage times working time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from budget.money import Money
from hpo.answer.plan_in_words import counted
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import cents


def _tell(findings: Findings, report: Report) -> Report:
    """The recommended plan's cost per answer and in all, each with its interval."""
    if not findings.world.source.tariff.rewards_vary or findings.best is None:
        return report
    costs, plan = findings.advisor.estimates.costs, findings.best.plan
    answer = costs.answer_cost(plan)
    interval = costs.price_interval(plan)
    assert interval is not None  # noqa: S101 - rewards vary
    half = 1.96 * answer.spread / max(1, answer.answers) ** 0.5
    bounds = [Money(max(0, round(answer.mean * (1 + sign * half)))) for sign in (-1, 1)]
    told = {
        "people": findings.world.config.staff_people,
        "answers": answer.answers,
        "answer_cost": answer.of(1).to_json(),
        "answer_cost_95": [bound.to_json() for bound in bounds],
        "plan_cost_95": [bound.to_json() for bound in interval],
        "spread": round(answer.spread, 3),
    }
    return {**report, "staff": told}


def _sentences(report: Mapping[str, Any]) -> list[str]:
    told = report.get("staff")
    if not told:
        return []
    low, high = told["answer_cost_95"]
    least, most = told["plan_cost_95"]
    return [
        f"An answer costs ${told['answer_cost']['usd']} (${low['usd']} to ${high['usd']}), wage "
        f"times working time, measured on {counted(told['answers'], 'answer')}. Buying the plan "
        f"again would cost {cents(least)} to {cents(most)}."
    ]


STAFF = Section("staff", tell=_tell, sentences=_sentences)
