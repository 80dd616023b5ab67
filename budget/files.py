"""Files that survive a crash: replaced whole, appended line by line, or locked by a process."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
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
    """A draft beside a file; the draft replaces the file when the block ends without an error.

    A reader, also after a crash, sees the old content or the new content. Several processes may
    replace the file at once: the last draft stays.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    draft = Path(name)
    try:
        yield draft
        # The block wrote through a handle of its own, but fsync flushes the file, not the handle.
        # The content must reach the disk before the name: else a power cut can leave an empty file.
        os.fsync(handle)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    finally:
        os.close(handle)
    sync_folder(path.parent)


def regular(path: Path) -> Path:
    """The path of a file that a user has named, to be read whole.

    A pipe is waited for, and read a second time it is empty; a device may have no end.

    Raises:
        OSError: it is missing, or a pipe, a device or a socket.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # of a folder the reading itself tells
        raise OSError(errno.EINVAL, "it is a pipe or a device; write its content to a file")
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file whole: a reader sees the old content or the new, also after a crash."""
    with replacing(path) as draft:
        draft.write_bytes(content)


def private(path: str, flags: int) -> int:
    """Open a file of mode 0600 if it is new: the `opener` of `open`."""
    return os.open(path, flags, 0o600)


def private_folder(folder: Path) -> None:
    """Make a folder and what is missing above it, all of mode 0700."""
    if not folder.exists():
        private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def whole_lines(raw: bytes) -> bytes:
    """The complete lines of a file that is appended line by line; a cut last line is dropped."""
    return raw[: raw.rfind(b"\n") + 1]


class JsonLines:
    """An append-only file with one JSON object per line; several processes may write it.

    `append` removes a line that a crash cut short before it writes the next line.

    Args:
        path: the file; the first append creates it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0

    def new(self) -> list[Any]:
        """The records that any process appended since the last call; complete lines only.

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
        """Append a record durably: once this returns, the record survives a power cut.

        Args:
            record: the record to write.
            unless: called while no other process can write; True leaves the file as it is.
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
    """In a forked child: close the parent's lock files.

    An inherited descriptor would keep the lock after the parent has ended.
    """
    for descriptor in _OURS:
        os.close(descriptor)
    _OURS.clear()


os.register_at_fork(after_in_child=_forget)


@contextmanager
def ours(descriptor: int) -> Iterator[None]:
    """Close a descriptor at the end of the block, and at once in every forked child."""
    _OURS.add(descriptor)
    try:
        yield
    finally:
        # In a forked child `_forget` has closed it; its number may name another file by now.
        if descriptor in _OURS:
            _OURS.remove(descriptor)
            os.close(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Descriptor of a lock file for the length of the block; a missing file is created."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with ours(descriptor):
        yield descriptor


@contextmanager
def locked(path: Path, busy: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a lock named by a file; wait until no other process holds it.

    The file is created and stays. The system releases the lock when the process ends, also on a
    crash. Forked children, such as ClearML's, do not hold it.

    Args:
        path: the file.
        busy: told the number of the process that holds the lock, before the wait for it.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with _opened(path) as descriptor:
        if busy is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                busy(holder(path))
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _sign(descriptor)
        yield


def _sign(descriptor: int) -> None:
    """Write down who holds a lock, for those who wait for it."""
    with suppress(OSError):  # a full disk keeps nobody from a lock
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def holder(path: Path) -> str:
    """The number of the process that took the lock of a path last; "" where none is known."""
    try:
        return path.read_bytes()[:20].decode(errors="replace")
    except OSError:
        return ""


@contextmanager
def try_locked(path: Path) -> Iterator[bool]:
    """Try to hold the lock of `locked` at a path for the length of the block, without waiting.

    Yields:
        Whether this process holds the lock.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with _opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            _sign(descriptor)
            yield True


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of `locked` at a path."""
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
