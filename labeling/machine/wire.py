"""One request to an endpoint: sent once, and the reply as it came."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from typing import Any
from urllib.parse import urlsplit

from budget.toml import parse_json

_LONGEST = 4_000_000  # bytes of a reply


@dataclass(frozen=True, slots=True)
class WireReply:
    """What came back.

    Attributes:
        status: HTTP status; 0 where no whole reply came.
        body: the JSON object; empty where there is none.
        wait: seconds that the endpoint asks to wait; 0 where it does not say.
    """

    status: int
    body: Mapping[str, Any]
    wait: float = 0.0


def post(url: str, body: Mapping[str, Any], headers: Mapping[str, str], timeout: int) -> WireReply:
    """Send a JSON object, on a connection of its own, and never follow the reply elsewhere.

    Args:
        url: the address.
        body: the object.
        headers: beside the usual ones; they are logged nowhere.
        timeout: seconds until the whole reply has to be there.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    connection = (
        http.client.HTTPSConnection(
            host, port, timeout=timeout, context=ssl.create_default_context()
        )
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=timeout)
    )
    sent = json.dumps(body).encode()
    told = {"Content-Type": "application/json", "Connection": "close", **headers}
    try:
        connection.connect()
        with _ended_after(connection.sock, timeout) as ended:
            connection.request("POST", parts.path, sent, told)
            reply = connection.getresponse()
            content = reply.read(_LONGEST)
        wait = _seconds(reply.getheader("Retry-After"))
        if reply.length or ended.is_set():  # bytes that were promised and did not come
            return WireReply(0, {}, wait)
        return WireReply(reply.status, _object(content), wait)
    except (OSError, http.client.HTTPException, ValueError):  # of a chunk below 0, too
        return WireReply(0, {})
    finally:
        connection.close()


@contextmanager
def _ended_after(connection: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """End what is read of a connection after a time: one that drips would never time out."""
    ended = threading.Event()

    def end() -> None:
        ended.set()
        with suppress(OSError):  # it has ended by itself
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield ended
    finally:
        timer.cancel()


def _seconds(text: str | None) -> float:
    """Seconds that a header asks to wait, in either of its forms; 0 where it tells neither."""
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        date = parsedate_tz(text)
    try:
        return max(0.0, mktime_tz(date) - time.time()) if date else 0.0
    except (ValueError, OverflowError):
        return 0.0


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        read = parse_json(content)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
