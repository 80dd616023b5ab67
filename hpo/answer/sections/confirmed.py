"""The recommended plan bought again from fresh annotators: planned, then bought, then told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from budget.money import ZERO
from hpo.answer.sections.section import Findings, Report, Section
from hpo.answer.sentences import confirmation_line


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
    return confirmation.confirm(findings.best.plan, part, findings.world)


def _tell(findings: Findings, report: Report) -> Report:
    return {**report, "confirmation": _told(findings)}


def _told(findings: Findings) -> dict[str, Any] | None:
    from hpo.answer import confirmation
    from labeling.seeds import generator

    best, key = findings.best, _key(findings)
    done = findings.kept(CONFIRMED.name).get(key) if key and findings.has_stopped else None
    if best is None or not done:
        return None
    config = findings.world.config
    rng = generator(config.seed, "confirmed")
    surrogate = findings.surrogate()
    said = confirmation.confirmed(best.plan, done, surrogate, config.suite_size, rng)
    return {**said, "search_estimate": best.accuracy}


def _sentences(report: Mapping[str, Any]) -> list[str]:
    if not report["confirmation"]:
        return []
    tasks = report["recommended"]["plan"]["tasks"]
    return [confirmation_line(report["confirmation"], tasks)]


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
