"""The study's story on disk: one JSON object a line, each event written once."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

STUDY, PURCHASE, EVALUATION = "study", "purchase", "evaluation"
CONFIRMATION, ANSWER, BOUGHT = "confirmation", "answer", "bought"
"""Events that mirrors are built from."""


def told_versions(event: Mapping[str, Any]) -> list[str]:
    """The label versions that an event of the journal tells of."""
    if event["event"] == ANSWER:
        return [member["version"] for member in event["front"]]
    if event["event"] == BOUGHT:
        return [event["labels"]["version"]]
    return [event["version"]] if event["event"] in (PURCHASE, CONFIRMATION) else []


def _now() -> datetime:
    return datetime.now(UTC)


class StudyJournal:
    """An append-only file of events, which several processes may write.

    It tells people and mirrors what happened; nothing is decided by it, and it alone carries clock
    time. A line cut short by a crash is dropped before the next one is written.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime] = _now) -> None:
        self._path = path
        self._clock = clock
        self._seen: set[tuple[str, str]] = set()
        self._read = 0
        if path.exists():
            with path.open("rb") as file:
                self._catch_up(file)

    def _catch_up(self, file: BinaryIO) -> bool:
        """Learn of the events written since; False where the last line is not whole."""
        file.seek(self._read)
        text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        for line in whole.splitlines():
            event = json.loads(line)
            self._seen.add((event["event"], event["key"]))
        self._read += len(whole)
        return len(whole) == len(text)

    def write(self, event: str, key: str, facts: Mapping[str, Any] | None = None) -> None:
        """Append an event, unless the same event with the same key is there already."""
        if (event, key) in self._seen:
            return
        with os.fdopen(os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "rb") as f:
            fcntl.flock(f, fcntl.LOCK_EX)  # until it is closed
            if not self._catch_up(f):
                os.ftruncate(f.fileno(), self._read)
            if (event, key) in self._seen:
                return
            row = {"at": self._clock().isoformat(timespec="seconds"), "event": event, "key": key}
            line = json.dumps({**row, **(facts or {})}, sort_keys=True) + "\n"
            os.write(f.fileno(), line.encode())
            os.fsync(f.fileno())
            self._read += len(line.encode())
        self._seen.add((event, key))
