"""A fair queue among processes: whoever asked first has the next turn.

SQLite lets writers look for its lock again and again, with growing pauses: the writer that has
waited longest looks least often, and among many writers it can starve. So writers queue in a file
beside the database. Each draws a ticket, locks the byte of that number, and has its turn once no
lower byte is locked. The system drops the lock of a process that dies. The queue decides only the
order: that one writer at a time writes is SQLite's own lock.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from budget.files import ours

_POLL_S, _FARTHEST = 0.001, 20
_NUMBERS = struct.Struct("<QQ")  # the ticket drawn last, the ticket whose work began last
_LAST = 1 << 62  # tickets begin again here: no byte beyond 2^63 can be locked


@contextmanager
def turn(path: Path, wait_s: float, stuck: Exception) -> Iterator[Callable[[], None]]:
    """Wait for this caller's turn, and have it for the length of the block.

    On a system without locks of single descriptors (macOS), and where the file cannot be written,
    the turn comes at once.

    Args:
        path: the queue's file; it is created and stays.
        wait_s: how long the queue may stand still, in seconds. The wait may be longer while others
            have their turns.
        stuck: raised when the queue stands still for so long.

    Yields:
        To be called in the block when the work has begun: the queue moves.
    """
    place = _join(path)
    if place is None:
        yield lambda: None
        return
    descriptor, ticket = place
    with ours(descriptor):  # closing it gives the turn, or the place in the queue, to the next
        _wait(descriptor, ticket, wait_s, stuck)
        yield lambda: _write(descriptor, 8, ticket)


def _join(path: Path) -> tuple[int, int] | None:
    """Descriptor and ticket of a new place in the queue; None where there can be no queue."""
    if sys.platform != "linux":
        return None
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    try:
        return descriptor, _draw(descriptor)
    except OSError:
        os.close(descriptor)
        return None


def _draw(descriptor: int) -> int:
    """Take the next ticket and lock its byte."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # for microseconds; it is no lock of a byte
    try:
        ticket = _numbers(descriptor)[0] % _LAST + 1
        _write(descriptor, 0, ticket)
        _lock(descriptor, fcntl.F_WRLCK, ticket, 1)
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    return ticket


def _wait(descriptor: int, ticket: int, wait_s: float, stuck: Exception) -> None:
    began, since = -1, 0.0
    while not _lock(descriptor, fcntl.F_RDLCK, 0, ticket):
        last, now = _numbers(descriptor)[1], time.monotonic()
        if last != began:
            began, since = last, now
        elif now - since > wait_s:
            raise stuck
        # The next in the queue looks often, the last seldom: that costs little and delays nobody.
        time.sleep(_POLL_S * min(max(ticket - last, 1), _FARTHEST))


def _lock(descriptor: int, kind: int, start: int, length: int) -> bool:
    """Lock bytes by this descriptor, unless another holds one of them in a way that excludes it."""
    request = struct.pack("hhqqi", kind, os.SEEK_SET, start, length, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, request)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _numbers(descriptor: int) -> tuple[int, int]:
    content = os.pread(descriptor, _NUMBERS.size, 0).ljust(_NUMBERS.size, b"\0")
    drawn, began = _NUMBERS.unpack(content)
    return drawn, began


def _write(descriptor: int, place: int, number: int) -> None:
    os.pwrite(descriptor, number.to_bytes(8, "little"), place)
