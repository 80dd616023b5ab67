"""Mechanical Turk's batch results (CSV): Input., Answer. columns, WorkerId, WorkTimeInSeconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from budget.errors import InputError
from budget.toml import parse_json
from labeling.recorded.answer_cells import AnswerCells
from labeling.recorded.formats.table_format import (
    TableFormat,
    column_of,
    image_column,
    label_column,
    read_as,
    starting,
    without,
)
from labeling.tables.table import RowTable

_NAME = "a Mechanical Turk batch table"
_FLAGS = {"true", "false", ""}
_USED = ("WorkerId", "WorkTimeInSeconds", "AssignmentStatus")


def _is_mturk(table: RowTable, classes: Sequence[str] | None) -> bool:
    names = [name.lower() for name in table.header]
    return any(name.startswith("answer.") for name in names) and (
        "workerid" in names or any(name.startswith("input.") for name in names)
    )


def _read_mturk(table: RowTable) -> AnswerCells:
    image = image_column(table.origin, _NAME, starting(table, "input."))
    label, labels, used = _labels(table)
    seconds = column_of(table, "worktimeinseconds")
    read = (*used, *_USED)
    cells = read_as(
        table, _NAME, image, label, read, annotator="workerid", labels=labels, seconds=seconds
    )
    return without(cells, column_of(table, "assignmentstatus"), ("rejected",), "rejected answers")


def _labels(table: RowTable) -> tuple[str, list[str], list[str]]:
    """Name of the answer, the answers, and the columns that hold them.

    A form with radio buttons gives a column of true and false for each class.
    """
    columns = starting(table, "answer.")
    cells = {name: column_of(table, name) or [] for name in columns}
    if len(columns) > 1 and all(
        cell.strip().lower() in _FLAGS for c in cells.values() for cell in c
    ):
        return _chosen_flags(table, cells)
    label = label_column(table.origin, _NAME, columns)
    pairs = zip(table.lines, cells[label], strict=True)
    return label, [_from_json(table.origin, line, cell) for line, cell in pairs], [label]


def _chosen_flags(
    table: RowTable, cells: Mapping[str, Sequence[str]]
) -> tuple[str, list[str], list[str]]:
    parts = [name.removesuffix(".on").rpartition(".") for name in cells]
    questions = sorted({question for question, _, _ in parts})
    if len(questions) > 1:
        label_column(table.origin, _NAME, questions)  # refuses several
    labels = []
    for line, row in zip(table.lines, zip(*cells.values(), strict=True), strict=True):
        flags = [cell.strip().lower() == "true" for cell in row]
        classes = [name for _, _, name in parts]
        labels.append(_one(table.origin, line, dict(zip(classes, flags, strict=True))))
    return f"{questions[0]}...", labels, list(cells)


def _from_json(origin: str, line: int, cell: str) -> str:
    """The answer in a cell: a text, or a form's answers as JSON with one field."""
    if not cell.lstrip().startswith("[{"):
        return cell
    try:
        fields = list(parse_json(cell)[0].values())
    except (ValueError, AttributeError):
        return cell
    if len(fields) != 1:
        raise InputError(
            f"{origin}: row {line}: this looks like {_NAME} whose form has {len(fields)} fields; "
            "keep the one with the answer"
        )
    if not isinstance(fields[0], dict):
        return str(fields[0])
    return str(fields[0]["label"]) if "label" in fields[0] else _one(origin, line, fields[0])


def _one(origin: str, line: int, flags: Mapping[str, object]) -> str:
    """The class whose flag is true; none is no answer."""
    chosen = [name for name, flag in flags.items() if flag is True]
    if len(chosen) > 1:
        raise InputError(
            f"{origin}: row {line}: {len(chosen)} choices; an answer is one choice: keep one"
        )
    return chosen[0] if chosen else ""


MTURK = TableFormat(_NAME, _is_mturk, _read_mturk)
