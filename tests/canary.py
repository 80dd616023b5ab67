"""A token that must be found nowhere: no file, no command line, no record of another server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

_LOOK_S, _WAIT_S = 0.2, 0.005


def in_files(token: str, folder: Path) -> list[Path]:
    """Files under a folder that hold a token: logs, reports, journals, databases with their WAL."""
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and token.encode() in _bytes(p)]


def in_command_lines(token: str) -> list[str]:
    """Command lines of this machine's processes, of whomever, that hold a token."""
    lines = {p.parent.name: _bytes(p) for p in Path("/proc").glob("[0-9]*/cmdline")}
    return [f"{pid}: {line!r}" for pid, line in lines.items() if token.encode() in line]


def check(token: str, folder: Path, records: Iterable[object] = ()) -> None:
    """See that a token is nowhere.

    Args:
        token: what to look for.
        folder: everything that the program under test has written.
        records: what other servers were told by it.
    """
    assert in_files(token, folder) == []
    assert in_command_lines(token) == []
    for record in records:
        content = record if isinstance(record, bytes) else repr(record).encode()
        assert token.encode() not in content


def ended(child: int, token: str) -> int:
    """Wait for a child process, looking at all command lines meanwhile.

    Returns:
        Its exit status, or minus the signal that killed it.
    """
    due = 0.0
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= due:
            assert in_command_lines(token) == []
            due = time.monotonic() + _LOOK_S
        time.sleep(_WAIT_S)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has gone, or its process has
        return b""
