"""HTTP/1.1 in front of the platform, on this machine only."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from labeling.toloka.server.model.clock import date
from labeling.toloka.server.model.errors import ApiError
from labeling.toloka.server.model.world import Settings
from labeling.toloka.server.routes.routing import Reply, Request, find
from labeling.toloka.server.web.faults import Fault, make_faults
from labeling.toloka.server.web.guard import HOST, body_length, error, read, refusal, unreadable
from labeling.toloka.server.web.platform import Platform
from labeling.toloka.server.web.state_file import RequestLog

_HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, for a watcher."""

    method: str
    template: str
    request: Request
    reply: Reply


class Server:
    """A platform that answers over HTTP from its own threads.

    Args:
        settings: the platform's settings.
        port: the port; 0 for any free port.
        speed: seconds of platform time per second of wall time; None for the event-driven clock.
        token: the only accepted OAuth token; None for any token.
        faults: deliberate failures.
        journal: state file of the platform.
        watch: called with every exchange that the platform has answered.

    Attributes:
        platform: the platform that answers.
        url: address for `TolokaClient(token, url=...)`.
    """

    def __init__(
        self,
        settings: Settings,
        port: int = 0,
        speed: float | None = None,
        token: str | None = None,
        faults: Sequence[Fault] = (),
        journal: RequestLog | None = None,
        watch: Callable[[Exchange], None] | None = None,
    ) -> None:
        self.platform = Platform(settings, speed is None, journal)
        self._journal = journal
        self._speed = speed
        self._token = token
        self._faults = list(faults)
        self._watch = watch
        self._begun = time.monotonic()
        self._start = self.platform.world.now
        self._over = threading.Event()
        self._http = _Listener(port, self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://{HOST}:{self._http.server_port}"

    def start(self) -> None:
        """Start to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop to answer and end all connections."""
        self._over.set()
        self._http.shutdown()
        self._http.hang_up()
        self._http.server_close()
        self._thread.join()
        if self._journal is not None:
            self._journal.close()

    def reset(self, settings: Settings) -> None:
        """Start again at the same address with other settings."""
        with self.platform.lock:
            self.platform.reset(settings)
            self._faults = []

    def fault(self, request: Request) -> Fault | None:
        """The failure of a request, or None."""
        if request.path.startswith("/sim/"):
            return None
        try:
            template = find(request.method, request.path)[0].template
        except ApiError:
            return None
        with self.platform.lock:
            hits = [fault for fault in self._faults if fault.hits(request.method, template)]
        return hits[0] if hits else None

    def refusal(self, headers: Message) -> Reply | None:
        """The refusal of a request by its headers; None for a request that is answered."""
        return refusal(headers, self._token, self.url.rpartition(":")[2])

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path == "/sim/faults":
            return self._set_faults(request)
        with self.platform.lock:
            try:
                if self._speed is not None:
                    passed = round(1000 * self._speed * (time.monotonic() - self._begun))
                    self.platform.advance(self._start + passed, request.method != "GET")
                reply = self.platform.answer(request)
            except Exception:  # a mistake of this program: it is printed, and the platform goes on
                traceback.print_exc()
                reply = _failure("500")
            if self._watch is not None:
                self._watch(_exchange(request, reply))
        return reply

    def wait(self, seconds: float) -> None:
        """Wait for some seconds, at most until the server is closed."""
        self._over.wait(seconds)

    def _set_faults(self, request: Request) -> Reply:
        if request.method == "PUT":
            try:
                faults = make_faults(request.body, "faults")
            except ValueError as wrong:
                return error(400, "VALIDATION_ERROR", str(wrong))
            with self.platform.lock:
                self._faults = faults
        with self.platform.lock:
            shown = [{"kind": f.kind, "path": f.path, "seen": f.seen} for f in self._faults]
        return Reply(200, {"faults": shown})


@contextmanager
def serve(settings: Settings, **options: Any) -> Iterator[Server]:
    """A server while the block runs; options are those of `Server`."""
    server = Server(settings, **options)
    server.start()
    try:
        yield server
    finally:
        server.close()


def _exchange(request: Request, reply: Reply) -> Exchange:
    try:
        template = find(request.method, request.path)[0].template
    except ApiError:
        template = request.path
    return Exchange(request.method, template, request, reply)


class _Listener(ThreadingHTTPServer):
    """The listening socket and its open connections."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, front: Server) -> None:
        self.front = front
        self.connections: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)

    def hang_up(self) -> None:
        """End the connections that clients keep open."""
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print an error, unless a client has closed its connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            traceback.print_exc()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The platform's time, not the machine's."""
        return date(self.server.front.platform.world.now)

    def log_message(self, format: str, *args: Any) -> None:
        return

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what was never a request, in the platform's form: it is the client's mistake."""
        self.request_version = self.protocol_version  # else the status would be left out
        self.close_connection = True  # the end of this request is unknown
        self._send(unreadable(code))

    def _answer(self) -> None:
        front = self.server.front
        length = body_length(self.headers)
        if length is None:
            self.close_connection = True  # the end of this request is unknown
            self._send(error(413, "BAD_REQUEST", "The length of the body is missing or too large"))
            return
        raw = self.rfile.read(length) if length else b""
        if len(raw) < length:
            self.close_connection = True  # its client has gone: what is left may mean another thing
            self._send(error(400, "BAD_REQUEST", "The body is shorter than its length"))
            return
        if refused := front.refusal(self.headers):
            self._send(refused)
            return
        try:
            request = read(self.command, self.path, raw, self.headers)
        except (ValueError, RecursionError):
            self._send(error(400, "BAD_REQUEST", "The address is invalid, or the body is not JSON"))
            return
        fault = front.fault(request)
        if fault is None:
            self._send(front.answer(request))
            return
        self._fail(fault, front.answer(request) if fault.takes_effect else None)

    def _send(self, reply: Reply, keep: float = 1.0) -> None:
        """Send an answer, or the given share of its body."""
        data = encode(reply)
        self.send_response(reply.status)
        if reply.body is not None:
            self.send_header("Content-Type", reply.content_type)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data[: int(len(data) * keep)])
        self.wfile.flush()

    def _fail(self, fault: Fault, reply: Reply | None) -> None:
        """Send a failed answer."""
        if fault.kind in ("drop-before", "drop-after", "timeout"):
            if fault.kind == "timeout":
                self.server.front.wait(fault.seconds)
            self._hang_up()
        elif fault.kind == "truncated":
            self._send(reply or Reply(200, {"items": []}), keep=0.5)
            self._hang_up()
        else:
            self._send(_failure(fault.kind, fault.retry_after))

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


_FAILURES = {
    "500": ("INTERNAL_ERROR", "Internal error"),
    "503": ("REMOTE_SERVICE_UNAVAILABLE", "Service is not available"),
    "504": ("REMOTE_SERVICE_TIMEOUT", "Gateway timeout"),
    "429": ("TOO_MANY_REQUESTS", "Too many requests"),
}


def _failure(kind: str, retry_after: int | None = None) -> Reply:
    if kind == "502":
        return Reply(502, _HTML, "text/html")
    failure = error(int(kind), *_FAILURES[kind])
    if kind == "429" and retry_after is not None:
        return replace(failure, headers=(("Retry-After", str(retry_after)),))
    return failure


def encode(reply: Reply) -> bytes:
    """The bytes of an answer's body."""
    if reply.body is None:
        return b""
    if isinstance(reply.body, bytes):
        return reply.body
    if isinstance(reply.body, str):
        return reply.body.encode()
    return json.dumps(reply.body, ensure_ascii=False).encode()
