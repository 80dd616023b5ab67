"""Views: which labels or answers to use, as a small expression over documented columns.

    confidence >= 0.8 and label != 'other'
    skill >= 0.7 and not (seconds < 2 or annotator in ('12', '40'))

A view is read by a grammar of its own into a frozen tree of comparisons; nothing is ever
evaluated, and every value of it is later bound as a parameter of SQL (`labeling.store.views`).

    view       = all { "or" all }
    all        = one { "and" one }
    one        = "not" one | "(" view ")" | comparison
    comparison = column ( operator value | ["not"] "in" "(" value { "," value } ")" )
               | column of true or false
    operator   = == | != | < | <= | > | >=
    value      = number | 'text' | "text" | true | false

`not` is carried down to the comparisons while reading, so that what is unknown (the skill of an
annotator where no answer is right or wrong, the label of a control task) is kept by no comparison,
with or without `not`. The words of the grammar may be written in capitals; a quote inside a text is
doubled.
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
        node: what must hold of a row.
        over: labels | answers | images: what the rows are.
        columns: the columns it may use, by name.
    """

    node: Node
    over: str
    columns: Mapping[str, Column]

    @property
    def text(self) -> str:
        """The view in its plainest words: equal views have equal texts, and it reads back."""
        return write(self.node, self.columns)

    @property
    def version(self) -> str:
        """Hash of what it is over and of its text."""
        content = f"{self.over}: {self.text}".encode()
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    @property
    def used(self) -> tuple[str, ...]:
        """The columns it uses, in the order of the list of columns."""
        found = {leaf.column for leaf in leaves(self.node)}
        return tuple(name for name in self.columns if name in found)


def parse_view(
    text: str, name: str = "view", columns: Mapping[str, Column] = COLUMNS, over: str | None = None
) -> View:
    """Read a view.

    Args:
        text: the expression.
        name: what it is called in error messages, such as "--view".
        columns: the columns it may use.
        over: labels | answers | images; None for answers where it uses a column that only answers
            have, for images where the columns are theirs, else labels.

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
        InputError: naming it and the nearest one.
    """
    known = tuple(dict.fromkeys(classes))
    for leaf in leaves(view.node):
        if view.columns[leaf.column].kind == "class":
            for value in leaf.values if isinstance(leaf, OneOf) else (leaf.value,):
                if value not in known:
                    near = nearest(str(value), known)
                    raise InputError(f"{name}: {leaf.column}: no class {value!r}; {near}")


def resolve(view: View, ids: Mapping[str, Iterable[str]], name: str = "view") -> View:
    """The view with whole ids in the place of their beginnings.

    Args:
        view: a view over stored versions.
        ids: known ids by column ("version", "condition").
        name: what it is called in error messages.

    Raises:
        InputError: a beginning fits no id, or several.
    """

    def whole(column: str, value: Value) -> Value:
        if view.columns[column].kind != "id":
            return value
        fitting = sorted({known for known in ids[column] if known.startswith(str(value))})
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
