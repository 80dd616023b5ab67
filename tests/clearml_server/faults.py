"""What can go wrong between a client and the server, decided request by request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

OK, DROPPED, CUT = "ok", "dropped", "cut"
"""Answered; connection closed before the request is read; closed after it was carried out."""

Rule = Callable[[int, str], int | str]
"""(number of the request, endpoint or path) -> OK, DROPPED, CUT, or a status code."""


class Faults:
    """The faults now in force; a test sets and clears them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spoken = threading.Event()
        self.clear()

    def clear(self) -> None:
        """No faults, and the count of requests begins anew."""
        self._rule: Rule = lambda number, endpoint: OK
        self._delay = 0.0
        self._number = 0
        self._spoken.set()  # whoever waits for an answer that never comes

    def silent(self) -> None:
        """Take every request and answer none, until the faults are cleared."""
        self._spoken = threading.Event()

    def slow(self, seconds: float) -> None:
        """Answer every request this much later."""
        self._delay = seconds

    def rule(self, rule: Rule) -> None:
        """Decide by a function."""
        self._rule = rule

    def down(self, fault: int | str = 500) -> None:
        """Fail every request."""
        self.rule(lambda number, endpoint: fault)

    def half_of_the_time(self, run: int = 7, faults: tuple[int | str, ...] = (500, CUT)) -> None:
        """Fail runs of requests as long as those that pass, each run in another way."""
        self.rule(
            lambda number, endpoint: (
                faults[number // run // 2 % len(faults)] if number // run % 2 else OK
            )
        )

    def next(self, endpoint: str) -> int | str:
        """What becomes of the request that just came."""
        with self._lock:
            number = self._number
            self._number += 1
            delay, rule, spoken = self._delay, self._rule, self._spoken
        if delay:
            time.sleep(delay)
        if not spoken.is_set():
            spoken.wait()
            return DROPPED
        return rule(number, endpoint)
