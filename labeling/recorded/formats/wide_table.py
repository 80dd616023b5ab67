"""Tables with a task a row: a column per annotator with answers, or per class with their number."""

from __future__ import annotations

from collections.abc import Sequence

from budget.errors import InputError
from labeling.recorded.answer_cells import AnswerCells
from labeling.recorded.formats.table_format import NAMES, TableFormat
from labeling.tables.classes import match_classes, read_classes
from labeling.tables.spelling import is_missing, whole_number
from labeling.tables.table import RowTable
from labeling.tables.text import note

_TASK, _GOLD = NAMES["task"], NAMES["gold"]


def _parts(table: RowTable) -> tuple[list[str], list[str] | None, list[int], list[str]]:
    """Tasks, true classes, places of the other columns, and notes on columns without a name."""
    tasks: list[str] | None = None
    gold: list[str] | None = None
    others, notes = [], []
    for at, given in enumerate(table.header):
        name = given.lower()
        if name in _TASK and tasks is None:
            tasks = table.column(at)
        elif name in _GOLD and gold is None:
            gold = table.column(at)
        elif not name or name.startswith(("unnamed:", "__index_level_")):
            notes.append(note(table.origin, f"column {given or at + 1} is not used"))
        else:
            others.append(at)
    if tasks is None:
        tasks = [str(number) for number in range(len(table.rows))]
        words = "no column names the tasks: they are numbered from 0"
        notes.append(note(table.origin, words))
    if len(others) < 2:
        raise InputError(
            f"{table.origin}: column 'label' is missing (found: "
            f"{', '.join(table.header) or 'none'}); answers need columns task,annotator,label and "
            "may have seconds,gold"
        )
    _check_tasks(table, tasks)
    return tasks, gold, others, notes


def _check_tasks(table: RowTable, tasks: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for line, task in zip(table.lines, tasks, strict=True):
        if first.setdefault(task.strip(), line) != line:
            raise InputError(
                f"{table.origin}: row {line}: task {task!r} comes twice; give each task one row"
            )


# --- a column per annotator ---


def _is_wide(table: RowTable, classes: Sequence[str] | None) -> bool:
    """Cells that are no counts; or counts under columns that are none of the study's classes."""
    _, _, others, _ = _parts(table)
    cells = [row[at] for row in table.rows for at in others]
    heads = [table.header[at] for at in others]
    if classes is not None:
        known = match_classes(table.origin, heads, classes)
        classed = sum(known.code(head) is not None for head in heads)
        if classed == len(heads):
            return False
        if classed == 0 and cells:
            return True
    whole = sum(whole_number(cell.strip()) is not None for cell in cells)
    # Counts are complete; few other cells among them are slips, named when they are read.
    return any(map(is_missing, cells)) or 2 * whole < len(cells)


def _read_wide(table: RowTable) -> AnswerCells:
    tasks, gold, others, notes = _parts(table)
    answers = [
        (row, at)
        for row, cells in enumerate(table.rows)
        for at in others
        if not is_missing(cells[at])
    ]
    heads = ", ".join(table.header[at] for at in others[:3])
    more = ", ..." if len(others) > 3 else ""
    words = f"read as a table with a column per annotator ({heads}{more})"
    notes.insert(0, note(table.origin, words))
    return AnswerCells(
        origin=table.origin,
        task=[tasks[row] for row, _ in answers],
        label=[table.rows[row][at] for row, at in answers],
        lines=[table.lines[row] for row, _ in answers],
        annotator=[table.header[at] for _, at in answers],
        gold=None if gold is None else [gold[row] for row, _ in answers],
        notes=(*table.notes, *notes),
    )


# --- a column per class ---


def _is_counts(table: RowTable, classes: Sequence[str] | None) -> bool:
    return True


def _read_counts(table: RowTable) -> AnswerCells:
    tasks, gold, others, notes = _parts(table)
    heads = tuple(table.header[at] for at in others)
    rows: list[tuple[int, str]] = []
    for row, cells in enumerate(table.rows):
        for at in others:
            number = whole_number(cells[at].strip())
            if number is None or number.startswith("-"):
                raise InputError(
                    f"{table.origin}: row {table.lines[row]}, column {table.header[at]}: "
                    f"{cells[at]!r} is not a number of answers; write 0 for none"
                )
            rows += [(row, table.header[at])] * int(number)
    if len(read_classes(table.origin, heads, keep=True).names) < len(heads):
        raise InputError(f"{table.origin}: two columns count one class; keep one")
    words = f"read as numbers of answers per class ({', '.join(heads)})"
    notes.insert(0, note(table.origin, words))
    return AnswerCells(
        origin=table.origin,
        task=[tasks[row] for row, _ in rows],
        label=[head for _, head in rows],
        lines=[table.lines[row] for row, _ in rows],
        gold=None if gold is None else [gold[row] for row, _ in rows],
        classes=heads,
        notes=(*table.notes, *notes),
    )


WIDE = TableFormat("a table with a column per annotator", _is_wide, _read_wide)
COUNTS = TableFormat("a table of counts", _is_counts, _read_counts)
