"""Files that last, which a crash must not take back, and files by which processes wait in turn."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a new or renamed file stays after a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_OURS: set[int] = set()


def _forget() -> None:
    """In a forked child: let go of what would seem to be held when its parent has ended."""
    for descriptor in _OURS:
        os.close(descriptor)
    _OURS.clear()


os.register_at_fork(after_in_child=_forget)


@contextmanager
def ours(descriptor: int) -> Iterator[None]:
    """Keep a descriptor from children that this process forks, and close it in the end."""
    _OURS.add(descriptor)
    try:
        yield
    finally:
        if descriptor in _OURS:  # else this is such a child
            _OURS.remove(descriptor)
            os.close(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A file to lock by, made if it is not there, until the block is left."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with ours(descriptor):
        yield descriptor


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock named by a file, which is made and stays; waits for whoever holds it.

    The system lets go of it when the process ends, however that happens. Children that the process
    forks, as ClearML does, do not hold it.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with _opened(path) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether this process holds the lock of `exclusive` at a path, until the block is left.

    Waits for nobody.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with _opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def is_held(path: Path) -> bool:
    """Whether some process holds the lock of `exclusive` at a path."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
