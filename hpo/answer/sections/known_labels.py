"""The labels that models are measured by: how many were known, and which the study bought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from budget.tariff import expected_assignments, expected_cost
from hpo.answer.plan_in_words import told_pay_in_words
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import cents

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
    from labeling.source import tariff_of

    if is_subjective(world):
        return None
    data = world.data
    known = {role: int(data.known[data.rows[role]].sum()) for role in _ROLES}
    labels = {role: count for role, count in known.items() if count}
    images = sum(labels.values())
    if not images:
        return None
    condition = world.condition(replace(best, tasks=images, overlap=OVERLAP, dynamic=None))
    tariff = tariff_of(world.source, condition)
    assignments = expected_assignments(images, OVERLAP, condition.real_per_assignment)
    return {
        "labels": labels,
        "overlap": OVERLAP,
        "price_per_task": best.price.to_json(),
        **({"wage": True} if best.wage else {}),
        **({"group": best.group} if best.group else {}),
        "cost": expected_cost(tariff, assignments, condition.reward).to_json(),
    }


def _tell(findings: Findings, report: Report) -> Report:
    best = findings.best
    told = known_labels(best.plan, findings.world) if best is not None else None
    tests = test_labels(findings.world)
    return {**report, "known_labels": told, **({} if tests is None else {"test_labels": tests})}


def test_labels(world: World) -> dict[str, Any] | None:
    """What a report says of labels bought to measure by; None where none were bought."""
    from hpo.trial.purchase import TESTED, paid_apart
    from hpo.trial.truth.bought import bought_tests

    tests = bought_tests(world)
    if tests is None:
        return None
    return {
        "images": tests.images,
        "answers": tests.answers,
        "overlap": world.config.test_overlap,
        "paid": paid_apart(world, TESTED).to_json(),
        "checked": tests.errors.checked,
        "checked_wrong": tests.errors.wrong,
        "wrong": round(tests.errors.share, 6),
        "wrong_sd": round(tests.errors.sd, 6),
    }


def test_labels_line(told: Mapping[str, Any]) -> str:
    """The purchase, the errors of its labels, and what became of them."""
    checked = ""
    if told["checked"]:
        checked = f" Of {told['checked']} compared with known labels {told['checked_wrong']} are."
    return (
        f"Labels of {told['images']:,} images to measure models by cost {cents(told['paid'])}: "
        f"{told['answers']:,} answers, {told['overlap']} an image. An estimated "
        f"{100 * told['wrong']:.1f} % +- {100 * told['wrong_sd']:.1f} of them are wrong."
        f"{checked} Accuracies are corrected for it, and their intervals hold the doubt."
    )


def known_labels_line(told: Mapping[str, Any]) -> str:
    """Counts and price in words."""
    counts = [f"{count} {role}" for role, count in told["labels"].items()]
    listed = " and ".join(filter(None, [", ".join(counts[:-1]), counts[-1]]))
    is_one = sum(told["labels"].values()) == 1
    return (
        f"The study used {listed} label{'' if is_one else 's'} that you provided; buying "
        f"{'it' if is_one else 'them'} with {told['overlap']} answers{'' if is_one else ' each'} "
        f"at {told_pay_in_words(told)} would cost {cents(told['cost'])}. Prices of "
        "plans are for training labels only."
    )


def _sentences(report: Mapping[str, Any]) -> list[str]:
    told = report.get("known_labels")  # reports of earlier versions have none
    tests = report.get("test_labels")
    lines = [known_labels_line(told)] if told else []
    return [*lines, *([test_labels_line(tests)] if tests else [])]


KNOWN_LABELS = Section("known_labels", tell=_tell, sentences=_sentences)
