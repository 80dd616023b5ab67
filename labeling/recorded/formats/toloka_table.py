"""Toloka's table of assignments (TSV): INPUT:, OUTPUT:, GOLDEN: and ASSIGNMENT: columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from labeling.recorded.answer_cells import AnswerCells
from labeling.recorded.formats.table_format import (
    TableFormat,
    column_of,
    image_column,
    label_column,
    read_as,
    starting,
    suite_seconds,
    without,
)
from labeling.tables.table import RowTable

_NAME = "a Toloka table of assignments"
_USED = tuple(
    f"assignment:{name}"
    for name in ("worker_id", "status", "started", "submitted", "assignment_id")
)
_UNUSABLE = ("rejected", "skipped", "expired", "active")


def _is_toloka(table: RowTable, classes: Sequence[str] | None) -> bool:
    starts = {name.partition(":")[0].lower() for name in table.header if ":" in name}
    return "output" in starts and bool(starts & {"input", "assignment"})


def _read_toloka(table: RowTable) -> AnswerCells:
    image = image_column(table.origin, _NAME, starting(table, "input:"))
    label = label_column(table.origin, _NAME, starting(table, "output:"))
    golden = f"golden:{label.partition(':')[2].lower()}"
    cells = read_as(
        table,
        _NAME,
        image,
        label,
        (golden, *_USED),
        annotator="assignment:worker_id",
        seconds=_seconds(table),
        gold=column_of(table, golden),
    )
    status = column_of(table, "assignment:status")
    return without(cells, status, _UNUSABLE, "rows of rejected, skipped or unfinished assignments")


def _seconds(table: RowTable) -> list[str] | None:
    started, submitted, suites = (
        column_of(table, f"assignment:{name}") for name in ("started", "submitted", "assignment_id")
    )
    if started is None or submitted is None or suites is None:
        return None
    totals = [_between(*pair) for pair in zip(started, submitted, strict=True)]
    return suite_seconds(totals, suites)


def _between(started: str, submitted: str) -> float | None:
    try:
        times = [datetime.fromisoformat(text.strip()) for text in (started, submitted)]
        seconds = (times[1] - times[0]).total_seconds()
    except (ValueError, TypeError):
        return None
    return seconds if seconds > 0 else None


TOLOKA = TableFormat(_NAME, _is_toloka, _read_toloka)
