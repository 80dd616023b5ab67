"""An endpoint of chat completions on loopback: it answers, and bills, as told; also badly.

It bills a repeated call with a known Idempotency-Key once, as it bills each key's first reply.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

READ, WRITTEN = 300, 1
FAULTS = ("drop", "truncate", "slow", "refuse", "lost after billing", "overcount", "no usage")


@dataclass
class Bill:
    """What the stand-in has billed.

    Attributes:
        images: images billed, by the hash of their picture.
        tokens: tokens billed, by idempotency key: read and written.
        replies: reply to each key.
        faults: faults played.
        keys: headers that carried a key.
    """

    images: Counter[str] = field(default_factory=Counter)
    tokens: dict[str, tuple[int, int]] = field(default_factory=dict)
    replies: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)

    def micros(self, read: int, written: int) -> int:
        """All tokens at prices in micro-dollars."""
        return sum(read * r + written * w for r, w in self.tokens.values())


class StandIn(ThreadingHTTPServer):
    """The server, with its bill and its faults."""

    daemon_threads = True

    def __init__(self, share: float, seed: int, faults: Sequence[str], port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.bill, self.lock = Bill(), threading.Lock()
        self._share, self._faults, self._rng = share, faults, random.Random(seed)

    def fault(self) -> str:
        """The next request's fault; "" for none."""
        meets = self._rng.random() < self._share
        fault = self._rng.choice(self._faults) if meets else ""
        self.bill.faults[fault] += 1
        return fault

    def served(self, key: str, body: dict[str, Any], fault: str) -> dict[str, Any]:
        """The reply to a key, billed when it is new."""
        bill = self.bill
        reply = bill.replies.setdefault(key, _reply(body, fault))
        usage = reply.get("usage", {"prompt_tokens": READ, "completion_tokens": WRITTEN})
        if key not in bill.tokens:
            bill.tokens[key] = (usage["prompt_tokens"], usage["completion_tokens"])
            bill.images[_picture(body)] += 1
        return reply


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.bill.keys.add(self.headers.get("Authorization", ""))
            fault = self.server.fault()
            if fault not in ("slow", "drop"):
                reply = self.server.served(self.headers["Idempotency-Key"], body, fault)
        if fault == "slow":
            self._send(429, {"error": "slow down"}, "0")
        elif fault in ("drop", "lost after billing"):
            self.connection.close()
        else:
            self._send(200, reply, cut=fault == "truncate")

    def _send(self, status: int, reply: dict[str, Any], wait: str = "", cut: bool = False) -> None:
        content = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if wait:
            self.send_header("Retry-After", wait)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)

    def handle(self) -> None:
        with suppress(OSError, ValueError):
            super().handle()

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def endpoint(
    share: float = 0.0, seed: int = 0, faults: Sequence[str] = FAULTS, port: int = 0
) -> Iterator[tuple[str, Bill]]:
    """Serve; yields its address and its bill.

    Args:
        share: of requests that are met with a fault.
        seed: draws the faults.
        faults: those that are played.
        port: to listen on; 0 for a free one.
    """
    server = StandIn(share, seed, faults, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", server.bill
    finally:
        server.shutdown()
        server.server_close()


def _picture(body: dict[str, Any]) -> str:
    url = body["messages"][0]["content"][1]["image_url"]["url"]
    return hashlib.sha256(url.encode()).hexdigest()


def _reply(body: dict[str, Any], fault: str) -> dict[str, Any]:
    """A letter by the picture; most sure of itself."""
    letter = "ABC"[int(_picture(body), 16) % 3]
    others = [{"token": each, "logprob": -3.0} for each in "ABC" if each != letter]
    told = {"content": [{"top_logprobs": [{"token": letter, "logprob": -0.1}, *others]}]}
    text = "I cannot help with that." if fault == "refuse" else letter
    choice = {"message": {"role": "assistant", "content": text}, "logprobs": told}
    usage = {"prompt_tokens": READ, "completion_tokens": WRITTEN}
    if fault == "overcount":
        usage = {"prompt_tokens": 40 * READ, "completion_tokens": 500}
    reply = {"choices": [choice] * body.get("n", 1), "usage": usage}
    if fault == "no usage":
        del reply["usage"]
    return reply


def settings_file(folder: Path, url: str, **more: object) -> Path:
    """A file that describes the stand-in: prompt and image have at most 400 tokens and a text."""
    given = {"url": url, "model": "stand-in", "image_tokens": 400, "timeout": 5, "wait": 1, **more}
    lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
    lines += ["[prices.stand-in]", "input = 1.0", "output = 4.0"]
    path = folder / "endpoint.toml"
    path.write_text("\n".join(lines) + "\n")
    return path
