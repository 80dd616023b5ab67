"""Events on a virtual clock, which only ever moves on."""

from __future__ import annotations

import heapq
import math

ARRIVE, EXAM, SUBMIT, HAND_BACK, EXPIRE, RETURN = range(6)
"""What can happen in a pool: to a person, or (SUBMIT, HAND_BACK, EXPIRE) to a suite."""


class EventQueue:
    """What happens next in a pool, and when; ties in the order in which they were scheduled.

    Attributes:
        now: seconds of pool time.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, int, int]] = []
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    @property
    def next_at(self) -> float:
        """When the next event is due, in seconds of pool time; infinite without any."""
        return self._heap[0][0] if self._heap else math.inf

    def schedule(self, delay: float, event: int, index: int) -> None:
        """Let an event happen to something after some seconds."""
        heapq.heappush(self._heap, (self.now + delay, self._count, event, index))
        self._count += 1

    def pop(self) -> tuple[int, int]:
        """Move the clock to the next event; which it is, and to what it happens."""
        self.now, _, event, index = heapq.heappop(self._heap)
        return event, index
