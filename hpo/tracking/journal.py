"""The study's story on disk: one JSON object a line, each event written once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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


class Journal:
    """An append-only file of events.

    It tells people and mirrors what happened; nothing is decided by it, and it alone carries clock
    time. A line cut short by a crash is dropped when the journal is opened again.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime] = _now) -> None:
        self._path = path
        self._clock = clock
        self._seen: set[tuple[str, str]] = set()
        if path.exists():
            self._recover()

    def _recover(self) -> None:
        text = self._path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            os.truncate(self._path, len(whole))
        for line in whole.splitlines():
            event = json.loads(line)
            self._seen.add((event["event"], event["key"]))

    def write(self, event: str, key: str, facts: Mapping[str, Any] | None = None) -> None:
        """Append an event, unless the same event with the same key is there already."""
        if (event, key) in self._seen:
            return
        row = {"at": self._clock().isoformat(timespec="seconds"), "event": event, "key": key}
        line = json.dumps({**row, **(facts or {})}, sort_keys=True) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._seen.add((event, key))
