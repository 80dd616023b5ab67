"""A proxy on loopback that loses requests and replies, by chance, before and after the server acts.

Only requests with a token are lost: they are the program's. Log-ins of scripted people pass.
"""

from __future__ import annotations

import http.client
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


def serve(server_url: str, port_file: Path, losses: Path, share: float) -> None:
    """Serve until the process is killed.

    Args:
        server_url: the server behind.
        port_file: where the port is written.
        losses: a line is added for each loss.
        share: chance that a request or its reply is lost.
    """
    behind = urlsplit(server_url)
    dice, lock = random.Random(0), threading.Lock()

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *words: object) -> None:
            pass

        def answer(self) -> None:
            with lock:
                first, second = dice.random(), dice.random()
            may_lose = "authorization" in {name.lower() for name in self.headers}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if may_lose and first < share / 2:
                self.lose("request")
                return
            connection = http.client.HTTPConnection(behind.hostname or "", behind.port, timeout=60)
            try:
                headers = {n: v for n, v in self.headers.items() if n.lower() not in _HOP}
                headers["Host"] = self.headers["Host"]
                connection.request(self.command, self.path, body or None, headers)
                reply = connection.getresponse()
                content = reply.read()
            except OSError:
                self.lose("server")
                return
            finally:
                connection.close()
            if may_lose and second < share / 2:
                self.lose("reply")
                return
            self.send_response(reply.status)
            for name, value in reply.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def lose(self, what: str) -> None:
            """Close the connection without a reply."""
            with lock, losses.open("a") as file:
                file.write(f"{what} {self.command} {self.path.partition('?')[0]}\n")
            self.close_connection = True

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as listening:
        port_file.write_text(str(listening.server_address[1]))
        listening.serve_forever()
