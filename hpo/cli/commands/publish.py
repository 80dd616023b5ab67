"""`labelworth publish`: what a ClearML server lacks of a study.

What is there already is left alone: publishing can be repeated, and completes what a live mirror
could not bring over.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from hpo.cli.console import stderr
from hpo.cli.flags import (
    Commands,
    add_command,
    add_mirror_choices,
    add_run_dir,
    mirror_choices,
)
from hpo.settings.exit_codes import DONE, MIRROR_INCOMPLETE

if TYPE_CHECKING:
    from rich.console import Console


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "create on a ClearML server what it lacks of a study; changes nothing twice"
    parser = add_command(commands, "publish", words)
    add_run_dir(parser)
    add_mirror_choices(parser)
    parser.add_argument("--follow", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Publish, showing progress; 0 when everything is there, 7 when something is not.

    Raises:
        InputError: no study in the folder, or ClearML is not configured.
    """
    from budget.errors import MirrorRefused, MirrorUnavailable
    from hpo.tracking.clearml.mirror import publish

    if arguments.follow:
        publish.follow(arguments.folder, arguments.images_external)
        return DONE
    log = stderr()
    try:
        with _Progress(log) as progress:
            given = mirror_choices(arguments)
            outcome = publish.publish(arguments.folder, watch=progress.update, **given)
    except (MirrorUnavailable, MirrorRefused) as error:
        log.print(
            f"labelworth: {error}; what is there stays, and the same command goes on",
            markup=False,
            soft_wrap=True,
        )
        return MIRROR_INCOMPLETE
    for problem in outcome.problems:
        log.print(f"labelworth: {problem}", markup=False, soft_wrap=True)
    print(f"ClearML: {outcome.done} of {outcome.wanted} label sets are there: {outcome.page}")
    print(f"ClearML: trials by accuracy, with their cost: {outcome.table}")
    return MIRROR_INCOMPLETE if outcome.problems else DONE


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
