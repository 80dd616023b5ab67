"""The labels that a study did not buy: how many it used, and what they would cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from budget.tariff import expected_assignments
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import cents, usd

if TYPE_CHECKING:
    from hpo.trial.world import World
    from labeling.types import LabelPlan

OVERLAP = 3
"""Answers per image that stand for a label to measure by."""
_ROLES = ("control", "validation", "final")


def known_labels(best: LabelPlan, world: World) -> dict[str, Any] | None:
    """Labels used by role, and their price in the recommended plan's condition.

    Args:
        best: the recommended plan, whose price, control tasks and exam count.
        world: the study's world.

    Returns:
        The counts and the price, fee included; None for a question without right answers.
    """
    from hpo.trial.subjective import is_subjective

    if is_subjective(world):
        return None
    labels = {role: len(world.data.rows[role]) for role in _ROLES if len(world.data.rows[role])}
    images = sum(labels.values())
    if not images:
        return None
    condition = world.condition(replace(best, tasks=images, overlap=OVERLAP, dynamic=None))
    assignments = expected_assignments(images, OVERLAP, condition.real_per_suite)
    return {
        "labels": labels,
        "overlap": OVERLAP,
        "price_per_task": best.price.to_json(),
        "cost": world.source.tariff.cost(assignments, condition.reward).to_json(),
    }


def _tell(findings: Findings, report: Report) -> Report:
    best = findings.best
    told = known_labels(best.plan, findings.world) if best is not None else None
    return {**report, "known_labels": told}


def known_labels_line(told: Mapping[str, Any]) -> str:
    """Counts and price in words."""
    counts = [f"{count} {role}" for role, count in told["labels"].items()]
    listed = " and ".join(filter(None, [", ".join(counts[:-1]), counts[-1]]))
    is_one = sum(told["labels"].values()) == 1
    return (
        f"The study used {listed} label{'' if is_one else 's'} that you provided; buying "
        f"{'it' if is_one else 'them'} with {told['overlap']} answers{'' if is_one else ' each'} "
        f"at {usd(told['price_per_task'])} a task would cost {cents(told['cost'])}. Prices of "
        "plans are for training labels only."
    )


def _sentences(report: Mapping[str, Any]) -> list[str]:
    told = report.get("known_labels")  # reports of earlier versions have none
    return [known_labels_line(told)] if told else []


KNOWN_LABELS = Section("known_labels", tell=_tell, sentences=_sentences)
