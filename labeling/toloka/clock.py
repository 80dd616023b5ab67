"""Clocks: wall time for a real market, the platform's own time for a rehearsal."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What a client knows about time."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait before asking again."""
        ...


class WallClock:
    """The time on the wall."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        time.sleep(seconds)


class PlatformClock:
    """The time of a rehearsal: the platform's own. It moves when news is asked for.

    Args:
        ask: asks the platform for its time.
    """

    def __init__(self, ask: Callable[[], datetime]) -> None:
        self._ask = ask

    def now(self) -> datetime:
        """The platform's time, in UTC."""
        return self._ask()

    def sleep(self, seconds: float) -> None:
        """Nothing to wait for: asking again moves the platform's clock."""
