"""The shapes of the bodies by which a requester creates and changes objects."""

from __future__ import annotations

from labeling.toloka.server.model.records import Doc
from labeling.toloka.server.routes.shapes.filters import filters
from labeling.toloka.server.routes.shapes.languages import BY_LANGUAGE, LANGUAGE
from labeling.toloka.server.routes.shapes.quality import (
    CONFIGS,
    DYNAMIC_OVERLAP,
    MIXER,
    POOL_QUALITY,
    PRICE,
)
from labeling.toloka.server.routes.shapes.shape import (
    Place,
    Shape,
    dollars,
    flag,
    form,
    identifier,
    listing,
    mapping,
    moment,
    number,
    one_of,
    one_or_many,
    scalar,
    text,
    whole,
)

OVERLAP = whole(1, 30_000)
_NAME, _TEXT = text(1), text()
_LANGUAGES = form(
    None,
    {
        "default_language": LANGUAGE,
        "additional_languages": listing(form({"language": LANGUAGE})),
    },
)

# --- projects ---

_SCALARS = ("boolean", "string", "float", "integer", "url", "file", "coordinates", "json")
_TYPES = (*_SCALARS, *(f"array_{name}" for name in _SCALARS))


def _bounds_in_order(field: Doc, place: Place) -> None:
    if field.get("min_value", 0) > field.get("max_value", field.get("min_value", 0)):
        raise place.inside("max_value").wrong("VALUE_OUT_OF_RANGE", "it is below min_value")


_FIELD = form(
    None,
    {
        "type": one_of(*_TYPES, any_case=True),
        "required": flag,
        "hidden": flag,
        "allowed_values": listing(scalar, 1),
        "min_value": number(),
        "max_value": number(),
    },
    _bounds_in_order,
)
PROJECT = form(
    {
        "public_name": _NAME,
        "task_spec": form(
            {
                "input_spec": mapping(_FIELD),
                "output_spec": mapping(_FIELD, least=1),
                "view_spec": form(None, {"type": one_of("classic", "tb", any_case=True)}),
            }
        ),
    },
    {
        "public_description": _TEXT,
        "public_instructions": _TEXT,
        "private_comment": _TEXT,
        "assignments_issuing_type": one_of("AUTOMATED", "MAP_SELECTOR"),
        "assignments_issuing_view_config": mapping(),
        "assignments_automerge_enabled": flag,
        "max_active_assignments_count": whole(1, 1_000_000),
        "metadata": mapping(),
        "sensitive": flag,
        "quality_control": form(None, CONFIGS),
        "localization_config": _LANGUAGES,
    },
)

# --- pools and trainings ---

_LONGEST = whole(5, 2**31 - 1)
_POOL: dict[str, Shape] = {
    "private_name": _NAME,
    "reward_per_assignment": dollars,
    "will_expire": moment,
    "assignment_max_duration_seconds": _LONGEST,
    "defaults": form(
        None,
        {
            "default_overlap_for_new_tasks": OVERLAP,
            "default_overlap_for_new_task_suites": OVERLAP,
        },
    ),
}
_SPEED = form(
    None,
    {
        "type": one_of("BEST_CONCURRENT_USERS_BY_QUALITY", "TOP_PERCENTAGE_BY_QUALITY"),
        "count": whole(0, 100),
        "percent": whole(10, 100),
    },
)
_PRIORITY = {"priority": whole(0, 100), "speed_quality_balance": _SPEED}
_POOL_MAY: dict[str, Shape] = {
    **_PRIORITY,
    "private_comment": _TEXT,
    "public_description": _TEXT,
    "public_instructions": _TEXT,
    "may_contain_adult_content": flag,
    "auto_close_after_complete_delay_seconds": whole(0, 259_200),
    "dynamic_pricing_config": PRICE,
    "metadata": mapping(),
    "auto_accept_solutions": flag,
    "auto_accept_period_day": whole(1, 21),
    "assignments_issuing_config": form(None, {"issue_task_suites_in_creation_order": flag}),
    "filter": filters,
    "quality_control": POOL_QUALITY,
    "mixer_config": MIXER,
    "dynamic_overlap_config": DYNAMIC_OVERLAP,
    "training_config": form(None, {"training_skill_ttl_days": whole(1, 1_000_000)}),
}
_TRAINING: dict[str, Shape] = {
    "private_name": _NAME,
    "training_tasks_in_task_suite_count": whole(0, 500),
}
_TRAINING_MAY: dict[str, Shape] = {
    "inherited_instructions": flag,
    "public_instructions": _TEXT,
    "may_contain_adult_content": flag,
    "assignment_max_duration_seconds": _LONGEST,
    "mix_tasks_in_creation_order": flag,
    "shuffle_tasks_in_task_suite": flag,
    "task_suites_required_to_pass": whole(0, 500),
    "retry_training_after_days": whole(1, 1_000_000),
    "metadata": mapping(),
}
_PROJECT_ID: dict[str, Shape] = {"project_id": identifier}
POOL = form({**_PROJECT_ID, **_POOL}, _POOL_MAY)
POOL_CHANGE = form(_POOL, {**_PROJECT_ID, **_POOL_MAY})
POOL_PATCH = form(None, _PRIORITY)
TRAINING = form({**_PROJECT_ID, **_TRAINING}, _TRAINING_MAY)
TRAINING_CHANGE = form(_TRAINING, {**_PROJECT_ID, **_TRAINING_MAY})

