"""The study's story on disk: one JSON object a line, each event written once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from budget.files import JsonLines

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
        self._lines = JsonLines(path)
        self._clock = clock
        self._seen: set[tuple[str, str]] = set()
        self._learn()

    def _learn(self) -> None:
        """Learn of the events written since the last look."""
        self._seen |= {(event["event"], event["key"]) for event in self._lines.new()}

    def write(self, event: str, key: str, facts: Mapping[str, Any] | None = None) -> None:
        """Append an event, unless the same event with the same key is there already."""

        def is_known() -> bool:
            self._learn()
            return (event, key) in self._seen

        if (event, key) not in self._seen:
            row = {"at": self._clock().isoformat(timespec="seconds"), "event": event, "key": key}
            self._lines.append({**row, **(facts or {})}, unless=is_known)
            self._seen.add((event, key))
