"""A text table: its first line, its rows with their line numbers, and the separator noticed."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from budget.errors import InputError
from labeling.tables.text import note, read_text

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_LONGEST = 100_000_000  # characters of a cell: cells of JSON are long


@dataclass(frozen=True, slots=True)
class RowTable:
    """Rows of text cells, all as wide as the first line.

    Attributes:
        origin: name of the file, for messages.
        header: cells of the first line, without spaces at their ends.
        rows: the cells of each further line that is not blank, as they stand.
        lines: line of the file that each row starts in, counted from 1.
        separator: the character between cells.
        notes: what was noticed in reading, one line each.
    """

    origin: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    separator: str
    notes: tuple[str, ...]

    def column(self, place: int) -> list[str]:
        """The cells of a column, by its place in the header."""
        return [row[place] for row in self.rows]


def read_table(path: Path) -> RowTable:
    """Read a text table: CSV, or separated by semicolons or tabs; plain or `.gz`.

    Rows without any text are skipped. Columns without a name and without text are dropped.

    Raises:
        InputError: the file cannot be read, or a row is wider or narrower than the first line.
    """
    text, notes = read_text(path)
    return table_of(str(path), text, notes)


def table_of(origin: str, text: str, notes: tuple[str, ...] = ()) -> RowTable:
    """The table in a text; see `read_table`."""
    announced, text, skipped = _announced(text)
    if announced:
        separator, parsed = announced, _parsed(origin, text, announced)
    else:
        separator, parsed = _separated(origin, text)
    if separator != ",":
        notes = (*notes, note(origin, f"its cells are separated by {_SEPARATORS[separator]}"))
    (_, header), *body = parsed or [(1, [])]
    header = [name.strip() for name in header]
    filled = [(line + skipped, row) for line, row in body if "".join(row).strip()]
    width = len(header)
    while width and not header[width - 1] and not any(_cell(row, width - 1) for _, row in filled):
        width -= 1
    rows = []
    for line, row in filled:
        if len(row) < width or "".join(row[width:]).strip():
            raise InputError(
                f"{origin}: row {line} has {len(row)} cells, its first line {width} "
                f"({', '.join(header[:width])}); quote cells that hold {_SEPARATORS[separator]}"
            )
        rows.append(tuple(row[:width]))
    lines = tuple(line for line, _ in filled)
    return RowTable(origin, tuple(header[:width]), tuple(rows), lines, separator, notes)


def _cell(row: list[str], place: int) -> str:
    return row[place].strip() if place < len(row) else ""


def _announced(text: str) -> tuple[str, str, int]:
    """The separator that a spreadsheet announces in a line of its own, and the text after it."""
    first, _, rest = text.partition("\n")
    separator = first.strip("\r").removeprefix("sep=")
    if first.startswith("sep=") and separator in _SEPARATORS:
        return separator, rest, 1
    return "", text, 0


def _separated(origin: str, text: str) -> tuple[str, list[tuple[int, list[str]]]]:
    """The separator and the rows: the first that gives all rows the width of the first line.

    Where no separator does, the commonest in the first line names the row that is wrong.
    """
    first = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    usual = sorted(_SEPARATORS, key=lambda separator: -first.count(separator))
    found = [separator for separator in usual if separator in first] or [","]
    for separator in found if len(found) > 1 else ():
        try:
            rows = _parsed(origin, text, separator)
        except InputError:
            continue
        if len({len(row) for _, row in rows if row}) == 1:
            return separator, rows
    return found[0], _parsed(origin, text, found[0])


def _parsed(origin: str, text: str, separator: str) -> list[tuple[int, list[str]]]:
    """The rows and the line that each starts in."""
    csv.field_size_limit(_LONGEST)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for row in reader:
            if row or rows:
                rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error:
        raise InputError(
            f"{origin}: cannot be read as CSV: row {line}: a quotation mark is not closed where "
            'the cell ends; write a mark inside a cell twice ("")'
        ) from None
    return rows
