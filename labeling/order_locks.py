"""Locks of a folder by their names, and those of orders, which one process at a time collects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from budget import files

_LOOK_S = 0.2


class NamedLocks:
    """Locks in a folder. The system releases them when a process ends, also on a crash.

    Args:
        folder: where their files lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def alone(self, name: str) -> AbstractContextManager[bool]:
        """Try to hold a named lock for the length of the block; yield whether this succeeded."""
        return files.try_locked(self._lock(name))

    def holder(self, name: str) -> str:
        """The number of the process that took a named lock last."""
        return files.holder(self._lock(name))

    def turn(self, name: str) -> AbstractContextManager[None]:
        """Wait for a named lock and hold it for the length of the block."""
        return files.locked(self._lock(name))

    def _lock(self, name: str) -> Path:
        return self._folder / f"{name}.lock"


class OrderLocks:
    """The orders' locks that this process holds.

    Args:
        locks: those of the study's folder.
        waits: told the number of the process that holds an order's lock, before the wait for it.
    """

    def __init__(self, locks: NamedLocks, waits: Callable[[str], None]) -> None:
        self._locks = locks
        self._waits = waits
        self._held: dict[str, ExitStack] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._held))

    def alone(self, key: str) -> AbstractContextManager[bool]:
        """Try to hold an order's lock for the length of the block; yield whether this succeeded."""
        return self._locks.alone(_name(key))

    def take(self, key: str) -> bool:
        """Take the lock of an order; whether no other process of the study holds it."""
        if key in self._held:
            return True
        with ExitStack() as stack:
            if not stack.enter_context(self.alone(key)):
                return False
            self._held[key] = stack.pop_all()
        return True

    def wait(self, key: str) -> None:
        """Take the lock of an order as soon as no other process holds it."""
        if self.take(key):
            return
        self._waits(self._locks.holder(_name(key)))
        while not self.take(key):
            time.sleep(_LOOK_S)

    def release(self, key: str) -> None:
        """Release the lock of an order, if this process holds it."""
        if key in self._held:
            self._held.pop(key).close()

    def release_all(self) -> None:
        """Release every lock."""
        for key in self:
            self.release(key)


def _name(key: str) -> str:
    return f"order-{key}"
