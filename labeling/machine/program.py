"""A program that labels images: it reads their paths, and writes a table of answers."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from budget.errors import InputError
from budget.money import Money
from labeling.machine.replies import Call, MachineReply
from labeling.machine.tables import machine_table
from labeling.tables.table import table_of
from labeling.tables.text import decoded

_LAST = 300  # characters of a program's complaint that are shown


class ProgramModel:
    """A program: paths of images on its standard input, one a line; a CSV table on its output.

    The table is that of `labeling.machine.tables`; its images are the paths. The program is started
    for 1,000 images at a time.

    Args:
        command: the command line.
        path: gives the path of an image's file, by row.
        classes: the classes, in code order.
        price: the most that an answer costs; what it costs where the table has no costs.

    Raises:
        InputError: there is no such program.
    """

    is_recorded = False
    batches = (1000, 1000)
    spare = Fraction(1, 4)

    def __init__(
        self, command: str, path: Callable[[int], Path], classes: Sequence[str], price: Money
    ) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise InputError(
                f"--machine: command: {command!r} is no command line: {error}"
            ) from None
        found = shutil.which(self._words[0]) if self._words else None
        if found is None:
            raise InputError(f"--machine: command: there is no program {command!r}")
        self._path = path
        self._classes = tuple(classes)
        self.most = self.usual = price
        digest = hashlib.blake2b("\x1f".join([command, *classes]).encode(), digest_size=8)
        for word in [found, *self._words[1:]]:  # a changed script is another machine
            if (file := Path(word)).is_file():
                digest.update(file.read_bytes())
        self.version = f"command-{digest.hexdigest()}"

    def ask(self, calls: Sequence[Call]) -> Iterator[tuple[Call, MachineReply]]:
        """Run the program once for some images; an image that it leaves out has no answer.

        Raises:
            InputError: the program fails, or its table is wrong.
        """
        by_path = {str(self._path(call.row)): call for call in calls}
        program = self._words[0]
        with TemporaryFile() as complaints:  # it may complain without end
            try:
                done = subprocess.run(  # noqa: S603 - the user's own program
                    self._words,
                    input=b"".join(os.fsencode(path) + b"\n" for path in by_path),
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    check=False,
                )
            except OSError as error:
                raise InputError(
                    f"--machine: {program} cannot be started: {error.strerror}"
                ) from None
            if done.returncode:
                said = _last_words(complaints)
                raise InputError(f"--machine: {program} ended with {done.returncode}: {said}")
        text, notes = decoded(program, done.stdout)
        table = machine_table(table_of(program, text, notes), self._classes)
        for at, name in enumerate(table.images):
            if (call := by_path.pop(name, None)) is not None:
                cost = table.cost[at] if table.cost else self.usual
                yield call, MachineReply(tuple(table.said[at].tolist()), cost)
        for call in by_path.values():
            yield call, MachineReply((), self.usual, "left out")


def _last_words(file: IO[bytes]) -> str:
    """The end of what a program wrote."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - 4 * _LAST))
    return " ".join(file.read().decode(errors="replace").split())[-_LAST:]
