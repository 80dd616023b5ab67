"""Requests that a page of another site can send to this machine are refused."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator

import pytest

from labeling.crowd.scenario import load_scenario
from labeling.toloka.api.clock import PlatformClock
from labeling.toloka.api.token import Token
from labeling.toloka.server import Server, Settings, serve
from labeling.toloka.server.routes.routing import ROUTES

from .campaign import everything, fill
from .wire import Wire

TOKEN = "right"
CONTROL = [
    *((r.method, r.template) for r in ROUTES if r.template.startswith("/sim/")),
    *(("POST", "/sim/reset"), ("GET", "/sim/faults"), ("PUT", "/sim/faults")),
]


@pytest.fixture
def kept() -> Iterator[Server]:
    """A server that accepts one token."""
    with serve(Settings(load_scenario("default")), token=TOKEN) as running:
        yield running


def _status(server: Server, method: str, path: str, **headers: str) -> int:
    netloc = server.url.removeprefix("http://")
    connection = http.client.HTTPConnection(netloc, timeout=10)
    told = {"Authorization": f"OAuth {TOKEN}", **headers}
    connection.request(method, path, b"{}", {name: value for name, value in told.items() if value})
    answer = connection.getresponse()
    assert b'"request_id"' in answer.read() or answer.status == 200
    connection.close()
    return answer.status


@pytest.mark.parametrize("token", ["", "OAuth wrong", "OAuth", "OAuth \u00e9"])
@pytest.mark.parametrize(("method", "path"), CONTROL)
def test_control_needs_the_token(method: str, path: str, token: str, kept: Server) -> None:
    assert _status(kept, method, path, Authorization=token) == 401


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example"),
        *("127.0.0.2", "0.0.0.0", "[::2]", "::1", "evil@localhost", "localhost:x", "localhost."),
    ],
)
def test_another_host_name_is_refused(host: str, kept: Server) -> None:
    assert _status(kept, "GET", "/api/v1/requester", Host=host) == 421
    assert _status(kept, "POST", "/sim/reset", Host=host) == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8091"])
def test_the_names_of_this_machine_are_answered(host: str, kept: Server) -> None:
    assert _status(kept, "GET", "/api/v1/requester", Host=host) == 200


@pytest.mark.parametrize("hosts", ["", "Host: localhost\r\nHost: evil.example\r\n"])
def test_a_request_names_exactly_one_host(hosts: str, kept: Server) -> None:
    head = f"GET /api/v1/requester HTTP/1.1\r\n{hosts}Authorization: OAuth {TOKEN}\r\n\r\n"
    assert _said(kept, head.encode()).startswith(b"HTTP/1.1 421 ")


def test_a_page_of_another_site_changes_nothing(kept: Server) -> None:
    wire = Wire(kept.url, TOKEN)
    fill(wire)
    before = everything(wire)
    port = kept.url.rpartition(":")[2]
    foreign = ("http://evil.example", "null", "http://localhost:1", f"https://localhost:{port}")
    for origin in (*foreign, f"http://localhost:{port}.evil.example"):
        for method, path in [*CONTROL, ("POST", "/api/v1/skills")]:
            assert _status(kept, method, path, Origin=origin) == 403
    assert everything(wire) == before
    assert _status(kept, "GET", "/api/v1/requester", Origin=f"http://localhost:{port}") == 200
    wire.close()


@pytest.mark.parametrize(
    "header",
    [
        "Content-Length: x",
        "Content-Length: -1",
        "Content-Length: 999999999999",
        "Content-Length: 0\r\nContent-Length: 0",
    ],
)
def test_a_body_of_unknown_length_is_refused(header: str, kept: Server) -> None:
    head = f"POST /sim/reset HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n"
    assert _said(kept, head.encode()).startswith(b"HTTP/1.1 413 ")


def test_a_body_in_chunks_is_refused(kept: Server) -> None:
    head = "POST /sim/reset HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    assert _said(kept, head.encode()).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"a": ' * 100_000])
def test_a_body_that_is_no_json_is_refused(body: bytes, kept: Server) -> None:
    head = f"POST /api/v1/skills HTTP/1.1\r\nHost: localhost\r\nAuthorization: OAuth {TOKEN}\r\n"
    said = _said(kept, head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert said.startswith(b"HTTP/1.1 400 ")


REQUESTER = "GET /api/v1/requester HTTP/1.1"
SKILL = '{"name": "s"}'
# Bytes that are no request, or one that nobody should answer, and the status that they get.
NO_REQUESTS = {
    "HEAD /api/v1/requester HTTP/1.1": 405,
    "OPTIONS * HTTP/1.1": 405,
    "TRACE /api/v1/requester HTTP/1.1": 405,
    "CONNECT evil.example:443 HTTP/1.1": 405,
    "get /api/v1/requester HTTP/1.1": 405,
    "GET /api/v1/requester HTTP/2.0": 400,
    "GET /api/v1/requester HTTP/9.9": 400,
    "GET /api/v1/requester HTTP/-1": 400,
    "GET /api/v1/requester HTTP/1.\u0661": 400,
    "GET /api/v1/requester ICY/1.0": 400,
    "GET /api/v1/pools/a b HTTP/1.1": 400,
    "GET /api/v1/pools/%00 HTTP/1.1": 404,
    "POST /api/v1/pools/%ED%A0%80/open HTTP/1.1": 404,
    "GET /api/v1/attachments/..%2f..%2fetc%2fpasswd/download HTTP/1.1": 404,
    f"GET /api/v1/pools/{'9' * 5000} HTTP/1.1": 404,
    "GET /api/v1/pools/\u0663 HTTP/1.1": 404,
    "GET /api/v1/skills?limit=-1 HTTP/1.1": 400,
    "GET /api/v1/skills?limit=%D9%A3 HTTP/1.1": 400,
    "GET /api/v1/skills?limit=5&limit=x HTTP/1.1": 400,
    "GET /api/v1/skills?created_gte=%EF%BC%92022-01-01 HTTP/1.1": 400,
    f"GET /{'a' * 70_000} HTTP/1.1": 414,
    REQUESTER + "\r\nA: b" * 200: 431,
    f"{REQUESTER}\r\nA: {'b' * 70_000}": 431,
    "\x16\x03\x01\x02": 400,
}
# Bodies by what is told of them; each would be a skill if it were read as far as it makes sense.
BODIES = {
    f"Content-Length: 13\r\nContent-Length: 0\r\n\r\n{SKILL}": 413,
    f"Content-Length: 0\r\nContent-Length: 13\r\n\r\n{SKILL}": 413,
    f"Content-Length: +13\r\n\r\n{SKILL}": 413,
    f"Content-Length: 1_3\r\n\r\n{SKILL}": 413,
    f"Content-Length: \u0661\u0663\r\n\r\n{SKILL}": 413,
    f"Content-Length: 13\r\nTransfer-Encoding: identity\r\n\r\n{SKILL}": 413,
    f"Content-Length: 100\r\n\r\n{SKILL}": 400,  # its client has gone in the middle
    f"Content-Length: 13\r\nContent-Encoding: gzip\r\n\r\n{'?' * 13}": 400,
    **{
        f"Content-Length: {len(text)}\r\n\r\n{text}": 400
        for text in (
            '{"name": "s", "a": {"b": NaN}}',
            '{"name": "s", "a": [1e999]}',
            '{"name": "s", "a": -Infinity}',
            '{"name": "s", "name": {"a": 1}}',
            '{"name": "s", "\\ud800": true}',
            SKILL + " {}",
            SKILL + "//",
        )
    },
}


@pytest.mark.parametrize("first", NO_REQUESTS, ids=range(len(NO_REQUESTS)))
def test_what_is_no_request_is_the_client_s_mistake(
    first: str, kept: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    head = f"{first}\r\nHost: localhost\r\nAuthorization: OAuth {TOKEN}\r\n"
    said = _said(kept, f"{head}Connection: close\r\n\r\n".encode(), whole=True)
    assert said.startswith(f"HTTP/1.1 {NO_REQUESTS[first]} ".encode())
    assert first.startswith("HEAD") == said.endswith(b"\r\n\r\n")
    assert first.startswith("HEAD") or b'{"request_id": ' in said
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_body_that_can_be_read_in_two_ways_is_not_read(
    body: str, kept: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    head = f"POST /api/v1/skills HTTP/1.1\r\nHost: localhost\r\nAuthorization: OAuth {TOKEN}\r\n"
    said = _said(kept, f"{head}{body}".encode(), whole=True)
    assert said.startswith(f"HTTP/1.1 {BODIES[body]} ".encode())
    wire = Wire(kept.url, TOKEN)
    assert wire.get("/v1/skills")["items"] == []
    wire.close()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/0.9"])
def test_an_older_client_is_answered(version: str, kept: Server) -> None:
    word = "" if version == "HTTP/0.9" else f" {version}"
    head = f"GET /api/v1/requester{word}\r\nHost: localhost\r\nAuthorization: OAuth {TOKEN}\r\n"
    assert b'"balance": 1000.0' in _said(kept, f"{head}\r\n".encode(), whole=True)


def test_an_address_that_is_none_is_refused(kept: Server) -> None:
    head = f"GET http://[x/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: OAuth {TOKEN}\r\n\r\n"
    assert _said(kept, head.encode()).startswith(b"HTTP/1.1 400 ")


def test_the_clock_of_a_client_sends_its_token(kept: Server) -> None:
    assert PlatformClock(kept.url, Token(TOKEN)).now().year == 2022
    with pytest.raises(ValueError, match="token is refused"):
        PlatformClock(kept.url, Token("wrong")).now()


def test_without_a_token_of_its_own_the_server_still_wants_some_token(
    platform: Callable[..., Wire],
) -> None:
    wire = platform()
    assert wire.get("/sim/clock")["ms"] == 0


def _said(server: Server, request: bytes, whole: bool = False) -> bytes:
    """The first bytes of an answer to raw bytes; or all, to a client that says nothing more."""
    name, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((name, int(port)), timeout=10) as connection:
        connection.sendall(request)
        if not whole:
            return connection.recv(1000)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))
