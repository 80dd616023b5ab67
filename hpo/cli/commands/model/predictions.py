"""A table of predictions that grows row by row: a run that was killed goes on where it stood."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from budget.errors import InputError
from budget.files import private_folder, replacing, try_locked
from labeling.tables.spelling import guarded, unguarded

if TYPE_CHECKING:
    from training.saved import Labelled, SavedModel

DIGITS = 6


class Predictions:
    """The rows so far, in a file beside the table; its first line names the model.

    Args:
        out: the table, written when all rows are there.
        model: whose predictions they are.
    """

    def __init__(self, out: Path, model: SavedModel) -> None:
        self.out = out
        self.part = out.with_name(f"{out.name}.part")
        self.head = ["image", "label", "confidence", *(f"p({name})" for name in model.classes)]
        self._first = f"# rows so far, by model {model.digest}\n"

    def done(self) -> set[str]:
        """Images that have their row; a row that was cut short is dropped.

        Raises:
            InputError: the rows are those of another model.
        """
        if not self.part.exists():
            self._start(())
            return set()
        with self.part.open(encoding="utf-8", newline="") as file:
            if file.readline() != self._first:
                raise InputError(
                    f"{self.part}: holds rows of another model; delete it, or give another --out"
                )
            rows = list(self._whole(file))
        self._start(rows)
        return {unguarded(row[0]) for row in rows}

    def _whole(self, lines: Iterator[str]) -> Iterator[list[str]]:
        """Rows that were written whole: a killed run leaves the last one cut."""
        table = (row for row in csv.reader(_ended(lines)))
        if next(table, None) == self.head:
            yield from (row for row in table if len(row) == len(self.head))

    def _start(self, rows: Sequence[Sequence[str]]) -> None:
        with replacing(self.part) as draft, draft.open("w", encoding="utf-8", newline="") as file:
            file.write(self._first)
            csv.writer(file, lineterminator="\n").writerows([self.head, *rows])

    @contextmanager
    def growing(self) -> Iterator[Predictions]:
        """Keep other processes from writing the same table meanwhile.

        Raises:
            InputError: another process writes it.
        """
        private_folder(self.out.parent)
        lock = self.out.with_name(f".{self.out.name}.lock")
        with try_locked(lock) as is_held:
            if not is_held:
                raise InputError(f"{self.out}: another process is writing it")
            try:
                yield self
            finally:
                lock.unlink(missing_ok=True)

    def append(self, names: Sequence[str], labelled: Labelled) -> None:
        """Add a batch of rows; once this returns, a kill of the process loses none of them."""
        with self.part.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            for row, name in enumerate(names):
                p = labelled.probabilities[row]
                numbers = (f"{value:.{DIGITS}f}" for value in (labelled.confidence[row], *p))
                writer.writerow([guarded(name), guarded(labelled.labels[row]), *numbers])

    def finish(self) -> None:
        """Put the table in its place, whole."""
        with replacing(self.out) as draft:
            with self.part.open("rb") as rows, draft.open("wb") as file:
                rows.readline()
                shutil.copyfileobj(rows, file)
            draft.chmod(0o666 & ~_umask())
        self.part.unlink()


def _ended(lines: Iterator[str]) -> Iterator[str]:
    """Lines that have their end."""
    return (line for line in lines if line.endswith("\n"))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
