"""Comparisons beside the answer: own labels, assumed difficulty, the other price model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo.answer.plan_in_words import counted
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import percent, points, signed

if TYPE_CHECKING:
    from hpo.trial.world import World


def _key(findings: Findings) -> str:
    best, cap = findings.best, findings.world.ledger.balance().cap
    return f"{best.plan.key if best else 'none'}/{cap.micros}"


def _keys(findings: Findings) -> Sequence[str]:
    return [_key(findings)]


def _measure(findings: Findings, key: str) -> Any:
    """Measure what the configuration asks for beside the search."""
    from hpo.answer.sections.own_labels import own_labels_today
    from hpo.answer.sections.sensitivity import (
        difficulty_sensitivity,
        other_price_model,
        stand_in_sensitivity,
    )

    world = findings.world
    best = None if world.config.delivers else findings.best  # no purchase hangs on it there
    other = None
    if world.config.price_models == "both":
        report = findings.search(other_price_model(world.config))
        other = {"recommended": report["recommended"]}
    return {
        "own_labels": own_labels_today(world),
        "difficulty": None if best is None else difficulty_sensitivity(best.plan, world),
        "other_price_model": other,
        "stand_ins": stand_in_sensitivity(findings.best.plan, world) if findings.best else None,
    }


def _tell(findings: Findings, report: Report) -> Report:
    kept = findings.kept(COMPARISONS.name).get(_key(findings))
    return tell_comparisons(report, kept if findings.has_stopped else None, findings.own)


def tell_comparisons(
    report: dict[str, Any], measured: Mapping[str, Any] | None, world: World
) -> dict[str, Any]:
    """A report with what was found beside it, and notes in words."""
    from hpo.answer.sections.sensitivity import compare_price_models
    from training.evaluate import Z95

    if measured is None:
        return {**report, "own_labels": None, "sensitivity": None, "price_models": None}
    notes = list(report["notes"])
    other = measured["other_price_model"]
    prices = compare_price_models(report, other, world.config) if other else None
    if prices is not None and not prices["same_price"]:
        notes.append(
            "The evidence does not decide the price: under the other assumption on whom pay "
            "attracts, another price is recommended."
        )
    elif prices is not None:
        notes.append("Both assumptions on whom pay attracts recommend the same price.")
    lean = measured["difficulty"]
    if lean is not None:
        notes.append(_difficulty_note(lean, world.config.difficulty, Z95))
    drawn = measured.get("stand_ins")  # studies of earlier versions have none
    if drawn is not None and drawn["redraws"]:
        notes.append(_stand_in_note(drawn, world.config.pool_labels))
    own = measured["own_labels"]
    if own is not None:
        notes.append(
            f"Own labels: {counted(own['answers'], 'answer')} on "
            f"{counted(own['labelled_images'], 'image')} give {percent(own['final']['accuracy'])} "
            "today."
        )
    return {
        **report,
        "own_labels": own,
        "sensitivity": lean,
        "price_models": prices,
        **({} if drawn is None else {"stand_ins": drawn}),
        "notes": notes,
    }


def _difficulty_note(lean: Mapping[str, Any], assumed: str, z95: float) -> str:
    """What the other assumption on difficulty changes, against that of the study."""
    where, apart = "where classes overlap", "independently of what they look like"
    other, own, sign = (apart, where, -1) if assumed == "images" else (where, apart, 1)
    half = points(100 * z95 * lean["standard_error"])
    return (
        f"If images are hard {other}, instead of {own}, the recommended plan gives "
        f"{signed(sign * 100 * lean['difference'])} +- {half} points."
    )


def _stand_in_note(drawn: Mapping[str, Any], assumed: str) -> str:
    """How far the accuracy hangs on the labels that stand in for those that nobody knows."""
    from hpo.settings.rows.unlabelled import STAND_INS

    other = next(how for how in STAND_INS if how != assumed)
    return (
        f"Nobody knows the pool's labels: simulated again with {assumed} classes the recommended "
        f"plan gives {percent(drawn[assumed])}, with {other} classes {percent(drawn[other])} "
        f"(means of {drawn['redraws']}). Real labels are expected between them."
    )


COMPARISONS = Section("beside", "looking beside the answer", _keys, _measure, _tell)
