"""The guard: requests that this server refuses before it looks at their meaning."""

from __future__ import annotations

import hmac
import json
import re
from email.message import Message
from urllib.parse import parse_qsl, urlsplit

from labeling.toloka.server.routes.routing import Reply, Request

HOST = "127.0.0.1"
_MOST_BYTES = 64 * 1024 * 1024
# A web page of another site reaches this machine by a name of its own, or sends its own origin.
_NAMES = r"(127\.0\.0\.1|localhost|\[::1\])"
_LENGTH = re.compile(r"[0-9]{1,12}")
_HOST = re.compile(rf"{_NAMES}(:\d+)?", re.IGNORECASE)


def refusal(headers: Message, token: str | None, port: str) -> Reply | None:
    """The refusal of a request by its headers; None for a request that is answered.

    Args:
        headers: the request's headers.
        token: the only accepted token; None for any token.
        port: the server's port.
    """
    hosts = headers.get_all("Host", [])
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        return error(421, "MISDIRECTED_REQUEST", "This server answers to 127.0.0.1 and localhost")
    origins = headers.get_all("Origin", [])
    if not all(re.fullmatch(rf"http://{_NAMES}:{port}", o, re.IGNORECASE) for o in origins):
        return error(403, "ACCESS_DENIED", "This server answers no page of another site")
    given = (headers.get("Authorization") or "").partition(" ")[2]
    if not given or (token is not None and not _same(given, token)):
        return error(401, "AUTHENTICATION_ERROR", "No token, or one that is not known here")
    return None


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), token.encode(errors="replace"))


def body_length(headers: Message) -> int | None:
    """Length of a request's body in bytes; None if it is unknown, too large or told twice."""
    told = headers.get_all("Content-Length", ["0"])
    if "Transfer-Encoding" in headers or len(told) != 1 or not _LENGTH.fullmatch(told[0]):
        return None
    return int(told[0]) if int(told[0]) <= _MOST_BYTES else None


def read(method: str, address: str, raw: bytes, headers: Message) -> Request:
    """A request from its bytes.

    Raises:
        ValueError: the address is invalid, or the body is not JSON.
        RecursionError: the body is nested too deeply.
    """
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    body = json.loads(raw) if raw else None
    client = headers.get("X-Client-Id", "")
    waited = {"0": False, "1": True}.get(headers.get("X-Waited", ""))
    return Request(method, parts.path.removeprefix("/api"), query, body, None, client, waited)


def error(status: int, code: str, message: str) -> Reply:
    """An error in the platform's form, for a request that the platform does not see."""
    return Reply(status, {"request_id": "0" * 32, "code": code, "message": message})


def unreadable(status: int) -> Reply:
    """The refusal of bytes that are no request, or one of a method that no platform has.

    Args:
        status: what Python's server makes of it: 501 of a method and 505 of a version, too, which
            would be mistakes of the server.
    """
    if status == 501:
        return error(405, "METHOD_NOT_ALLOWED", "This server has no such method")
    return error(status if status < 500 else 400, "BAD_REQUEST", "This is no request of HTTP/1.1")
