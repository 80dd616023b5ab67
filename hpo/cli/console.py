"""Printing: lines, tables and JSON. Rich is imported when something is printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def stdout() -> Console:
    """The console of answers; without a terminal it writes no escape codes."""
    from rich.console import Console

    return Console(highlight=False)


def stderr() -> Console:
    """The console of progress and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_lines(lines: Iterable[str], console: Console | None = None) -> None:
    """Print lines as they are: no markup, no wrapping at the terminal's width."""
    from rich.text import Text

    console = console or stdout()
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def print_json(value: object) -> None:
    """Print one JSON value on stdout."""
    import json

    json.dump(value, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


def make_table(
    columns: Sequence[tuple[str, bool]], title: str | None = None, header: bool = True
) -> Table:
    """An empty table in the style of all commands.

    Args:
        columns: names, and whether they hold numbers, which are aligned right.
        title: line above it.
        header: whether the names are shown.
    """
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        show_header=header,
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for name, is_number in columns:
        table.add_column(name, justify="right" if is_number else "left")
    return table
