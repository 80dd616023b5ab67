"""The tree of a view: comparisons joined by and / or; its text and its opposite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from budget.money import Money
from labeling.views.columns import Column

Value = str | float | int | bool
"""By kind: text, class and id are str; share, number and count float; dollars int, micro-dollars;
flag bool; day int, its number in the proleptic Gregorian calendar."""

OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
"""Each operator with its opposite."""


@dataclass(frozen=True, slots=True)
class Compare:
    """One column against one value."""

    column: str
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class OneOf:
    """One column against a list of values: in the list or, with `negated`, not in the list."""

    column: str
    values: tuple[Value, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Node, ...]


Node = Compare | OneOf | AllOf | AnyOf


def leaves(node: Node) -> list[Compare | OneOf]:
    """All comparisons of a tree, from left to right."""
    if isinstance(node, Compare | OneOf):
        return [node]
    return [leaf for part in node.parts for leaf in leaves(part)]


def compare(column: str, operator: str, value: Value) -> Compare:
    """A comparison; a comparison of a flag has only the operator ==."""
    if isinstance(value, bool):
        return Compare(column, "==", value == (operator == "=="))
    return Compare(column, operator, value)


def all_of(parts: Iterable[Node]) -> Node:
    """Join parts by "and"; nested "and" joins are flattened, a single part stays itself."""
    flat = [n for p in parts for n in (p.parts if isinstance(p, AllOf) else (p,))]
    return AllOf(tuple(flat)) if len(flat) > 1 else flat[0]


def any_of(parts: Iterable[Node]) -> Node:
    """Join parts by "or", as in `all_of`."""
    flat = [n for p in parts for n in (p.parts if isinstance(p, AnyOf) else (p,))]
    return AnyOf(tuple(flat)) if len(flat) > 1 else flat[0]


def opposite(node: Node) -> Node:
    """The node that holds for a row of known values if the given node does not."""
    if isinstance(node, Compare):
        return compare(node.column, OPPOSITE[node.operator], node.value)
    if isinstance(node, OneOf):
        return replace(node, negated=not node.negated)
    parts = tuple(opposite(part) for part in node.parts)
    return AnyOf(parts) if isinstance(node, AllOf) else AllOf(parts)


def write(node: Node, columns: Mapping[str, Column]) -> str:
    """A tree as text that reads back to it; equal trees have equal texts."""
    if isinstance(node, Compare):
        if isinstance(node.value, bool):
            return node.column if node.value else f"not {node.column}"
        written = _written(columns[node.column].kind, node.value)
        return f"{node.column} {node.operator} {written}"
    if isinstance(node, OneOf):
        listed = ", ".join(_written(columns[node.column].kind, value) for value in node.values)
        return f"{node.column} {'not ' if node.negated else ''}in ({listed})"
    inner = [
        f"({write(part, columns)})" if isinstance(part, AnyOf) else write(part, columns)
        for part in node.parts
    ]
    return (" and " if isinstance(node, AllOf) else " or ").join(inner)


def _written(kind: str, value: Value) -> str:
    if kind == "dollars":
        return Money(int(value)).exact()
    if kind == "day":
        return f"'{date.fromordinal(int(value)).isoformat()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value).removesuffix(".0")
