"""Printing: lines and JSON. Rich is imported when something is printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def stdout() -> Console:
    """The console of answers; without a terminal it writes no escape codes."""
    return _console()


def stderr() -> Console:
    """The console of progress and errors."""
    return _console(stderr=True)


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    class Raising(Console):
        """Leaves it to the command line to say that its reader went away."""

        def on_broken_pipe(self) -> None:
            raise

    return Raising(stderr=stderr, highlight=False)


def print_lines(lines: Iterable[str], console: Console | None = None) -> None:
    """Print lines as they are, on stdout or a console: no markup, no wrapping."""
    if console is None:
        for line in lines:
            print(line)
        return
    from rich.text import Text

    for line in lines:
        console.print(Text(line), soft_wrap=True)


def printable(text: str) -> str:
    """A text that cannot move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def print_json(value: object) -> None:
    """Print one JSON value on stdout."""
    import json

    json.dump(value, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")
