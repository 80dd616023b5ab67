"""Faults on purpose: what the client sees, and what the platform has done all the same."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from budget.errors import InputError
from labeling.crowd.scenario import load_scenario
from labeling.toloka.server import Fault, Server, Settings, make_faults, read_faults, serve

from .wire import Wire, project

PATH = "/api/v1/projects"
HEADERS = {"Authorization": "OAuth x"}


@pytest.fixture
def plain(server: Server) -> Iterator[http.client.HTTPConnection]:
    """A connection that gives up after a second."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=1)
    yield connection
    connection.close()


def _post(connection: http.client.HTTPConnection) -> tuple[int, bytes, dict[str, str]]:
    connection.request("POST", PATH, json.dumps(project()), HEADERS)
    answer = connection.getresponse()
    return answer.status, answer.read(), dict(answer.getheaders())


def _made(wire: Wire) -> int:
    made: int = wire.get("/sim/counts")["created"]["projects"]
    return made


def _set(wire: Wire, **fault: Any) -> None:
    wire.put("/sim/faults", [{"path": "/v1/projects", **fault}])


@pytest.mark.parametrize(
    ("kind", "status", "made"),
    [("500", 500, 1), ("502", 502, 1), ("503", 503, 0), ("504", 504, 1), ("429", 429, 0)],
)
def test_an_answer_that_goes_wrong(
    kind: str, status: int, made: int, plain: http.client.HTTPConnection, wire: Wire
) -> None:
    _set(wire, kind=kind)
    assert _post(plain)[0] == status
    assert _made(wire) == made
    assert _post(plain)[0] == 201  # only the first call goes wrong
    assert _made(wire) == made + 1


@pytest.mark.parametrize(("kind", "made"), [("drop-before", 0), ("drop-after", 1)])
def test_a_connection_that_is_lost(
    kind: str, made: int, plain: http.client.HTTPConnection, wire: Wire
) -> None:
    _set(wire, kind=kind)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        _post(plain)
    assert _made(wire) == made


def test_an_answer_that_never_comes(plain: http.client.HTTPConnection, wire: Wire) -> None:
    _set(wire, kind="timeout", seconds=30)
    with pytest.raises(TimeoutError):
        _post(plain)
    assert _made(wire) == 1


def test_half_an_answer(plain: http.client.HTTPConnection, wire: Wire) -> None:
    _set(wire, kind="truncated")
    with pytest.raises(http.client.IncompleteRead) as half:
        _post(plain)
    with pytest.raises(json.JSONDecodeError):
        json.loads(half.value.partial)
    assert _made(wire) == 1


def test_how_long_to_wait_is_told_only_where_asked(
    plain: http.client.HTTPConnection, wire: Wire
) -> None:
    _set(wire, kind="429", retry_after=7)
    assert _post(plain)[2]["Retry-After"] == "7"
    _set(wire, kind="429")
    assert "Retry-After" not in _post(plain)[2]


def test_a_page_of_html_from_a_gateway(plain: http.client.HTTPConnection, wire: Wire) -> None:
    _set(wire, kind="502", effect=False)
    _, body, headers = _post(plain)
    assert (headers["Content-Type"], body[:6]) == ("text/html", b"<html>")
    assert _made(wire) == 0


def test_faults_hit_the_calls_they_name(wire: Wire, plain: http.client.HTTPConnection) -> None:
    _set(wire, kind="503", call=2, times=2)
    assert [_post(plain)[0] for _ in range(4)] == [201, 503, 503, 201]
    wire.put("/sim/faults", [{"path": "/v1/pools", "kind": "503"}])
    assert _post(plain)[0] == 201
    assert wire.get("/sim/faults")["faults"] == [{"kind": "503", "path": "/v1/pools", "seen": 0}]


def test_faults_come_from_a_file(tmp_path: Path) -> None:
    toml = tmp_path / "faults.toml"
    toml.write_text('[[faults]]\nkind = "drop-after"\npath = "/v1/projects"\ncall = 1\n')
    (tmp_path / "faults.json").write_text(json.dumps([{"kind": 429, "method": "*"}]))
    assert read_faults(toml) == [Fault("drop-after", "/v1/projects")]
    assert read_faults(tmp_path / "faults.json") == [Fault("429", method="*")]
    with serve(Settings(load_scenario("default")), faults=read_faults(toml)) as server:
        wire = Wire(server.url)
        with pytest.raises(http.client.RemoteDisconnected):
            wire.post("/v1/projects", project())
        wire.close()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"faults": "x"}, "give a list"),
        ([{"path": "/v1/pools"}], "a fault needs a kind"),
        ([{"kind": "flood"}], "kind 'flood' is none of"),
        ([{"kind": "500", "when": 1}], "when: no such setting"),
        ([{"kind": "500", "call": 0}], "at least 1"),
    ],
)
def test_faults_that_cannot_be_are_named(document: Any, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        make_faults(document, "faults")


def test_a_file_of_faults_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_faults(tmp_path / "none.toml")
