"""A pool or a project in plain form, whether described here or told by the platform.

Both sides of a comparison go through the same function. After it, two forms that mean the same are
equal: the order of rules does not count, nor does a filter's nesting, nor whether a default is
written out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

Plain = dict[str, Any]
_IDS = ("project_id", "skill_id", "key")  # the platform's examples have them as text and as numbers


@dataclass(frozen=True, slots=True)
class AnyOrder:
    """Items whose order has no meaning.

    Attributes:
        items: the items.
    """

    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """The form of a kind of object.

    Attributes:
        added: fields that the platform adds by itself. They count only if they were described.
        defaults: fields that mean the same whether absent or written out with this value.
        shapes: for some fields, the function that gives values of one meaning one form.
    """

    added: frozenset[str]
    defaults: Mapping[str, Any]
    shapes: Mapping[str, Callable[[Any], Any]]


def to_plain(thing: Any, schema: Schema) -> Plain:
    """The plain form of a toloka-kit object, or of the platform's JSON."""
    plain: Plain = _simple(thing) or {}
    for path, shape in schema.shapes.items():
        _reshape(plain, path.split("."), shape)
    for path, value in schema.defaults.items():
        _put(plain, path.split("."), _simple(value))
    return plain


def _simple(value: Any) -> Any:
    """Mappings, lists, decimals, text and truth values; empty values are None."""
    if hasattr(value, "unstructure"):
        value = value.unstructure()
    if isinstance(value, Mapping):
        inner = {str(name): _simple(part) for name, part in value.items()}
        for name in _IDS:
            if isinstance(inner.get(name), Decimal):
                inner[name] = f"{inner[name]:f}"
        return {name: part for name, part in inner.items() if part is not None} or None
    if isinstance(value, (list, tuple)):
        return [_simple(part) for part in value] or None
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return Decimal(str(value)).normalize()
    return None if value == "" else value


def _reshape(plain: Plain, path: list[str], shape: Callable[[Any], Any]) -> None:
    *above, name = path
    for step in above:
        inner = plain.get(step)
        if not isinstance(inner, dict):
            return
        plain = inner
    if name in plain:
        plain[name] = shape(plain[name])


def _put(plain: Plain, path: list[str], value: Any) -> None:
    """Set a field that is absent."""
    *above, name = path
    for step in above:
        inner = plain.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        plain = inner
    plain.setdefault(name, value)


# --- shapes ---


def _time(value: Any) -> Any:
    """A time in UTC; anything else stays as it is."""
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return value
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _parsed(value: Any) -> Any:
    """The meaning of JSON text."""
    try:
        return _simple(json.loads(value))
    except (TypeError, ValueError):
        return value


def _lines(value: Any) -> Any:
    """Text without blanks around its lines."""
    if not isinstance(value, str):
        return value
    return "\n".join(line.strip() for line in value.strip().splitlines())


def _filter(node: Any) -> Any:
    """A filter without groups of one and without groups of the same kind inside each other."""
    if not isinstance(node, dict) or len(node) != 1 or not node.keys() <= {"and", "or"}:
        return node
    ((kind, inner),) = node.items()
    if not isinstance(inner, list):
        return node
    parts: list[Any] = []
    for part in map(_filter, inner):
        same = part.get(kind) if isinstance(part, dict) and part.keys() == {kind} else None
        parts += same.items if isinstance(same, AnyOrder) else [part]
    return parts[0] if len(parts) == 1 else {kind: AnyOrder(tuple(parts))}


def _rules(configs: Any) -> Any:
    """Each quality rule with its collector, in any order; the platform checks each by itself."""
    if not isinstance(configs, list) or not all(isinstance(config, dict) for config in configs):
        return configs
    return AnyOrder(tuple(rule for config in configs for rule in _rules_of(config)))


def _rules_of(config: Plain) -> Iterable[Any]:
    collector = _without_id(config.get("collector_config"))
    beside = {k: v for k, v in config.items() if k not in ("rules", "collector_config")}
    rules = config.get("rules") or [{}]
    for rule in rules if isinstance(rules, list) else [rules]:
        if not isinstance(rule, dict):
            yield {**beside, "collector_config": collector, "rule": rule}
            continue
        rule = dict(rule)
        if isinstance(rule.get("conditions"), list):
            rule["conditions"] = AnyOrder(tuple(rule["conditions"]))
        yield {**beside, "collector_config": collector, **rule}


def _without_id(collector: Any) -> Any:
    """A collector without the id that the platform gives it."""
    if not isinstance(collector, dict):
        return collector
    return {name: value for name, value in collector.items() if name != "uuid"}


def _mixer(mixer: Any) -> Any:
    """A mixer with its least numbers of tasks; by default they are the full numbers."""
    if not isinstance(mixer, dict):
        return mixer
    counts = {f"{kind}_tasks_count": Decimal(0) for kind in ("real", "golden", "training")}
    full = {**counts, **mixer}
    return {**{f"min_{name}": full[name] for name in counts}, **full}


_TOLD = frozenset(("id", "status", "owner", "created"))

POOL = Schema(
    added=_TOLD
    | {
        "last_started",
        "last_stopped",
        "last_close_reason",
        "auto_accept_period_day",  # of no effect where answers are accepted automatically
        "mixer_config.force_last_assignment_delay_seconds",
    },
    defaults={
        "type": "REGULAR",
        "training": False,
        "priority": 0,
        "assignments_issuing_config.issue_task_suites_in_creation_order": False,
        "mixer_config.force_last_assignment": True,
        "mixer_config.mix_tasks_in_creation_order": False,
        "mixer_config.shuffle_tasks_in_task_suite": True,
        # 100 percent of the annotators: nobody is kept out.
        "speed_quality_balance.type": "TOP_PERCENTAGE_BY_QUALITY",
        "speed_quality_balance.percent": 100,
    },
    shapes={
        "will_expire": _time,
        "filter": _filter,
        "quality_control.configs": _rules,
        "mixer_config": _mixer,
    },
)
"""The form of a pool."""

PROJECT = Schema(
    added=_TOLD
    | {
        "localization_config",
        "max_active_assignments_count",
        "task_spec.view_spec.settings",
    },
    defaults={
        "assignments_issuing_type": "AUTOMATED",
        "assignments_automerge_enabled": False,
        "sensitive": False,
    },
    shapes={
        "public_instructions": _lines,
        "task_spec.view_spec.config": _parsed,
        "quality_control.configs": _rules,
    },
)
"""The form of a project."""
