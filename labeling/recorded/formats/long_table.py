"""Tables with an answer a row and columns of plain names: task, annotator, label, seconds, gold."""

from __future__ import annotations

from collections.abc import Sequence

from budget.errors import InputError
from labeling.recorded.answer_cells import AnswerCells
from labeling.recorded.formats.table_format import NAMES, TableFormat, column_of, without
from labeling.tables.columns import ANNOTATOR, LABEL, TASK, name_columns
from labeling.tables.table import RowTable
from labeling.tables.text import note

_OWN = {"image", "annotator", "label", "control", "usable"}  # columns of a version's answers.csv


def _is_long(table: RowTable, classes: Sequence[str] | None) -> bool:
    names = {name.lower() for name in table.header}
    has_label = bool(names & set(LABEL))
    return has_label or (bool(names & set(ANNOTATOR)) and bool(names & set(TASK)))


def _read_long(table: RowTable) -> AnswerCells:
    columns = name_columns(table, NAMES)
    for name in ("task", "label"):
        if name not in columns.cells:
            raise InputError(
                f"{table.origin}: column {name!r} is missing (found: {', '.join(columns.cells)}); "
                "answers need columns task,annotator,label and may have seconds,gold"
            )
    seconds = columns.cells.get("seconds")
    if seconds is not None and table.separator == ";":
        seconds = [cell.replace(",", ".") for cell in seconds]  # decimals of such spreadsheets
    return AnswerCells(
        origin=table.origin,
        task=columns.cells["task"],
        label=columns.cells["label"],
        lines=table.lines,
        annotator=columns.cells.get("annotator"),
        seconds=seconds,
        gold=columns.cells.get("gold"),
        notes=(*table.notes, *columns.notes),
    )


def _is_own(table: RowTable, classes: Sequence[str] | None) -> bool:
    return set(table.header) >= _OWN


def _read_own(table: RowTable) -> AnswerCells:
    """The answers of a label version; those of banned annotators are left out."""
    cells = AnswerCells(
        origin=table.origin,
        task=table.column(table.header.index("image")),
        label=table.column(table.header.index("label")),
        lines=table.lines,
        annotator=column_of(table, "annotator"),
        seconds=column_of(table, "seconds"),
        notes=(*table.notes, note(table.origin, "read as the answers of a label version")),
    )
    return without(cells, column_of(table, "usable"), ("0",), "answers of banned annotators")


LONG = TableFormat("a table of answers", _is_long, _read_long)
OWN = TableFormat("the answers of a label version", _is_own, _read_own)
