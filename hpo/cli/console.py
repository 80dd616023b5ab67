"""Printing: lines and JSON. Rich is imported when something is printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


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