# --- tasks and suites; required fields and the range of overlap are checked item by item ---

_SOLUTIONS: dict[str, Shape] = {
    "known_solutions": listing(
        form({"output_values": mapping()}, {"correctness_weight": number(0, 1)})
    ),
    "baseline_solutions": listing(
        form({"output_values": mapping()}, {"confidence_weight": number(0, 1)})
    ),
    "message_on_unknown_solution": _TEXT,
}
_SHOWN: dict[str, Shape] = {
    **_SOLUTIONS,
    "input_values": mapping(),
    "localization_config": _LANGUAGES,
}
_COPIES: dict[str, Shape] = {
    "pool_id": identifier,
    "overlap": whole(),
    "infinite_overlap": flag,
    "reserved_for": listing(identifier),
    "unavailable_for": listing(identifier),
}
_ORDER: dict[str, Shape] = {"issuing_order_override": number(-99_999.99999, 99_999.99999)}
TASKS = one_or_many(form(None, {**_SHOWN, **_COPIES}))
SUITES = one_or_many(
    form(
        None,
        {
            **_COPIES,
            **_ORDER,
            "tasks": listing(form(None, {**_SHOWN, "id": identifier})),
            "mixed": flag,
            "automerged": flag,
        },
    )
)
_OVERLAPS: dict[str, Shape] = {"overlap": OVERLAP, "infinite_overlap": flag}
TASK_PATCH = form(None, {**_OVERLAPS, **_SOLUTIONS})
SUITE_PATCH = form(None, {**_OVERLAPS, **_ORDER})


def _has_overlap(body: Doc, place: Place) -> None:
    if "overlap" not in body and not body.get("infinite_overlap"):
        raise place.inside("overlap").wrong("VALUE_REQUIRED", "an overlap is expected")


OVERLAP_OR_MIN = form(
    None, {"overlap": whole(0, 30_000), "infinite_overlap": flag}, also=_has_overlap
)

# --- annotators, and what is done about them ---

_PUBLIC = {"public_name": BY_LANGUAGE, "public_requester_description": BY_LANGUAGE}
SKILL = form(
    {"name": _NAME},
    {
        **_PUBLIC,
        "private_comment": _TEXT,
        "hidden": flag,
        "skill_ttl_hours": whole(1, 1_000_000),
        "training": flag,
        "deprecated": flag,
    },
)
USER_SKILL = form(
    {"user_id": identifier, "skill_id": identifier, "value": number(0, 100)}, {"reason": _TEXT}
)


def _has_object(body: Doc, place: Place) -> None:
    for scope, field in (("PROJECT", "project_id"), ("POOL", "pool_id")):
        if body["scope"] == scope and field not in body:
            raise place.inside(field).wrong("VALUE_REQUIRED", f"scope {scope} needs it")


_RESTRICTION: dict[str, Shape] = {
    "user_id": identifier,
    "scope": one_of("ALL_PROJECTS", "PROJECT", "POOL", "SYSTEM"),
}
_RESTRICTION_MAY: dict[str, Shape] = {
    "project_id": identifier,
    "pool_id": identifier,
    "private_comment": text(0, 499),
    "will_expire": moment,
}
RESTRICTION = form(_RESTRICTION, _RESTRICTION_MAY, _has_object)
RESTRICTION_FIELDS = (*_RESTRICTION, *_RESTRICTION_MAY)
BONUSES = one_or_many(
    form(
        None,
        {
            "user_id": identifier,
            "amount": scalar,
            "assignment_id": identifier,
            "private_comment": _TEXT,
            "public_title": BY_LANGUAGE,
            "public_message": BY_LANGUAGE,
            "without_message": flag,
        },
    )
)


def _says_why(body: Doc, place: Place) -> None:
    if body.get("status") == "REJECTED" and not body.get("public_comment"):
        raise place.inside("public_comment").wrong("VALUE_REQUIRED", "say why it is rejected")


REVIEW = form(
    None,
    {"status": one_of("ACCEPTED", "REJECTED"), "public_comment": text(0, 2048)},
    _says_why,
)


def _has_weight(body: Doc, place: Place) -> None:
    if body["type"] == "WEIGHTED_DYNAMIC_OVERLAP" and "answer_weight_skill_id" not in body:
        wanted = place.inside("answer_weight_skill_id")
        raise wanted.wrong("VALUE_REQUIRED", "Value must be present")


AGGREGATION = form(
    {
        "pool_id": identifier,
        "type": one_of("DAWID_SKENE", "WEIGHTED_DYNAMIC_OVERLAP"),
        "fields": listing(form({"name": _NAME}), 1),
    },
    {"task_id": identifier, "answer_weight_skill_id": identifier},
    _has_weight,
)
