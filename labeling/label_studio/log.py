"""What a study has copied from Label Studio: orders opened, answers in pages, ends.

Anyone there may edit or delete an answer, so answers are written here before they are used. The log
is appended and synced line by line; after a crash it is read again, and gives the same pages.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from budget import files
from budget.errors import StorageError
from labeling.order_locks import NamedLocks
from labeling.timesheet.sheet import WorkedAnswer

FILE = "label_studio.jsonl"
OPEN, CLOSING, PAGE, END, RUN = "open", "closing", "page", "end", "run"
Record = dict[str, Any]


class WorkLog(NamedLocks):
    """An append-only file of records, each about one order.

    Args:
        folder: folder of the file; created if missing.

    Raises:
        StorageError: the folder cannot be written, or a line is damaged.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / FILE
        self._lines = files.JsonLines(self.path)
        self._records: list[Record] = []
        try:
            files.private_folder(folder)
            os.close(os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
            files.sync_folder(folder)
        except OSError as error:
            raise self._damage(error.strerror or str(error)) from error

    def write(self, kind: str, order: str, **facts: Any) -> None:
        """Append a record durably."""
        try:
            self._lines.append({"kind": kind, "order": order, **facts})
        except OSError as error:
            raise self._damage(error.strerror or str(error)) from error

    def write_page(self, order: str, answers: Sequence[WorkedAnswer]) -> None:
        """Append a page of copied answers."""
        self.write(PAGE, order, answers=[asdict(answer) for answer in answers])

    def of(self, kind: str, order: str) -> list[Record]:
        """An order's records of a kind, oldest first."""
        return [r for r in self._all() if r["kind"] == kind and r["order"] == order]

    def pages(self, order: str) -> list[list[WorkedAnswer]]:
        """An order's pages of copied answers."""
        return [[_answer(raw) for raw in record["answers"]] for record in self.of(PAGE, order)]

    def run(self, fresh: str) -> str:
        """What distinguishes this study from others of its name: written once."""
        self._lines.append(
            {"kind": RUN, "order": "", "run": fresh}, unless=lambda: bool(self.of(RUN, ""))
        )
        return str(self.of(RUN, "")[0]["run"])

    def _all(self) -> list[Record]:
        try:
            self._records += self._lines.new()
        except ValueError as error:
            raise self._damage(f"a line is damaged: {error}") from error
        return self._records

    def _damage(self, problem: str) -> StorageError:
        return StorageError(
            str(self.path), problem, "nothing is bought without it; make it whole and start again"
        )


def _answer(raw: Record) -> WorkedAnswer:
    labels = raw["labels"]
    return WorkedAnswer(**{**raw, "labels": None if labels is None else tuple(labels)})
