"""HTTP/1.1 in front of the platform, on this machine only."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from labeling.toloka.server.clock import START
from labeling.toloka.server.platform import Platform
from labeling.toloka.server.routing import Reply, Request
from labeling.toloka.server.world import Settings

HOST = "127.0.0.1"


class Server:
    """A platform that answers over HTTP from a thread of its own.

    Args:
        settings: what the platform is started with.
        port: 0 for any free one.
        speed: seconds of platform time per second of wall time; None for the event-driven clock.
        token: the only OAuth token it takes; None for any.

    Attributes:
        platform: what answers.
        url: to give to `TolokaClient(token, url=...)`.
    """

    def __init__(
        self,
        settings: Settings,
        port: int = 0,
        speed: float | None = None,
        token: str | None = None,
    ) -> None:
        self.platform = Platform(settings, event_driven=speed is None)
        self._speed = speed
        self._token = token
        self._begun = time.monotonic()
        self._http = ThreadingHTTPServer((HOST, port), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://{HOST}:{self._http.server_port}"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, request: Request, token: str | None) -> Reply:
        """Answer one request."""
        if not request.path.startswith("/sim/"):
            refused = self._check_token(token)
            if refused is not None:
                return refused
        with self.platform.lock:
            if self._speed is not None:
                passed = time.monotonic() - self._begun
                self.platform.advance(round(1000 * self._speed * passed))
            return self.platform.answer(request)

    def _check_token(self, token: str | None) -> Reply | None:
        if token and self._token in (None, token):
            return None
        body = {
            "request_id": "0" * 32,
            "code": "AUTHENTICATION_ERROR",
            "message": "No or wrong token",
        }
        return Reply(401, body)


@contextmanager
def serve(
    settings: Settings, port: int = 0, speed: float | None = None, token: str | None = None
) -> Iterator[Server]:
    """A server while the block runs."""
    server = Server(settings, port, speed, token)
    server.start()
    try:
        yield server
    finally:
        server.close()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            self._answer()

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(START.timestamp() + server.platform.world.now / 1000, usegmt=True)

        def log_message(self, format: str, *args: Any) -> None:
            return

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length) if length else b""
            parts = urlsplit(self.path)
            path = parts.path.removeprefix("/api")
            try:
                body = json.loads(raw) if raw else None
            except ValueError:
                reply = Reply(400, {"code": "BAD_REQUEST", "message": "The body is not JSON"})
            else:
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                token = (self.headers.get("Authorization") or "").partition(" ")[2]
                reply = server.answer(Request(self.command, path, query, body), token)
            self._send(reply)

        def _send(self, reply: Reply) -> None:
            data = encode(reply)
            self.send_response(reply.status)
            if reply.body is not None:
                self.send_header("Content-Type", reply.content_type)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

    return Handler


def encode(reply: Reply) -> bytes:
    """The bytes of an answer's body."""
    if reply.body is None:
        return b""
    if isinstance(reply.body, bytes):
        return reply.body
    if isinstance(reply.body, str):
        return reply.body.encode()
    return json.dumps(reply.body, ensure_ascii=False).encode()
