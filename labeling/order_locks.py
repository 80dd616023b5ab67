"""The locks of orders, of which one process at a time collects each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

_LOOK_S = 0.2


class OrderLocks:
    """The orders' locks that this process holds. The system releases them when it ends.

    Args:
        alone: tries to hold the lock of an order, by its key, for the length of the block, and
            yields whether it does.
    """

    def __init__(self, alone: Callable[[str], AbstractContextManager[bool]]) -> None:
        self._alone = alone
        self._held: dict[str, ExitStack] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._held))

    def take(self, key: str) -> bool:
        """Take the lock of an order; whether no other process of the study holds it."""
        if key in self._held:
            return True
        with ExitStack() as stack:
            if not stack.enter_context(self._alone(key)):
                return False
            self._held[key] = stack.pop_all()
        return True

    def wait(self, key: str, busy: Callable[[], None] = lambda: None) -> None:
        """Take the lock of an order as soon as no other process holds it.

        Args:
            key: of the order.
            busy: called before the wait, where there is one.
        """
        if self.take(key):
            return
        busy()
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
