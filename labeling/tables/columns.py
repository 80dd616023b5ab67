"""Columns by the names that tools give them; an unknown column is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from budget.errors import InputError, nearest
from labeling.tables.table import RowTable
from labeling.tables.text import note

IMAGE = ("image", "file", "filename", "file_name", "path")
"""Names of the column with an image's file name."""
TASK = ("task", "task_id", *IMAGE)
"""Names of the column with the task that was answered."""
ANNOTATOR = (
    "annotator",
    "annotator_id",
    "worker",
    "worker_id",
    "workerid",
    "performer",
    "performer_id",
    "user",
    "user_id",
    "rater",
    "rater_id",
    "completed_by",
)
"""Names of the column with the person who answered."""
LABEL = ("label", "answer", "class")
"""Names of the column with an answer."""
SECONDS = ("seconds", "lead_time", "worktimeinseconds")
"""Names of the column with the seconds that an answer took."""
GOLD = ("gold", "truth", "true_label")
"""Names of the column with a task's true class."""


@dataclass(frozen=True, slots=True)
class Columns:
    """A table's columns by meaning.

    Attributes:
        cells: meaning -> the column's cells, as they stand in the file.
        names: meaning -> the column's name in the file.
        lines: line of each row in the file.
        notes: columns left out, one line each.
    """

    cells: Mapping[str, list[str]]
    names: Mapping[str, str]
    lines: tuple[int, ...]
    notes: tuple[str, ...]


def name_columns(
    table: RowTable, known: Mapping[str, Sequence[str]], ignored: Sequence[str] = ()
) -> Columns:
    """Give each column its meaning. Case and spaces round a name do not matter.

    Args:
        table: the table.
        known: meaning -> names of the column, in lower case.
        ignored: names of columns to leave out, in lower case; a note names them.

    Raises:
        InputError: a column is not known, or two columns have one meaning.
    """
    meaning_of = {name: meaning for meaning, names in known.items() for name in names}
    cells: dict[str, list[str]] = {}
    named: dict[str, str] = {}
    left_out = []
    for place, given in enumerate(table.header):
        name = given.lower()
        meaning = meaning_of.get(name)
        if name == "" or name.startswith("unnamed:") or (meaning is None and name in ignored):
            left_out.append(given or f"number {place + 1}, which has no name")
            continue
        if meaning is None:
            raise InputError(f"{table.origin}: {unknown_column(given, known)}")
        if meaning in cells:
            both = f"{named[meaning]!r} and {given!r}"
            raise InputError(f"{table.origin}: columns {both} both give the {meaning}; keep one")
        cells[meaning], named[meaning] = table.column(place), given
    notes = [note(table.origin, f"column {name} is not used") for name in left_out]
    return Columns(cells, named, table.lines, tuple(notes))


def unknown_column(given: str, known: Mapping[str, Sequence[str]]) -> str:
    """The refusal of a column: its name, the nearest known one if near, and all meanings."""
    names = [name for names in known.values() for name in names]
    hint = nearest(given.lower(), names)
    guess = f" {hint}" if hint.startswith("did you mean") else ""
    return f"column {given!r} is not known;{guess} known are {', '.join(known)}"
