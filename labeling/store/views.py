"""Views as SQL: a tree of comparisons becomes a WHERE clause whose values are all bound."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    bindparam,
    create_engine,
    insert,
    or_,
    select,
)
from sqlalchemy.types import TypeEngine

from labeling.types import Bools
from labeling.views import View
from labeling.views.tree import AllOf, Compare, Node, OneOf, Value

Columns = Mapping[str, ColumnElement[Any]]

_OPERATORS: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TYPES: Mapping[str, type[TypeEngine[Any]]] = {
    "share": Double,
    "number": Double,
    "count": Double,
    "dollars": BigInteger,
    "day": Integer,
    "flag": Boolean,
}


def criterion(node: Node, columns: Columns) -> ColumnElement[bool]:
    """A tree as a WHERE clause.

    Args:
        node: the tree.
        columns: the SQL expression of each column of the view.
    """
    if isinstance(node, Compare):
        column = columns[node.column]
        return _OPERATORS[node.operator](column, _bound(node.value, column))
    if isinstance(node, OneOf):
        column = columns[node.column]
        values = [_bound(value, column) for value in node.values]
        return column.not_in(values) if node.negated else column.in_(values)
    join = and_ if isinstance(node, AllOf) else or_
    return join(*(criterion(part, columns) for part in node.parts))


def inside(view: View, rows: Mapping[str, Sequence[Any]]) -> Bools:
    """The rows in memory that a view keeps; the same SQL decides, in a database in memory.

    Args:
        view: the view.
        rows: the values of each column of the view's expression, all of one length; None is an
            unknown value.

    Returns:
        A mask over the rows.
    """
    names = view.used
    table = Table(
        "rows",
        MetaData(),
        Column("position", Integer, primary_key=True),
        *(Column(name, _TYPES.get(view.columns[name].kind, Text)) for name in names),
    )
    values = zip(*(rows[name] for name in names), strict=True)
    staged = [
        {"position": position, **dict(zip(names, row, strict=True))}
        for position, row in enumerate(values)
    ]
    kept = np.zeros(len(staged), dtype=np.bool_)
    # SQL, not numpy: its rules for unknown values must hold here as they do for stored versions.
    if staged:
        engine = create_engine("sqlite://")
        try:
            with engine.begin() as connection:
                table.create(connection)
                connection.execute(insert(table), staged)
                matching = connection.execute(
                    select(table.c.position).where(criterion(view.node, dict(table.c)))
                )
                kept[matching.scalars().all()] = True
        finally:
            engine.dispose()
    return kept


def _bound(value: Value, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A value as a bound parameter of the column's type, never a part of the statement's text."""
    return bindparam(None, value, type_=column.type, unique=True)
