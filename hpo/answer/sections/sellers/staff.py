"""What an answer of own annotators costs, as measured: wage times working time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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
    if again := report["confirmation"]:
        part = replace(plan, tasks=int(again["tasks"]))
        expected = costs.price_interval(part)
        assert expected is not None  # noqa: S101 - rewards vary
        told["bought_again"] = {
            "tasks": part.tasks,
            "paid": again["paid"],
            "expected_95": [bound.to_json() for bound in expected],
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
        f"again would cost {cents(least)} to {cents(most)}.",
        *_bought_again(told),
    ]


def _bought_again(told: Mapping[str, Any]) -> list[str]:
    again = told.get("bought_again")
    if not again:
        return []
    low, high = (Money.from_json(bound) for bound in again["expected_95"])
    inside = "inside" if low <= Money.from_json(again["paid"]) <= high else "outside"
    return [
        f"Bought again, {counted(again['tasks'], 'task')} cost {cents(again['paid'])}, {inside} "
        f"the {low.cents()} to {high.cents()} expected."
    ]


STAFF = Section("staff", tell=_tell, sentences=_sentences)
