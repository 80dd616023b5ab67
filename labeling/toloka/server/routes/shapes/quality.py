"""The shapes of quality control: collectors, conditions and actions."""

from __future__ import annotations

from typing import Any

from labeling.toloka.server.model.records import Doc
from labeling.toloka.server.routes.shapes.filters import EQUALITY, ORDER
from labeling.toloka.server.routes.shapes.shape import (
    Place,
    Shape,
    choice,
    dollars,
    flag,
    form,
    identifier,
    listing,
    number,
    one_of,
    text,
    whole,
)

_PERCENT = number(0, 100)
_COUNT = whole(0, 1_000_000)
_OVERLAP = whole(1, 30_000)


def _values(shape: Shape, operators: tuple[str, ...] = ORDER) -> Shape:
    return form({"operator": one_of(*operators), "value": shape})


_CONDITION = choice(
    "key",
    {
        **{
            key: _values(number())
            for key in (
                *("accepted_assignments_count", "accepted_assignments_rate"),
                *("assignments_accepted_count", "correct_answers_rate", "fail_rate"),
                *("fast_submitted_count", "golden_set_answers_count"),
                *("golden_set_correct_answers_rate", "golden_set_incorrect_answers_rate"),
                *("income_sum_for_last_24_hours", "incorrect_answers_rate"),
                *("pending_assignments_count", "rejected_assignments_count"),
                *("rejected_assignments_rate", "skipped_in_row_count", "stored_results_count"),
                *("submitted_assignments_count", "success_rate", "total_answers_count"),
                *("total_assignments_count", "total_submitted_count"),
            )
        },
        "assessment_event": _values(one_of("ACCEPT", "ACCEPT_AFTER_REJECT", "REJECT"), EQUALITY),
        "next_assignment_available": _values(flag, EQUALITY),
        "pool_access_revoked_reason": _values(one_of("RESTRICTION", "SKILL_CHANGE"), EQUALITY),
        "skill_id": _values(identifier, EQUALITY),
    },
)
_SCOPE = one_of("POOL", "PROJECT", "ALL_PROJECTS")
_REASON = {"private_comment": text()}


def _with(must: dict[str, Shape] | None = None, may: dict[str, Shape] | None = None) -> Shape:
    """An action with parameters; an action without required parameters may leave all out."""
    parameters = {"parameters": form(must, may)}
    return form(parameters) if must else form(None, parameters)


_ACTION = choice(
    "type",
    {
        "RESTRICTION": _with({"scope": _SCOPE}, {"duration_days": _COUNT, **_REASON}),
        "RESTRICTION_V2": _with(
            {
                "scope": _SCOPE,
                "duration_unit": one_of("MINUTES", "HOURS", "DAYS", "PERMANENT"),
            },
            {"duration": _COUNT, **_REASON},
        ),
        "SET_SKILL": _with({"skill_id": identifier, "skill_value": _PERCENT}),
        "SET_SKILL_FROM_OUTPUT_FIELD": _with(
            {
                "skill_id": identifier,
                "from_field": one_of(
                    "correct_answers_rate", "incorrect_answers_rate", "wrong_answers_rate"
                ),
            }
        ),
        "CHANGE_OVERLAP": _with({"delta": _OVERLAP}, {"open_pool": flag}),
        "APPROVE_ALL_ASSIGNMENTS": _with(),
        "REJECT_ALL_ASSIGNMENTS": _with(None, {"public_comment": text()}),
        "CLEAN_ASSIGNMENTS_HISTORY": _with(),
        "CLEAN_COLLECTOR": _with(),
        "SET_POOL_COMPLETE": _with(),
    },
)
_COLLECTOR = form(
    {
        "type": one_of(
            *("ACCEPTANCE_RATE", "ANSWER_COUNT", "ASSIGNMENT_SUBMIT_TIME"),
            *("ASSIGNMENTS_ASSESSMENT", "CAPTCHA", "GOLDEN_SET", "INCOME", "MAJORITY_VOTE"),
            *("SKIPPED_IN_ROW_ASSIGNMENTS", "TRAINING", "USERS_ASSESSMENT"),
        )
    },
    {
        "uuid": identifier,
        "parameters": form(
            None,
            {
                "answer_threshold": whole(1, 1_000_000),
                "fast_submit_threshold_seconds": number(0, 1e9),
                "history_size": whole(1, 1_000_000),
            },
        ),
    },
)
_RULE = form({"conditions": listing(_CONDITION, 1), "action": _ACTION})
CONFIGS = {"configs": listing(form({"collector_config": _COLLECTOR, "rules": listing(_RULE)}))}
_SHARE = form(
    {
        "scope": one_of("POOL", "PROJECT"),
        "distribution": one_of("UNIFORM"),
        "window_days": whole(1, 365),
        "intervals": listing(
            form({"frequency": whole(1, 1_000_000)}, {"from": _COUNT, "to": _COUNT}), 1, 10_000
        ),
    }
)
_CHECKED = form({"target_overlap": _OVERLAP, "task_distribution_function": _SHARE})


def _training(value: Any, place: Place) -> str:
    """The id of a training."""
    key = identifier(value, place)
    known = place.world.pools.get(key) if place.world is not None else None
    if known is None or not known.training:
        raise place.wrong("ENTITY_DOES_NOT_EXIST", f"training {key} is unknown")
    return key


POOL_QUALITY = form(
    None,
    {
        **CONFIGS,
        "captcha_frequency": one_of("LOW", "MEDIUM", "HIGH"),
        "checkpoints_config": form(
            None,
            {f"{kind}_settings": _CHECKED for kind in ("real", "golden", "training")},
        ),
        "training_requirement": form(
            {"training_pool_id": _training, "training_passing_skill_value": _PERCENT}
        ),
    },
)


def _intervals_apart(price: Doc, place: Place) -> None:
    bounds = [(each.get("from", 0), each.get("to", 100)) for each in price["intervals"]]
    ends = [bound for interval in sorted(bounds) for bound in interval]
    if ends != sorted(ends):
        wrong = "an interval ends below its start, or overlaps another"
        raise place.inside("intervals").wrong("VALUE_OUT_OF_RANGE", wrong)


PRICE = form(
    {
        "type": one_of("SKILL"),
        "skill_id": identifier,
        "intervals": listing(
            form({"reward_per_assignment": dollars}, {"from": number(), "to": number()}), 1, 10_000
        ),
    },
    None,
    _intervals_apart,
)
_PER_SUITE = whole(0, 500)
MIXER = form(
    None,
    {
        **{
            f"{least}{kind}_tasks_count": _PER_SUITE
            for kind in ("real", "golden", "training")
            for least in ("", "min_")
        },
        "force_last_assignment": flag,
        "force_last_assignment_delay_seconds": whole(0, 86_400),
        "golden_task_distribution_function": _SHARE,
        "training_task_distribution_function": _SHARE,
        "mix_tasks_in_creation_order": flag,
        "shuffle_tasks_in_task_suite": flag,
    },
)
DYNAMIC_OVERLAP = form(
    {
        "type": one_of("BASIC"),
        "max_overlap": _OVERLAP,
        "min_confidence": number(0, 1),
        "answer_weight_skill_id": identifier,
        "fields": listing(form({"name": text(1)}), 1),
    }
)
