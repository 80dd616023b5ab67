"""The section of advice: ties, influence of settings, forecasts, a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import advice_lines


def _tell(findings: Findings, report: Report) -> Report:
    advisor = findings.advisor
    return {**report, "answer": advisor.answer(), "advice": advisor.all()}


def _sentences(report: Mapping[str, Any]) -> list[str]:
    return advice_lines(report)


ADVICE = Section("advice", tell=_tell, sentences=_sentences)
