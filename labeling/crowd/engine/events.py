"""Events on a virtual clock; the clock never moves back."""

from __future__ import annotations

import heapq
import math

ARRIVE, EXAM, SUBMIT, HAND_BACK, EXPIRE, RETURN = range(6)
"""Events of a pool: of an annotator, or (SUBMIT, HAND_BACK, EXPIRE) of a suite."""


class EventQueue:
    """A pool's coming events, sorted by time; ties keep the order of scheduling.

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
        """Time of the next event, in seconds of pool time; infinite without events."""
        return self._heap[0][0] if self._heap else math.inf

    def schedule(self, delay: float, event: int, index: int) -> None:
        """Schedule an event of an annotator or a suite, given by its index, after some seconds."""
        # The count breaks ties: the heap alone would order equal times by the kind of event.
        heapq.heappush(self._heap, (self.now + delay, self._count, event, index))
        self._count += 1

    def pop(self) -> tuple[int, int]:
        """Move the clock to the next event; return the event and its index."""
        self.now, _, event, index = heapq.heappop(self._heap)
        return event, index
