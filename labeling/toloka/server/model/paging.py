"""Pages of a list: filters, ranges, sorting and limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from labeling.toloka.server.model.clock import from_iso
from labeling.toloka.server.model.errors import invalid

_T = TypeVar("_T")
Doc = dict[str, Any]
_TIMES = frozenset(
    (
        *("created", "modified", "submitted", "accepted", "rejected", "skipped", "expired"),
        *("started", "finished", "last_started", "last_stopped"),
    )
)
_RANGES: dict[str, Callable[[Any, Any], bool]] = {
    "gte": lambda a, b: bool(a >= b),
    "gt": lambda a, b: bool(a > b),
    "lte": lambda a, b: bool(a <= b),
    "lt": lambda a, b: bool(a < b),
}
DEFAULT_LIMIT = 50


def page(
    records: Sequence[_T],
    query: Mapping[str, str],
    equal: Iterable[str],
    view: Callable[[_T], Doc],
    most: int = 300,
    read: Callable[[_T, str], Any] | None = None,
) -> Doc:
    """One page of a list.

    Args:
        records: all records, in the order of their ids.
        query: `sort`, `limit`, `FIELD`, `FIELD_gt`, `FIELD_gte`, `FIELD_lt`, `FIELD_lte`.
        equal: fields that may be filtered by value; commas separate several values.
        view: returns a record's JSON form.
        most: the largest allowed limit.
        read: returns a field of a record; times are ISO text or milliseconds.

    Raises:
        ApiError: an invalid limit or time.
    """
    get = read or _read
    selected = list(records)
    for field in equal:
        if field in query:
            values = set(query[field].split(","))
            selected = [r for r in selected if str(get(r, field)) in values]
    for name, text in query.items():
        field, _, relation = name.rpartition("_")
        if relation in _RANGES and field:
            selected = _within(selected, field, relation, text, get)
    for key in reversed(query.get("sort", "id").split(",")):
        field = key.lstrip("+-")
        selected.sort(key=lambda r, f=field: _sortable(f, get(r, f)), reverse=key.startswith("-"))  # type: ignore[misc]
    limit = _limit(query, most)
    return {"items": [view(r) for r in selected[:limit]], "has_more": len(selected) > limit}


def _read(record: Any, field: str) -> Any:
    return record.get(field)


def _limit(query: Mapping[str, str], most: int) -> int:
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch("[0-9]{1,7}", text) or not 1 <= int(text) <= most:
        raise invalid("limit", "VALUE_OUT_OF_RANGE", f"limit must be between 1 and {most}")
    return int(text)


def _sortable(field: str, value: Any) -> Any:
    value = _comparable(field, value)
    return (0, 0) if value is None else (1, isinstance(value, str), value)


def _comparable(field: str, value: Any) -> str | int | float | None:
    """A field's value in the form in which values are sorted and bounded."""
    if value is not None and not isinstance(value, str | int | float):
        raise invalid(field, "INVALID_VALUE", "the field cannot be sorted or filtered")
    if field in _TIMES and isinstance(value, str):
        try:
            return from_iso(value)
        except ValueError:
            return None
    return value


def _within(
    records: list[_T], field: str, relation: str, text: str, get: Callable[[_T, str], Any]
) -> list[_T]:
    try:
        bound: Any = from_iso(text) if field in _TIMES else text
    except ValueError:
        raise invalid(f"{field}_{relation}", "INVALID_DATE", f"{text!r} is no ISO date") from None
    holds, kept = _RANGES[relation], []
    for record in records:
        value = _comparable(field, get(record, field))
        if value is not None and holds(value, _as_bound(value, bound, field)):
            kept.append(record)
    return kept


def _as_bound(value: str | int | float, bound: Any, field: str) -> Any:
    """A bound in the type of the value that it bounds."""
    if isinstance(value, str) == isinstance(bound, str):
        return bound
    try:
        return str(bound) if isinstance(value, str) else float(bound)
    except ValueError:
        raise invalid(field, "INVALID_VALUE", f"{bound!r} is no number") from None
