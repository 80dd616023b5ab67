"""Reading back: a pool is opened only if the platform's answers match the description."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from budget.errors import MarketContradiction
from labeling.toloka.describe.plain import POOL, PROJECT, AnyOrder, Plain, Schema, to_plain

_CLOSE = timedelta(seconds=1)
_SHOWN = 60  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that the platform has otherwise than it was described.

    Attributes:
        field: the field's path.
        wanted: the described value; None if the field was not described.
        found: the platform's value; None if it has none.
    """

    field: str
    wanted: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.field} is {_shown(self.found)} instead of {_shown(self.wanted)}"


def check_pool(name: str, wanted: Any, got: Any) -> None:
    """Compare every field of a pool with the description.

    Args:
        name: the platform's name.
        wanted: the described pool.
        got: the platform's pool, as toloka-kit's object or as JSON.

    Raises:
        MarketContradiction: a field differs.
    """
    what = "pool" if wanted.reward_per_assignment else "exam pool"
    _refuse(name, what, differences(wanted, got, POOL), got, "nothing was opened")


def check_project(name: str, wanted: Any, got: Any) -> None:
    """Compare every field of a project with the description.

    Args:
        name: the platform's name.
        wanted: the described project.
        got: the platform's project, as toloka-kit's object or as JSON.

    Raises:
        MarketContradiction: a field differs.
    """
    remedy = "nothing was opened; change it back there, or give the campaign another name"
    _refuse(name, "project", differences(wanted, got, PROJECT), got, remedy)


def differences(wanted: Any, got: Any, schema: Schema) -> list[Difference]:
    """The fields in which the platform's object differs from the description."""
    ours, theirs = to_plain(wanted, schema), to_plain(got, schema)
    for path in schema.added:
        if _at(ours, path.split(".")) is None:
            _drop(theirs, path.split("."))
    return list(_compare(ours, theirs, ""))


def check_tasks(
    name: str,
    pool_id: str,
    tasks: Mapping[str, Any],
    overlap: Mapping[str, int],
    controls: Collection[str],
) -> None:
    """Compare the tasks of a pool with the order.

    Args:
        name: the platform's name.
        pool_id: id of the pool.
        tasks: all tasks of the pool, by id.
        overlap: answers in all to each real task.
        controls: ids of the pool's control tasks.

    Raises:
        MarketContradiction: a task is missing, is surplus, or has another overlap.
    """
    real = {key: task for key, task in tasks.items() if not task.known_solutions}
    held = {key for key, task in tasks.items() if task.known_solutions and task.infinite_overlap}
    problem = ""
    if held != set(controls):
        problem = f"{len(held)} control tasks instead of {len(controls)}"
    elif real.keys() != overlap.keys():
        problem = f"{len(real)} tasks instead of {len(overlap)}"
    else:
        wrong = [k for k, t in real.items() if t.infinite_overlap or t.overlap != overlap[k]]
        if wrong:
            problem = f"another overlap on {len(wrong)} tasks, such as {wrong[0]}"
    if problem:
        raise MarketContradiction(f"{name}: pool {pool_id} has {problem}; it was not opened")


def _refuse(name: str, what: str, found: list[Difference], got: Any, end: str) -> None:
    if not found:
        return
    key = got.get("id") if isinstance(got, Mapping) else got.id
    more = f" and {len(found) - 1} further fields differ" if len(found) > 1 else ""
    raise MarketContradiction(f"{name}: {what} {key}: {found[0]}{more}; {end}")


# --- comparing ---


def _compare(wanted: Any, got: Any, field: str) -> Iterator[Difference]:
    """Differences of two plain values."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for name in [*wanted, *(name for name in got if name not in wanted)]:
            inner = f"{field}.{name}" if field else name
            yield from _compare(wanted.get(name), got.get(name), inner)
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        for at, (ours, theirs) in enumerate(zip(wanted, got, strict=True)):
            yield from _compare(ours, theirs, f"{field}[{at}]")
    elif isinstance(wanted, AnyOrder) and isinstance(got, AnyOrder):
        yield from _compare_any_order(wanted, got, field)
    elif not _equal(wanted, got):
        yield Difference(field, wanted, got)


def _equal(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, datetime) and isinstance(got, datetime):
        return abs(wanted - got) <= _CLOSE
    return type(wanted) is type(got) and bool(wanted == got)


def _compare_any_order(wanted: AnyOrder, got: AnyOrder, field: str) -> Iterator[Difference]:
    """Differences of items in any order: each item is compared with the most similar other item."""
    theirs = list(got.items)
    left = []
    keys = [_key(item) for item in theirs]
    for item in wanted.items:
        if (key := _key(item)) in keys:
            at = keys.index(key)
            del keys[at], theirs[at]
        else:
            left.append(item)
    for item in left:
        inner = f"{field}[{_label(item)}]"
        if not theirs:
            yield Difference(inner, item, None)
            continue
        at = _most_similar(item, theirs)
        yield from _compare(item, theirs.pop(at), inner)
    for item in theirs:
        yield Difference(f"{field}[{_label(item)}]", None, item)


def _most_similar(item: Any, others: list[Any]) -> int:
    best, fewest = 0, 1 << 30
    for at, other in enumerate(others):
        count = sum(1 for _ in _compare(item, other, ""))
        if count < fewest:
            best, fewest = at, count
        if count == 1:
            break
    return best


def _key(value: Any) -> str:
    """Text that is the same for equal plain values only."""
    if isinstance(value, dict):
        inner = sorted(f"{name!r}: {_key(part)}" for name, part in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, AnyOrder):
        return f"({', '.join(sorted(map(_key, value.items)))})"
    if isinstance(value, list):
        return f"[{', '.join(map(_key, value))}]"
    return f"{value:f}" if isinstance(value, Decimal) else repr(value)


def _label(item: Any) -> str:
    """A short name of a rule or a condition."""
    if not isinstance(item, dict):
        return "?"
    collector = item.get("collector_config")
    named = collector.get("type") if isinstance(collector, dict) else item.get("key")
    return str(named or "?")


def _shown(value: Any) -> str:
    """A value in a message, on one line."""
    if value is None:
        return "nothing"
    text = str(value) if isinstance(value, datetime) else _key(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _at(plain: Plain, path: list[str]) -> Any:
    value: Any = plain
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _drop(plain: Plain, path: list[str]) -> None:
    *above, name = path
    inner = _at(plain, above)
    if isinstance(inner, dict):
        inner.pop(name, None)
