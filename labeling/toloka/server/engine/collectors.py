"""Quality control: the collectors, which give a pool's rules values about an annotator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from budget.money import ZERO
from labeling.toloka.server.model.clock import DAY
from labeling.toloka.server.model.questions import right
from labeling.toloka.server.model.records import (
    ACCEPTED,
    DONE,
    GOLDEN,
    REAL,
    REJECTED,
    TRAINING,
    Doc,
    PlatformAssignment,
    PlatformPool,
)
from labeling.toloka.server.model.world import PlatformState

Values = dict[str, Any]


def values(world: PlatformState, pool: PlatformPool, config: Doc, user: str) -> Values:
    """A collector's values of an annotator, by the keys of rule conditions.

    Args:
        world: the platform's state.
        pool: the pool with the rule.
        config: `collector_config`.
        user: the annotator.
    """
    collect = _COLLECTORS.get(str(config.get("type")))
    if collect is None:
        return {}
    return collect(world, pool, config, user)


def history(
    world: PlatformState, pool: PlatformPool, config: Doc, user: str
) -> list[PlatformAssignment]:
    """Submitted assignments that a collector reads, in order.

    With a history size, these are the assignments of all pools that share the collector and have a
    history size, too; otherwise the assignments of the pool.
    """
    parameters = config.get("parameters") or {}
    if parameters.get("history_size") is None:
        return _of(pool, user)
    shared = [other for other in world.pools.values() if _shares(other, config)]
    assignments = [a for other in (shared or [pool]) for a in _of(other, user)]
    return sorted(assignments, key=lambda a: a.submitted or 0)


def training_rate(pool: PlatformPool, user: str) -> float | None:
    """Share of right answers in a training, in percent; only first answers to a task count."""
    first: dict[str, bool] = {}
    for assignment in pool.history.get(user, ()):
        for task, answer in zip(assignment.tasks, assignment.answers, strict=True):
            first.setdefault(task.id, right(task, answer))
    return 100 * sum(first.values()) / len(first) if first else None


def _of(pool: PlatformPool, user: str) -> list[PlatformAssignment]:
    return pool.history.get(user, [])[pool.since.get(user, 0) :]


def _shares(pool: PlatformPool, config: Doc) -> bool:
    for own in (pool.doc.get("quality_control") or {}).get("configs", ()):
        collector = own["collector_config"]
        sized = (collector.get("parameters") or {}).get("history_size") is not None
        if sized and collector.get("uuid") == config.get("uuid"):
            return True
    return False


def _last(items: list[Any], config: Doc) -> list[Any]:
    size = (config.get("parameters") or {}).get("history_size")
    return items if size is None else items[-int(size) :]


def _rates(marks: list[bool], prefix: str = "") -> Values:
    """Shares of right and wrong answers, in percent; empty without answers."""
    if not marks:
        return {}
    correct = 100 * sum(marks) / len(marks)
    return {
        f"{prefix}correct_answers_rate": correct,
        f"{prefix}incorrect_answers_rate": 100 * (len(marks) - sum(marks)) / len(marks),
    }


def _golden_set(world: PlatformState, pool: PlatformPool, config: Doc, user: str) -> Values:
    marks = [
        (task.kind, right(task, answer))
        for a in history(world, pool, config, user)
        for task, answer in zip(a.tasks, a.answers, strict=True)
        if task.kind in (GOLDEN, TRAINING)
    ]
    golden = _last([mark for kind, mark in marks if kind == GOLDEN], config)
    both = _last([mark for _, mark in marks], config)
    return {
        "golden_set_answers_count": len(golden),
        "total_answers_count": len(both),
        **_rates(golden, "golden_set_"),
        **_rates(both),
    }


def _submit_time(world: PlatformState, pool: PlatformPool, config: Doc, user: str) -> Values:
    suites = _last(history(world, pool, config, user), config)
    limit = float((config.get("parameters") or {}).get("fast_submit_threshold_seconds", 0))
    return {
        "total_submitted_count": len(suites),
        "fast_submitted_count": sum(a.seconds < limit for a in suites),
    }


def _majority_vote(world: PlatformState, pool: PlatformPool, config: Doc, user: str) -> Values:
    threshold = int((config.get("parameters") or {}).get("answer_threshold", 1))
    marks: list[bool] = []
    for assignment in history(world, pool, config, user):
        for task, answer in zip(assignment.tasks, assignment.answers, strict=True):
            if task.kind != REAL:
                continue
            votes = Counter(repr(sorted(given.items())) for _, given in task.answered)
            winner, count = votes.most_common(1)[0] if votes else ("", 0)
            if count >= threshold:
                marks.append(repr(sorted(answer.items())) == winner)
    marks = _last(marks, config)
    return {"total_answers_count": len(marks), **_rates(marks)}


def _skipped(world: PlatformState, pool: PlatformPool, config: Doc, user: str) -> Values:
    return {"skipped_in_row_count": pool.skipped.get(user, 0)}


def _income(world: PlatformState, pool: PlatformPool, config: Doc, user: str) -> Values:
    day = [a for a in _of(pool, user) if (a.submitted or 0) > world.now - DAY]
    paid = sum((a.reward for a in day if a.status != REJECTED), ZERO)
    return {"income_sum_for_last_24_hours": float(paid.exact())}


def _answer_count(world: PlatformState, pool: PlatformPool, config: Doc, user: str) -> Values:
    accepted = sum(a.status == ACCEPTED for a in _of(pool, user))
    return {"assignments_accepted_count": accepted}


def _acceptance_rate(world: PlatformState, pool: PlatformPool, config: Doc, user: str) -> Values:
    done = _last(history(world, pool, config, user), config)
    checked = [a.status for a in done if a.status in (ACCEPTED, REJECTED)]
    if not checked:
        return {"total_assignments_count": 0}
    accepted = 100 * checked.count(ACCEPTED) / len(checked)
    return {
        "total_assignments_count": len(checked),
        "accepted_assignments_rate": accepted,
        "rejected_assignments_rate": 100 * checked.count(REJECTED) / len(checked),
    }


def _training(world: PlatformState, pool: PlatformPool, config: Doc, user: str) -> Values:
    done = [a for a in _of(pool, user) if a.status in DONE]
    tasks = [(t, answer) for a in done for t, answer in zip(a.tasks, a.answers, strict=True)]
    marks = [right(task, answer) for task, answer in tasks if task.kind == TRAINING]
    rate = 100 * sum(marks) / len(marks) if marks else 0.0
    return {
        "submitted_assignments_count": len(done),
        "total_answers_count": len(marks),
        "success_rate": rate,
        "fail_rate": 100 - rate if marks else 0.0,
    }


_COLLECTORS: dict[str, Callable[[PlatformState, PlatformPool, Doc, str], Values]] = {
    "GOLDEN_SET": _golden_set,
    "ASSIGNMENT_SUBMIT_TIME": _submit_time,
    "MAJORITY_VOTE": _majority_vote,
    "SKIPPED_IN_ROW_ASSIGNMENTS": _skipped,
    "INCOME": _income,
    "ANSWER_COUNT": _answer_count,
    "ACCEPTANCE_RATE": _acceptance_rate,
    "TRAINING": _training,
}
