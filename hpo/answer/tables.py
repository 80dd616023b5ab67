"""Tables in plain text that lose no meaning, however narrow the terminal is.

A cell of numbers, money or marks is never cut or broken. Where the columns do not fit, those of the
highest rank are left out first, and a line below names them. Columns that always stay continue in
a further block below where even they do not fit. Only text that is marked so takes several lines,
and breaks between words.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_GAP, _MARGIN = 2, 1
_LEAST_TEXT = 14  # columns of text that takes several lines


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table.

    Attributes:
        name: its header; may have several lines.
        is_number: whether its cells are aligned right.
        rank: 0 for a column that stays at any width; of the others the highest goes first.
        wraps: whether its cells are text that may take several lines.
    """

    name: str
    is_number: bool = False
    rank: int = 0
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table to be printed.

    Attributes:
        columns: its columns.
        rows: cells, one a column.
        title: line above it; empty for none.
        caption: line below it; empty for none.
        has_header: whether the columns' names are shown.
        strong: positions of rows that stand out.
    """

    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[str]]
    title: str = ""
    caption: str = ""
    has_header: bool = True
    strong: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class TableLine:
    """One printed line of a table, and whether it stands out."""

    text: str
    is_strong: bool = False


def print_table(table: TextTable, console: Console) -> None:
    """Print a table as wide as the terminal allows; into a file or pipe, with every column."""
    from rich.text import Text

    is_free = not console.is_terminal and not os.environ.get("COLUMNS")
    for line in table_lines(table, None if is_free else console.width):
        text = Text(line.text, style="bold" if line.is_strong else "")
        console.print(text, soft_wrap=True, highlight=False)


def table_lines(table: TextTable, width: int | None) -> list[TableLine]:
    """The lines of a table.

    Args:
        table: the table.
        width: columns of the terminal; None for as many as the table takes.
    """
    natural = [_natural(table, at) for at in range(len(table.columns))]
    kept = _kept(table, natural, width)
    lines = [TableLine(table.title), TableLine("")] if table.title else []
    for block in _blocks(kept, _least(table, natural), width):
        lines += _block(table, block, _widths(table, natural, block, width))
    below = [table.caption] if table.caption else []
    left_out = [_in_a_sentence(c.name) for at, c in enumerate(table.columns) if at not in kept]
    below += [f"Not shown at this width: {', '.join(left_out)}."] if left_out else []
    return [*lines, *map(TableLine, below)]


def _in_a_sentence(header: str) -> str:
    return header.replace("-\n", "").replace("\n", " ").rstrip(".")


def _natural(table: TextTable, at: int) -> int:
    """The width at which no cell of a column takes a second line."""
    from rich.cells import cell_len

    header = table.columns[at].name.split("\n") if table.has_header else []
    return max(map(cell_len, [*header, *(row[at] for row in table.rows)]), default=0)


def _least(table: TextTable, natural: Sequence[int]) -> list[int]:
    """The widths below which columns cannot go: a word is not broken, nor anything else."""
    least = []
    for at, column in enumerate(table.columns):
        words = [len(word) for row in table.rows for word in row[at].split()]
        least.append(max([min(_LEAST_TEXT, natural[at]), *words]) if column.wraps else natural[at])
    return least


def _total(widths: Sequence[int]) -> int:
    return _MARGIN + sum(widths) + _GAP * (len(widths) - 1)


def _kept(table: TextTable, natural: Sequence[int], width: int | None) -> list[int]:
    """Positions of the columns that are shown."""
    least, kept = _least(table, natural), list(range(len(natural)))
    while width is not None and _total([least[at] for at in kept]) > width:
        rank, last = max((table.columns[at].rank, at) for at in kept)
        if rank == 0:
            break
        kept.remove(last)
    return kept


def _blocks(kept: Sequence[int], least: Sequence[int], width: int | None) -> list[list[int]]:
    """The shown columns in blocks that fit; each begins with the first column, which is the key."""
    key, *others = kept
    blocks = [[key]]
    for at in others:
        block = [*blocks[-1], at]
        if width is not None and len(block) > 2 and _total([least[i] for i in block]) > width:
            blocks.append([key, at])
        else:
            blocks[-1] = block
    return blocks


def _widths(
    table: TextTable, natural: Sequence[int], block: Sequence[int], width: int | None
) -> list[int]:
    """The columns' widths: text that wraps gets what the others leave."""
    least = _least(table, natural)
    widths = [least[at] for at in block]
    for place, at in enumerate(block):
        room = natural[at] if width is None else widths[place] + max(0, width - _total(widths))
        widths[place] = min(natural[at], room)
    return widths


def _block(table: TextTable, block: Sequence[int], widths: Sequence[int]) -> list[TableLine]:
    columns = [table.columns[at] for at in block]
    lines = []
    if table.has_header:
        names = [column.name.split("\n") for column in columns]
        height = max(map(len, names))
        stacked = [[""] * (height - len(name)) + name for name in names]
        lines += [TableLine(text) for text in _stacked(columns, stacked, widths)]
        lines.append(TableLine(" " * _MARGIN + "─" * (_total(widths) - _MARGIN)))
    for number, row in enumerate(table.rows):
        cells = [
            _wrapped(row[at], wide) if column.wraps else [row[at]]
            for at, column, wide in zip(block, columns, widths, strict=True)
        ]
        is_strong = number in table.strong
        lines += [TableLine(text, is_strong) for text in _stacked(columns, cells, widths)]
    return [*lines, TableLine("")]


def _wrapped(cell: str, width: int) -> list[str]:
    lines = textwrap.wrap(cell, max(1, width), break_on_hyphens=False, break_long_words=False)
    return lines or [""]


def _stacked(
    columns: Sequence[TableColumn], cells: Sequence[Sequence[str]], widths: Sequence[int]
) -> list[str]:
    """Cells of one or several lines each, side by side."""
    from rich.cells import cell_len

    lines = []
    for number in range(max(map(len, cells))):
        parts = []
        for column, cell, width in zip(columns, cells, widths, strict=True):
            text = cell[number] if number < len(cell) else ""
            blank = " " * (width - cell_len(text))
            parts.append(blank + text if column.is_number else text + blank)
        lines.append((" " * _MARGIN + (" " * _GAP).join(parts)).rstrip())
    return lines
