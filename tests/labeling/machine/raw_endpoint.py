"""An endpoint on loopback that answers every request with given bytes, whole or dripping."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def answer(body: bytes, status: str = "200 OK") -> bytes:
    """An HTTP answer.

    Args:
        body: its body.
        status: its status, with further headers behind it.
    """
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def raw_endpoint(content: bytes, drip: bytes = b"") -> Iterator[str]:
    """Serve; yields the address.

    Args:
        content: sent at once.
        drip: sent behind it, every tenth of a second, until the other side leaves.
    """
    over = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, IndexError, ValueError):
                asked = self.request.recv(65536)
                while b"\r\n\r\n" not in asked:
                    asked += self.request.recv(65536)
                head, _, body = asked.partition(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                while len(body) < length:
                    body += self.request.recv(65536)
                self.request.sendall(content)
                while drip and not over.wait(0.1):
                    self.request.sendall(drip)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            over.set()
            server.shutdown()
