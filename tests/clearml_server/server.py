"""The two HTTP servers: the API, and files by path."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlparse

from tests.clearml_server.api import VERSION, Api
from tests.clearml_server.documents import Document, Refused, new_id
from tests.clearml_server.faults import CUT, DROPPED, OK, Faults

ACCESS_KEY, SECRET_KEY = "stand-in-access", "stand-in-secret"


class StandIn:
    """Both servers on this machine, on free ports.

    Attributes:
        api: what the API server knows.
        files: content by path.
        faults: what goes wrong now.
        requests: number of requests by endpoint, "files" for the file server.
        log: the endpoints asked for, in order.
    """

    real = False

    def __init__(self) -> None:
        self.faults = Faults()
        self.reset()
        self._servers = [_Server(_ApiHandler, self), _Server(_FilesHandler, self)]
        self.host, self.files_host = (server.address for server in self._servers)

    def proxy(self) -> str:
        """A further address of the file server: behind a proxy, on another port, under /files."""
        self._servers.append(_Server(_FilesHandler, self, "/files"))
        return self._servers[-1].address

    def reset(self) -> None:
        """Forget everything."""
        self.api = Api()
        self.files: dict[str, bytes] = {}
        self.requests: Counter[str] = Counter()
        self.log: list[tuple[str, Any]] = []
        self.faults.clear()

    def settings(self) -> dict[str, str]:
        """The environment variables that make the SDK use this server."""
        return {
            "CLEARML_API_HOST": self.host,
            "CLEARML_WEB_HOST": self.host,
            "CLEARML_FILES_HOST": self.files_host,
            "CLEARML_API_ACCESS_KEY": ACCESS_KEY,
            "CLEARML_API_SECRET_KEY": SECRET_KEY,
        }

    def count(self, endpoint: str, body: Any) -> None:
        """Note a request."""
        self.requests[endpoint] += 1
        self.log.append((endpoint, body))

    def stop(self) -> None:
        """Close both servers."""
        for server in self._servers:
            server.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler: type[_Handler], owner: StandIn, prefix: str = "") -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.owner = owner
        self.prefix = prefix
        self.address = f"http://127.0.0.1:{self.server_address[1]}{prefix}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to report."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and content leave together: else each answer waits 40 ms for an ACK
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""

    def body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def reply(self, code: int, content: bytes, kind: str = "application/json") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def hang_up(self) -> None:
        self.close_connection = True


class _ApiHandler(_Handler):
    def _answer(self) -> None:
        owner, raw = self.server.owner, self.body()
        endpoint = urlparse(self.path).path.rpartition("/")[2]
        body = self._parse(raw)
        owner.count(endpoint, body)
        fault = owner.faults.next(endpoint)
        if fault == DROPPED:
            self.hang_up()
            return
        if isinstance(fault, int):
            self._envelope(endpoint, fault, 0, f"injected {fault}", {})
            return
        if not self._allowed():
            self._envelope(endpoint, 401, 20, "Unauthorized (invalid credentials)", {})
            return
        try:
            data, code, subcode, message = owner.api.call(endpoint, body), 200, 0, "OK"
        except Refused as refused:
            data, code, subcode, message = {}, refused.code, refused.subcode, refused.message
        if fault == CUT:
            self.hang_up()
            return
        assert fault == OK
        self._envelope(endpoint, code, subcode, message, data)

    def _parse(self, raw: bytes) -> Any:
        if "json-lines" in self.headers.get("Content-Type", ""):
            return [json.loads(line) for line in raw.splitlines() if line.strip()]
        return json.loads(raw) if raw.strip() else {}

    def _allowed(self) -> bool:
        """Basic with the right keys, or a token of ours."""
        import base64

        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            return base64.b64decode(given).decode() == f"{ACCESS_KEY}:{SECRET_KEY}"
        return kind == "Bearer" and given.count(".") == 2

    def _envelope(
        self, endpoint: str, code: int, subcode: int, message: str, data: Document
    ) -> None:
        meta = {
            "id": new_id(),
            "trx": new_id(),
            "endpoint": {
                "name": endpoint,
                "requested_version": VERSION,
                "actual_version": VERSION,
            },
            "result_code": code,
            "result_subcode": subcode,
            "result_msg": message,
            "error_stack": "",
            "error_data": {},
        }
        self.reply(code, json.dumps({"meta": meta, "data": data}).encode())

    do_GET = do_POST = do_PUT = _answer  # noqa: N815


class _FilesHandler(_Handler):
    def _faulty(self) -> bool:
        """Whether the request ends here: by a fault, or without a token, as by default."""
        owner = self.server.owner
        owner.count("files", f"{self.command} {self.path}")
        fault = owner.faults.next("files")
        if fault == OK and not self.headers.get("Authorization", "").startswith("Bearer "):
            fault = 401
        if isinstance(fault, int):
            self.reply(fault, b"{}")
        elif fault != OK:
            self.hang_up()
        return fault != OK

    def do_POST(self) -> None:
        """Files of a form, each under its field's name."""
        raw = self.body()
        if self._faulty():
            return
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        for part in BytesParser().parsebytes(head + raw).walk():
            name = part.get_param("name", header="content-disposition")
            if name:
                content = part.get_payload(decode=True)
                assert isinstance(content, bytes)
                self.server.owner.files[unquote(str(name)).strip("/")] = content
        self.reply(200, b"{}")

    def do_PUT(self) -> None:
        raw = self.body()
        if not self._faulty():
            self.server.owner.files[self._path()] = raw
            self.reply(200, b"{}")

    def do_GET(self) -> None:
        if self._faulty():
            return
        content = self.server.owner.files.get(self._path())
        if content is None:
            self.reply(404, b"not found", "text/plain")
        else:
            self.reply(200, content, "application/octet-stream")

    def do_DELETE(self) -> None:
        if not self._faulty():
            gone = self.server.owner.files.pop(self._path(), None)
            self.reply(404 if gone is None else 200, b"{}")

    def _path(self) -> str:
        return unquote(urlparse(self.path).path).removeprefix(self.server.prefix).strip("/")

    do_HEAD = do_GET  # noqa: N815
