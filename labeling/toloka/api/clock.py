"""Clocks: wall time for a real market, the platform's own time for a rehearsal."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from typing import Protocol
from urllib.parse import urlsplit

from budget.errors import MarketUnreachable


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
        """The time now, in UTC, in whole milliseconds as platforms tell it."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        time.sleep(seconds)


class PlatformClock:
    """The time of a rehearsal: the platform's own. It moves when news is asked for.

    Args:
        address: of the local server, which tells its time.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port

    def now(self) -> datetime:
        """The platform's time, in UTC.

        Raises:
            MarketUnreachable: the local server is gone.
        """
        connection = HTTPConnection(self._host, self._port, timeout=30.0)
        try:
            connection.request("GET", "/sim/clock")
            told = json.load(connection.getresponse())["now"]
        except (OSError, HTTPException) as error:
            raise MarketUnreachable(
                f"the local server is gone ({type(error).__name__}); what was bought is kept: "
                "start the same command again to go on"
            ) from None
        finally:
            connection.close()
        return datetime.fromisoformat(told).replace(tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        """Nothing to wait for: asking again moves the platform's clock."""
