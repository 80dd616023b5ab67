"""One request to an endpoint: sent once, and the reply as it came."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

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
    """Send a JSON object, on a connection of its own.

    Args:
        url: the address.
        body: the object.
        headers: beside the usual ones; they are logged nowhere.
        timeout: seconds to wait.
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
        connection.request("POST", parts.path, sent, told)
        reply = connection.getresponse()
        content = reply.read(_LONGEST)
        wait = _seconds(reply.getheader("Retry-After"))
        if reply.length:  # bytes that were promised and did not come
            return WireReply(0, {}, wait)
        return WireReply(reply.status, _object(content), wait)
    except (OSError, http.client.HTTPException):
        return WireReply(0, {})
    finally:
        connection.close()


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        read = json.loads(content)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
