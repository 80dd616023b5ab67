"""The recommended plan bought again from fresh annotators: planned, then bought, then told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from budget.money import ZERO
from hpo.answer.sections.final import told_score
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import confirmation_line

if TYPE_CHECKING:
    from hpo.answer.estimates.plan_estimates import Estimate


def _key(findings: Findings) -> str | None:
    if findings.best is None:
        return None
    from hpo.answer import confirmation

    return confirmation.key_of(findings.best.plan, findings.world)


def _plan_keys(findings: Findings) -> Sequence[str]:
    key = _key(findings)
    return [] if key is None else [key]


def _plan(findings: Findings, key: str) -> Any:
    """The part of the plan that is bought again; None where the money kept bears none of it.

    Kept before anything is bought: after the purchase the money kept is less.
    """
    from hpo.answer import confirmation
    from hpo.trial.outcome import plan_to_plain

    assert findings.best is not None  # noqa: S101 - else there is no key
    world, plan = findings.world, findings.best.plan
    kept = confirmation.reserved(world)
    if kept <= ZERO:
        return None
    part = confirmation.affordable(plan, confirmation.confirming(world), kept)
    return plan_to_plain(part) if part else None


def _keys(findings: Findings) -> Sequence[str]:
    key = _key(findings)
    planned = findings.kept(PLANNED.name).get(key) if key is not None else None
    return [key] if key is not None and planned else []


def _measure(findings: Findings, key: str) -> Any:
    from hpo.answer import confirmation
    from hpo.trial.outcome import plan_from_plain

    assert findings.best is not None  # noqa: S101 - else there is no key
    part = plan_from_plain(findings.kept(PLANNED.name)[key])
    earlier = findings.kept(CONFIRMED.name)
    return confirmation.confirm(findings.best.plan, part, findings.world, earlier)


def _tell(findings: Findings, report: Report) -> Report:
    kept = findings.kept(CONFIRMED.name) if findings.has_stopped else {}
    every = [_purchase(key, done) for key, done in kept.items() if done]
    return {**report, "confirmation": _told(findings), "confirmations": every}


def _purchase(key: str, done: Mapping[str, Any]) -> dict[str, Any]:
    """What a confirmation bought: also of a plan that is recommended no longer."""
    told = {name: done[name] for name in ("tasks", "paid", "version")}
    return {"plan": key.partition("/")[0], **told, "final": told_score(done["final"])}


def _told(findings: Findings) -> dict[str, Any] | None:
    from hpo.answer import confirmation

    best, key = findings.best, _key(findings)
    done = findings.kept(CONFIRMED.name).get(key) if key and findings.has_stopped else None
    if best is None or not done:
        return None
    again = confirmation.measured_again(best.plan, done, findings.advisor.estimates)
    before = findings.searched.of([best.plan])[0]
    return {
        "tasks": done["tasks"],
        "share": done["share"],
        "paid": done["paid"],
        "version": done["version"],
        "final": told_score(done["final"]),
        "accuracy": best.accuracy,
        "interval_95": [best.low, best.high],
        "measured": again,
        "search_estimate": before.accuracy,
        "search_interval_95": [before.low, before.high],
        "differs": _differs(before, again),
    }


def _differs(before: Estimate, again: Mapping[str, Any]) -> bool:
    """Whether the purchase and the search's estimate are further apart than their noise."""
    from training.evaluate import Z95

    low, high = again["interval_95"]
    noise = ((high - low) / (2 * Z95)) ** 2 + ((before.high - before.low) / (2 * Z95)) ** 2
    return bool(abs(again["accuracy"] - before.accuracy) > Z95 * noise**0.5)


def _sentences(report: Mapping[str, Any]) -> list[str]:
    if not report["confirmation"]:
        return []
    tasks = report["recommended"]["plan"]["tasks"]
    same = report["config"].get("pay", "platform") != "platform"
    return [confirmation_line(report["confirmation"], tasks, same_people=same)]


PLANNED = Section("confirming", "", _plan_keys, _plan)
CONFIRMED = Section(
    "confirmed",
    "buying the recommended plan again from fresh annotators",
    _keys,
    _measure,
    _tell,
    _sentences,
    "headline",
    "confirmation",
)
