"""The log of a study: JSON lines in its folder, for operators and for the programs they use.

Every part of the program tells the logger `labelworth` what it does, with `facts` in JSON types.
While a process works in a study, the lines go to `log.jsonl` in the study's folder. The log decides
nothing, and no answer holds a part of it. A log that cannot be written stops no study.

    {"at": "2026-03-01T12:00:00.123+00:00", "level": "INFO", "event": "held", "pid": 7, ...}
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from budget import files
from budget.errors import LabelworthError
from budget.toml import parse_json

LOG = "log.jsonl"
LOGGER = logging.getLogger("labelworth")
_WORKER = "worker-"
_TAIL = 1 << 16  # bytes that the last line is looked for in
_OPEN: list[_LogFile] = []


def _now() -> datetime:
    return datetime.now(UTC)


class _LogFile(logging.Handler):
    """Appends records to a file; of nested studies the inner one's file takes them."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.path = path
        self._clock = clock
        self._host = socket.gethostname()
        self._file: int | None = None
        with suppress(OSError):
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                os.write(self._file, b"\n")  # a power cut took the end of a line

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as one line, in one write."""
        if _OPEN[-1] is not self or self._file is None:
            return
        row = {
            "at": self._clock().isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "event": record.getMessage(),
            "host": self._host,
            "pid": os.getpid(),
            **getattr(record, "facts", {}),
        }
        with suppress(OSError):
            os.write(self._file, json.dumps(row).encode() + b"\n")

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
        super().close()


def tell(event: str, **facts: Any) -> None:
    """Log an event.

    Args:
        event: one word, or a few.
        facts: JSON types; no secret is among them.
    """
    LOGGER.info(event, extra={"facts": facts})


@contextmanager
def logged(folder: Path, clock: Callable[[], datetime] = _now) -> Iterator[None]:
    """Log what this process does in a study, to the end of the block; and that it is at work.

    Args:
        folder: the study's folder, which exists.
        clock: dates the lines.
    """
    path = folder.resolve() / LOG
    if any(handler.path == path for handler in _OPEN):
        yield
        return
    worker = folder / "locks" / f"{_WORKER}{os.getpid()}"
    with files.locked(worker):
        handler = _LogFile(path, clock)
        _begin(handler)
        try:
            tell("begun")
            yield
        except BaseException as error:
            LOGGER.error("failed", extra={"facts": _facts(error)})
            raise
        else:
            tell("ended")
        finally:
            _end(handler)
            worker.unlink(missing_ok=True)


def _begin(handler: _LogFile) -> None:
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    LOGGER.addHandler(handler)
    _OPEN.append(handler)


def _end(handler: _LogFile) -> None:
    LOGGER.removeHandler(handler)
    _OPEN.remove(handler)
    handler.close()


def _facts(error: BaseException) -> dict[str, str]:
    """The name of an error. Its text is logged if it is one of ours, which hold no secret."""
    facts = {"error": type(error).__name__}
    return {**facts, "line": error.line} if isinstance(error, LabelworthError) else facts


def last_event(folder: Path) -> dict[str, Any] | None:
    """The last whole line of a study's log; None where there is none."""
    try:
        with (folder / LOG).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            lines = files.whole_lines(file.read()).splitlines()
    except OSError:  # nothing is decided by the log
        return None
    for line in reversed(lines):
        with suppress(ValueError):
            row = parse_json(line)
            if isinstance(row, dict) and {"at", "event"} <= row.keys():
                return row
    return None


def workers(folder: Path) -> list[int]:
    """Processes of this machine that work in a study now, by number."""
    found = sorted((folder / "locks").glob(f"{_WORKER}*"))
    alive = [path for path in found if files.is_locked(path)]
    return sorted(int(path.name.removeprefix(_WORKER)) for path in alive)
