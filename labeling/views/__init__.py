"""Views: a small expression over documented columns selects labels or answers.

    confidence >= 0.8 and label != 'loop'
    skill >= 0.7 and not (seconds < 2 or annotator in ('12', '40'))

A grammar of its own turns a view into a frozen tree of comparisons. No code is evaluated, and every
value is later bound as a parameter of SQL (`labeling.store.views`).

    view       = all { "or" all }
    all        = term { "and" term }
    term       = "not" term | "(" view ")" | comparison
    comparison = column ( operator value | ["not"] "in" "(" value { "," value } ")" )
               | column of true or false
    operator   = == | != | < | <= | > | >=
    value      = number | 'text' | "text" | true | false

The reader carries `not` down to the comparisons. So no comparison, with or without `not`, keeps a
row whose value is unknown (an annotator's skill for a subjective question, the label of a control
task). The words of the grammar may be written in capitals; a quote inside a text is doubled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from budget.errors import InputError, nearest
from labeling.views.columns import ANSWERS, COLUMNS, IMAGES, LABELS, Column
from labeling.views.reader import Reader
from labeling.views.tree import Compare, Node, OneOf, Value, leaves, write

_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class View:
    """A query.

    Attributes:
        node: the condition that a row must meet.
        over: the kind of the rows: labels | answers | images.
        columns: the columns that the view may use, by name.
    """

    node: Node
    over: str
    columns: Mapping[str, Column]

    @property
    def text(self) -> str:
        """The view in its normal form: equal views have equal texts, and the text reads back."""
        return write(self.node, self.columns)

    @property
    def version(self) -> str:
        """Hash of the kind of rows and of the text."""
        content = f"{self.over}: {self.text}".encode()
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    @property
    def used(self) -> tuple[str, ...]:
        """Names of the columns in the expression, in the order of `columns`."""
        names = {leaf.column for leaf in leaves(self.node)}
        return tuple(name for name in self.columns if name in names)


def parse_view(
    text: str, name: str = "view", columns: Mapping[str, Column] = COLUMNS, over: str | None = None
) -> View:
    """Read a view.

    Args:
        text: the expression.
        name: name of the view in error messages, such as "--view".
        columns: the columns that the view may use.
        over: labels | answers | images; None infers it from the columns in the expression: answers
            if a column belongs to answers, images if a column belongs to images, else labels.

    Raises:
        InputError: one line with the column or character, its position from 1, and the remedy.
    """
    if len(text) > _LONGEST:
        raise InputError(f"{name}: {len(text)} characters; the most is {_LONGEST}")
    reader = Reader(text, name, columns)
    node = reader.read()
    kinds = {columns[leaf.column].of for leaf in leaves(node)}
    if over == LABELS and "answer" in kinds:
        raise InputError(f"{name}: it uses columns of answers; a view over labels has none")
    inferred = IMAGES if "image" in kinds else ANSWERS if "answer" in kinds else LABELS
    return View(node, over or inferred, columns)


def view_to_plain(view: View) -> dict[str, Any]:
    """A view as JSON types, for trials, reports, manifests and mirrors."""
    columns = {name: view.columns[name].about for name in view.used}
    return {
        "expression": view.text,
        "version": view.version,
        "over": view.over,
        "columns": columns,
    }


def check_classes(view: View, classes: Iterable[str], name: str = "view") -> None:
    """Refuse a class that does not exist.

    Raises:
        InputError: the message names the class and the nearest valid class.
    """
    valid = tuple(dict.fromkeys(classes))
    for leaf in leaves(view.node):
        if view.columns[leaf.column].kind == "class":
            for value in leaf.values if isinstance(leaf, OneOf) else (leaf.value,):
                if value not in valid:
                    near = nearest(str(value), valid)
                    raise InputError(f"{name}: {leaf.column}: no class {value!r}; {near}")


def resolve(view: View, ids: Mapping[str, Iterable[str]], name: str = "view") -> View:
    """The view with complete ids in the place of abbreviated ids.

    Args:
        view: a view over stored versions.
        ids: all ids by column ("version", "condition").
        name: name of the view in error messages.

    Raises:
        InputError: an abbreviated id fits no id, or several ids.
    """

    def whole(column: str, value: Value) -> Value:
        if view.columns[column].kind != "id":
            return value
        fitting = sorted({owned for owned in ids[column] if owned.startswith(str(value))})
        if len(fitting) != 1:
            many = f"{len(fitting)} {column}s begin" if fitting else f"no {column} here begins"
            raise InputError(f"{name}: {column}: {many} with {value!r}; give more of its id")
        return fitting[0]

    def walk(node: Node) -> Node:
        if isinstance(node, Compare):
            return replace(node, value=whole(node.column, node.value))
        if isinstance(node, OneOf):
            return replace(node, values=tuple(whole(node.column, v) for v in node.values))
        return replace(node, parts=tuple(walk(part) for part in node.parts))

    return replace(view, node=walk(view.node))
