"""Publish a run directory to ClearML: `python -m hpo.publish RUN_DIR`, or `labelworth publish`.

What is there already is left alone: publishing can be repeated, and completes what a live mirror
could not bring over.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.settings.exit_codes import MIRROR_INCOMPLETE

if TYPE_CHECKING:
    from rich.console import Console

ABOUT = "create on a ClearML server what it lacks of a study; changes nothing twice"


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to those of `labelworth`."""
    parser = commands.add_parser("publish", help=ABOUT, description=ABOUT, allow_abbrev=False)
    parser.add_argument("folder", metavar="RUN_DIR", type=Path, help="such as runs/digits3")
    _add_images_external(parser)
    parser.add_argument("--follow", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(command=run)


def add_clearml(parser: argparse.ArgumentParser) -> None:
    """Add what a run may be told about its mirror."""
    group = parser.add_argument_group("ClearML")
    words = "mirror the study: auto (default) where ClearML is configured, on or off"
    group.add_argument("--clearml", metavar="auto|on|off", default="auto", help=words)
    _add_images_external(group)


def _add_images_external(parser: argparse._ActionsContainer) -> None:
    words = "where a folder's images lie on the web: ClearML gets links, no uploads"
    parser.add_argument("--images-external", metavar="URL", help=words)


def run(arguments: argparse.Namespace) -> int:
    """Publish, showing progress; 0 when everything is there, 7 when something is not.

    Raises:
        InputError: no study in the folder, or ClearML is not configured.
    """
    from hpo.tracking.clearml.mirror import publish
    from hpo.tracking.clearml.server.connection import Refused, Unavailable

    if arguments.follow:
        publish.follow(arguments.folder, arguments.images_external)
        return 0
    from rich.console import Console

    log = Console(stderr=True, highlight=False)
    try:
        with _Progress(log) as progress:
            outcome = publish.publish(arguments.folder, arguments.images_external, progress.update)
    except (Unavailable, Refused) as error:
        log.print(
            f"labelworth: {error}; what is there stays, and the same command goes on",
            markup=False,
            soft_wrap=True,
        )
        return MIRROR_INCOMPLETE
    for problem in outcome.problems:
        log.print(f"labelworth: {problem}", markup=False, soft_wrap=True)
    print(f"ClearML: {outcome.done} of {outcome.wanted} label sets are there: {outcome.page}")
    return MIRROR_INCOMPLETE if outcome.problems else 0


class _Progress:
    """A live line on a terminal, else a line for every tenth part."""

    def __init__(self, log: Console) -> None:
        self._log = log
        self._status = log.status("ClearML: looking at what is there")
        self._said = 0

    def __enter__(self) -> _Progress:
        if self._log.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._log.is_terminal:
            self._status.stop()

    def update(self, done: int, wanted: int, doing: str) -> None:
        """Show how far it is."""
        line = f"ClearML: {done} of {wanted} label sets, now {doing}"
        if self._log.is_terminal:
            self._status.update(line)
        elif 10 * done >= self._said * max(1, wanted):
            self._said = 10 * done // max(1, wanted) + 1
            self._log.print(line, markup=False, soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> int:
    """The command by itself: the same as `labelworth publish`."""
    from hpo.run import main as labelworth

    return labelworth(["publish", *(sys.argv[1:] if argv is None else argv)])


if __name__ == "__main__":
    sys.exit(main())
