"""The journal: intents on the market and their outcomes, on disk before each call.

Each record is a line of JSON, appended and synced: an intent before a call that creates or spends,
the outcome after the call. A process that finds an intent without an outcome reads the market
before it acts. Several processes may share a journal. It holds ids, counts and times; no secrets.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from budget import files
from budget.errors import StorageError
from budget.files import private_folder
from labeling.order_locks import NamedLocks
from labeling.toloka.api.clock import Clock

FILE = "market.jsonl"
INTENT, DONE, REFUSED = "intent", "done", "refused"
Record = dict[str, Any]


class IntentLog(NamedLocks):
    """An append-only file of records.

    Args:
        folder: folder of the file; created if missing.
        clock: dates the records.

    Raises:
        StorageError: the folder cannot be written, or a line is damaged.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        super().__init__(folder)
        self.path = folder / FILE
        self._clock = clock
        self._lines = files.JsonLines(self.path)
        self._last: dict[tuple[str, str], Record] = {}
        self._done: dict[tuple[str, str], Record] = {}
        self._all: list[Record] = []
        try:
            private_folder(folder)
            os.close(os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
            files.sync_folder(folder)
        except OSError as error:
            raise _damage(self.path, error.strerror or str(error)) from error

    def write(self, action: str, key: str, state: str, **facts: Any) -> Record:
        """Append a record durably: once this returns, the record survives a power cut."""
        at = self._clock.now().isoformat(timespec="milliseconds")
        record = {"at": at, "action": action, "key": key, "state": state, **facts}
        try:
            self._lines.append(record)
        except OSError as error:
            raise _damage(self.path, error.strerror or str(error)) from error
        # The record is read back from the file, among the records of other processes.
        self._catch_up()
        return record

    def last(self, action: str, key: str) -> Record | None:
        """The last record of an action under a key, or None."""
        self._catch_up()
        return self._last.get((action, key))

    def done(self, action: str, key: str) -> Record | None:
        """The last successful outcome of an action under a key, or None."""
        self._catch_up()
        return self._done.get((action, key))

    def records(self, action: str) -> list[Record]:
        """All records of an action, oldest first."""
        self._catch_up()
        return [record for record in self._all if record["action"] == action]

    def _catch_up(self) -> None:
        """Read the records that any process appended since the last call."""
        for line in self._lines.new():
            if _is_record(line):
                record: Record = line
                place = (record["action"], record["key"])
                self._all.append(record)
                self._last[place] = record
                if record["state"] == DONE:
                    self._done[place] = record


def _is_record(line: object) -> bool:
    return isinstance(line, dict) and {"action", "key", "state"} <= line.keys()


def _damage(path: Path, problem: str) -> StorageError:
    return StorageError(
        str(path), problem, "nothing is bought without it; make it writable and start again"
    )
