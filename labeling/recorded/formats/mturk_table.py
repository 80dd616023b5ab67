"""Mechanical Turk's batch results (CSV): Input., Answer. columns, WorkerId, WorkTimeInSeconds."""

from __future__ import annotations

from collections.abc import Sequence

from labeling.recorded.answer_cells import AnswerCells
from labeling.recorded.formats.table_format import (
    TableFormat,
    column_of,
    image_column,
    label_column,
    not_used,
    starting,
    without,
)
from labeling.tables.table import RowTable
from labeling.tables.text import note

_NAME = "a Mechanical Turk batch table"
_USED = ("WorkerId", "WorkTimeInSeconds", "AssignmentStatus")


def _is_mturk(table: RowTable, classes: Sequence[str] | None) -> bool:
    names = [name.lower() for name in table.header]
    return any(name.startswith("answer.") for name in names) and (
        "workerid" in names or any(name.startswith("input.") for name in names)
    )


def _read_mturk(table: RowTable) -> AnswerCells:
    image = image_column(table.origin, _NAME, starting(table, "input."))
    label = label_column(table.origin, _NAME, starting(table, "answer."))
    cells = AnswerCells(
        origin=table.origin,
        task=table.column(table.header.index(image)),
        label=table.column(table.header.index(label)),
        lines=table.lines,
        annotator=column_of(table, "workerid"),
        seconds=column_of(table, "worktimeinseconds"),
        notes=(
            *table.notes,
            note(table.origin, f"read as {_NAME}: image {image}, label {label}"),
            *not_used(table, (image, label, *_USED)),
        ),
    )
    return without(cells, column_of(table, "assignmentstatus"), ("rejected",), "rejected answers")


MTURK = TableFormat(_NAME, _is_mturk, _read_mturk)
