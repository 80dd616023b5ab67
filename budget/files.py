"""Files that a crash cannot tear: written whole, appended line by line, or locked by processes."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a new or renamed file stays after a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A draft beside a file, which takes its place when the block ends without an error.

    Readers and crashes see the old content or the new. Several processes may do it at once: the
    last one stays.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    draft = Path(name)
    try:
        yield draft
        os.fsync(handle)  # the same file, whoever wrote it: what is synced is the content
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    finally:
        os.close(handle)
    sync_folder(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file whole: readers and crashes see the old content or the new."""
    with replacing(path) as draft:
        draft.write_bytes(content)


def whole_lines(raw: bytes) -> bytes:
    """What a crash has left whole of a file that is appended line by line."""
    return raw[: raw.rfind(b"\n") + 1]


class JsonLines:
    """An append-only file of JSON objects, one a line, which several processes may write.

    A line that a crash cut short is dropped before the next one is written.

    Args:
        path: the file; made by the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0

    def new(self) -> list[Any]:
        """What was appended since the last look, by any process; whole lines only.

        Raises:
            ValueError: a line is not JSON.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                whole = whole_lines(file.read())
        except FileNotFoundError:
            return []
        self._read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def append(self, record: Mapping[str, Any], unless: Callable[[], bool] = lambda: False) -> None:
        """Append a record, durably: after the return it survives a power cut.

        Args:
            record: what is written.
            unless: asked while no other process can write; True leaves the file as it is.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # until it is closed
            if unless():
                return
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                os.ftruncate(descriptor, len(whole_lines(os.pread(descriptor, size, 0))))
            os.write(descriptor, json.dumps(record, separators=(",", ":")).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
def locked(path: Path) -> Iterator[None]:
    """Hold a lock named by a file, which is made and stays; waits until no other process holds it.

    The system lets go of it when the process ends, however that happens. Children that the process
    forks, as ClearML does, do not hold it.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with _opened(path) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def try_locked(path: Path) -> Iterator[bool]:
    """Whether this process holds the lock of `locked` at a path, until the block is left.

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


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock of `locked` at a path."""
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
