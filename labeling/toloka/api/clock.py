"""Clocks: wall time for a real market, the platform's own time for a rehearsal."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Protocol
from urllib.parse import urlsplit

from budget.errors import InputError, MarketUnreachable
from labeling.toloka.api.token import Token


class Clock(Protocol):
    """A client's clock."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait before the next request."""
        ...


class WallClock:
    """Wall time."""

    def now(self) -> datetime:
        """The time now, in UTC, in whole milliseconds, as on platforms."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds."""
        time.sleep(seconds)


class PlatformClock:
    """The local platform's own time, for a rehearsal. Requests for news move it.

    Args:
        address: address of the local server.
        token: the token that the local server accepts.
    """

    def __init__(self, address: str, token: Token) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port
        self._token = token
        self._has_waited = False

    def take_wait(self) -> bool:
        """Whether the client has waited since this was last asked."""
        has_waited, self._has_waited = self._has_waited, False
        return has_waited

    def now(self) -> datetime:
        """The platform's time, in UTC.

        Raises:
            InputError: the local server accepts another token.
            MarketUnreachable: the local server does not answer.
        """
        connection = HTTPConnection(self._host, self._port, timeout=30.0)
        try:
            headers = {"Authorization": f"OAuth {self._token.reveal()}"}
            connection.request("GET", "/sim/clock", headers=headers)
            answer = connection.getresponse()
            if answer.status != HTTPStatus.OK:
                raise InputError(
                    f"the token is refused (HTTP {answer.status}) by the local server: give "
                    "its LABELWORTH_SERVER_TOKEN in TOLOKA_TOKEN"
                )
            told = json.load(answer)["now"]
        except (OSError, HTTPException) as error:
            raise MarketUnreachable(
                f"the local server is gone ({type(error).__name__}); what was bought is kept: "
                "start the same command again to go on"
            ) from None
        finally:
            connection.close()
        return datetime.fromisoformat(told).replace(tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        """Return at once: the next request says so, and moves the platform's clock."""
        self._has_waited = True
