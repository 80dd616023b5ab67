"""A format of tables: how it is recognised, and how its columns become answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from budget.errors import InputError
from labeling.recorded.answer_cells import AnswerCells
from labeling.tables.columns import ANNOTATOR, GOLD, IMAGE, LABEL, SECONDS, TASK
from labeling.tables.table import RowTable
from labeling.tables.text import note

NAMES = {
    "task": TASK,
    "label": LABEL,
    "annotator": ANNOTATOR,
    "seconds": SECONDS,
    "gold": GOLD,
}
"""Meaning of a column -> its names, in lower case."""
_SHOWN = 5  # columns that a note names
_IMAGE_NAMES = (*IMAGE, "image_url", "img", "photo", "picture", "url", "task")
_LABEL_NAMES = (*LABEL, "result", "choice", "choices", "category")


@dataclass(frozen=True, slots=True)
class TableFormat:
    """A kind of table.

    Attributes:
        name: with its article, for notes and messages.
        recognises: whether a table is of this kind, given the study's classes if they are known.
        read: its answers.
    """

    name: str
    recognises: Callable[[RowTable, Sequence[str] | None], bool]
    read: Callable[[RowTable], AnswerCells]


def image_column(origin: str, format_name: str, columns: Sequence[str]) -> str:
    """The column with the image: the only one, or the only one with an image's name.

    Args:
        origin: name of the file.
        format_name: the kind of table, with its article.
        columns: the columns that may hold it, with their prefix.

    Raises:
        InputError: it cannot be told.
    """
    return _chosen(origin, format_name, columns, "the image", _IMAGE_NAMES)


def label_column(origin: str, format_name: str, columns: Sequence[str]) -> str:
    """The column with the answer: the only one, or the only one with an answer's name.

    Raises:
        InputError: it cannot be told.
    """
    return _chosen(origin, format_name, columns, "the answer", _LABEL_NAMES)


def _chosen(
    origin: str, format_name: str, columns: Sequence[str], what: str, names: Sequence[str]
) -> str:
    likely = [column for column in columns if _bare(column) in names]
    for choice in (likely, columns):
        if len(choice) == 1:
            return choice[0]
    looks = f"{origin}: this looks like {format_name}"
    if not columns:
        raise InputError(f"{looks}, but it has no column with {what}; export it with that column")
    raise InputError(
        f"{looks}: columns {', '.join(map(repr, columns))} may all hold {what}; keep one of them"
    )


def _bare(column: str) -> str:
    """A column's name without its prefix, such as "INPUT:" or "Answer."."""
    name = column.lower()
    for prefix in ("input:", "output:", "input.", "answer."):
        name = name.removeprefix(prefix)
    return "label" if name.endswith(".label") else name


def starting(table: RowTable, prefix: str) -> list[str]:
    """Names of the columns that start with a prefix, in any case."""
    return [name for name in table.header if name.lower().startswith(prefix)]


def column_of(table: RowTable, name: str) -> list[str] | None:
    """The cells of a column, by its name in any case; None if the table has none."""
    names = [given.lower() for given in table.header]
    return table.column(names.index(name.lower())) if name.lower() in names else None


def read_as(
    table: RowTable,
    format_name: str,
    image: str,
    label: str,
    used: Sequence[str],
    *,
    annotator: str,
    task: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    seconds: Sequence[str] | None = None,
    gold: Sequence[str] | None = None,
    notes: Sequence[str] = (),
) -> AnswerCells:
    """The answers of a tool's table, a row each, with a note that says how they were read.

    Args:
        table: the table.
        format_name: its kind, with its article.
        image: the column with the image.
        label: the column with the answer, or what stands for one.
        used: further columns that are read.
        annotator: name of the column with the annotator, in any case.
        task: the images; None for the cells of `image`.
        labels: the answers; None for the cells of `label`.
        seconds: working times; None where there are none.
        gold: right answers; None where there are none.
        notes: further notes.
    """
    cells = {name: table.column(at) for at, name in enumerate(table.header)}
    return AnswerCells(
        origin=table.origin,
        task=cells[image] if task is None else task,
        label=cells[label] if labels is None else labels,
        lines=table.lines,
        annotator=column_of(table, annotator),
        seconds=seconds,
        gold=gold,
        notes=(
            *table.notes,
            note(table.origin, f"read as {format_name}: image {image}, label {label}"),
            *not_used(table, (image, label, *used)),
            *notes,
        ),
    )


def without(
    cells: AnswerCells, column: Sequence[str] | None, words: Collection[str], which: str
) -> AnswerCells:
    """The answers but those whose cell of a column is one of some words; a note counts them.

    Args:
        cells: the answers.
        column: the cells; None leaves nothing out.
        words: in lower case.
        which: the answers that are left out, such as "rejected answers".
    """
    found = [cell.strip().lower() in words for cell in column or ()]
    if not any(found):
        return cells
    kept = [at for at, out in enumerate(found) if not out]
    left = note(cells.origin, f"{sum(found)} {which} are left out")
    return replace(cells.where(kept), notes=(*cells.notes, left))


def not_used(table: RowTable, used: Sequence[str]) -> list[str]:
    """A note on the columns that are not read.

    Args:
        table: the table.
        used: names of the columns that are read, in any case.
    """
    read = {name.lower() for name in used}
    names = [name for name in table.header if name.lower() not in read]
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [note(table.origin, f"columns not used: {', '.join(names[:_SHOWN])}{more}")]


def suite_seconds(totals: Sequence[float | None], suites: Sequence[str]) -> list[str]:
    """Seconds of each answer: its suite's time, divided over the suite's answers.

    Args:
        totals: time of the suite of each answer; None if unknown.
        suites: name of the suite of each answer.
    """
    size: dict[str, int] = {}
    for suite in suites:
        size[suite] = size.get(suite, 0) + 1
    return [
        repr(round(total / size[suite], 3)) if total else ""
        for total, suite in zip(totals, suites, strict=True)
    ]
