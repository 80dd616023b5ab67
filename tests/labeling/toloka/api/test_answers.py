"""Errors of the platform: one clear line whatever their body holds, and waits as it asks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.errors import InputError, MarketError, MarketRefused, MarketUnreachable
from labeling.toloka.api.answers import MOST_WAIT_S, one_line, wait_asked
from labeling.toloka.api.client import Api, kit_client
from labeling.toloka.api.token import Token
from tests.drawn import examples
from tests.labeling.toloka.ground import CANARY, NOW, Sleeper

GOOD = (200, {}, b'{"id": "7", "balance": 5.0, "items": [], "has_more": false}')
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Script:
    """A server that gives prepared answers in turn, and a good one ever after."""

    kit: Any = None
    answers: list[Answer] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def client(self) -> tuple[Api, Sleeper]:
        clock = Sleeper()
        return Api(self.kit, "Toloka TEST", clock), clock


@pytest.fixture(scope="module")
def running() -> Iterator[Script]:
    """One server for all tests."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer is one packet: two would wait for each other

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append(self.command)
            status, headers, body = script.answers.pop(0) if script.answers else GOOD
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.kit = kit_client(Token(CANARY), f"http://127.0.0.1:{server.server_address[1]}", 10.0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield script
    script.kit._session.close()
    server.shutdown()
    server.server_close()


@pytest.fixture
def script(running: Script) -> Script:
    """The server without prepared answers."""
    running.answers.clear()
    running.asked.clear()
    return running


def ask(client: Any) -> Any:
    return client.get_requester()


BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", ""),
    "null": (b"null", ""),
    "a number": (b"17", ": 17"),
    "a truth value": (b"true", ": true"),
    "text": (b'"over\\nloaded"', ": over loaded"),
    "an empty list": (b"[]", ": []"),
    "a list": (b'["busy", {"a": 1}]', ': ["busy", {"a": 1}]'),
    "an object without code": (b'{"message": "busy"}', ": busy"),
    "an empty object": (b"{}", ": {}"),
    "a code that is null": (b'{"code": null, "message": "busy"}', ": busy"),
    "a code that is a list": (b'{"code": ["X"], "message": "busy"}', ": busy"),
    "a message that is an object": (b'{"code": "X", "message": {"a": 1}}', '{"a": 1}'),
    "a payload that is a list": (b'{"code": "X", "message": "busy", "payload": [1]}', ": busy"),
    "a page": (b"<html>\n<h1>502</h1>\n</html>", ""),
    "no text": (b"\xff\xfe\x00\x80", ""),
    "half an object": (b'{"code": "INTERNAL', ""),
    "very deep": (b"[" * 100_000, ""),
    "very long": (json.dumps("x" * 10_000).encode(), "xxx..."),
    "the token": (json.dumps([f"OAuth {CANARY}"]).encode(), "OAuth ***"),
    "the token in a message": (
        json.dumps({"code": "X", "message": f"OAuth {CANARY}"}).encode(),
        "OAuth ***",
    ),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_failure_of_any_body_is_repeated_and_then_one_line(
    name: str, status: int, script: Script
) -> None:
    body, words = BODIES[name]
    api, clock = script.client()
    script.answers = [(status, {}, body)] * 2
    assert api.read(ask).id == "7"
    assert clock.slept == [1, 2]
    script.answers = [(status, {}, body)] * 99
    with pytest.raises(MarketUnreachable) as caught:
        api.read(ask)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 600
    assert words in text
    assert f"HTTP {status}" in text or ": X" in text
    assert "start the same command again" in text
    assert CANARY not in text
    assert "Error" not in text, "no name of an exception"


@pytest.mark.parametrize("name", BODIES)
def test_a_refusal_of_any_body_is_one_line_at_once(name: str, script: Script) -> None:
    body, words = BODIES[name]
    api, clock = script.client()
    script.answers = [(409, {}, body)]
    with pytest.raises(MarketRefused) as caught:
        api.write("opening a pool", lambda client: client.open_pool_async("1"), lambda client: None)
    text = str(caught.value)
    assert caught.value.status == 409
    assert "opening a pool failed: " in text
    assert words in text
    assert "\n" not in text
    assert CANARY not in text
    assert (clock.slept, script.asked) == ([], ["POST"])


@pytest.mark.parametrize("name", BODIES)
def test_a_refused_token_is_told_at_once_whatever_the_body(name: str, script: Script) -> None:
    api, clock = script.client()
    script.answers = [(401, {}, BODIES[name][0])]
    with pytest.raises(InputError, match="the token is refused"):
        api.read(ask)
    assert clock.slept == []


def test_a_lost_answer_to_a_purchase_of_any_body_is_looked_for_first(script: Script) -> None:
    for body, _ in BODIES.values():
        api, _clock = script.client()
        script.asked.clear()
        script.answers = [(500, {}, body)]
        looked = api.write(
            "opening a pool",
            lambda client: client.open_pool_async("1"),
            lambda client: client.get_requester().id,
        )
        assert looked == "7"
        assert script.asked == ["POST", "GET"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("code"), inner),
)


@settings(deadline=None, max_examples=examples(60), derandomize=True)
@given(body=JSON, status=st.sampled_from([400, 404, 409, 418, 429, 500, 503, 599]))
def test_no_body_is_a_traceback(body: Any, status: int, running: Script) -> None:
    api, _ = running.client()
    running.answers = [(status, {}, json.dumps(body).encode())] * 99
    with pytest.raises(MarketError) as caught:
        api.read(ask)
    assert len(str(caught.value).splitlines()) == 1


def test_text_of_the_platform_is_one_short_line() -> None:
    assert one_line(None) == ""
    assert one_line(" a\r\n\tb ") == "a b"
    assert one_line({"a": ["ü", 1]}) == '{"a": ["ü", 1]}'
    assert len(one_line("x" * 1000)) < 310


# --- waiting ---


def date_in(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "slept"),
    [
        (date_in(90), 90),
        (date_in(10**6), MOST_WAIT_S),
        (date_in(-90), 1),
        ("Tue, 01 Jan 2030 02:00:45 +0200", 45),
        ("Tue, 01 Jan 2030 00:00:45 -0000", 45),
        ("Tuesday, 01-Jan-30 00:00:45 GMT", 45),
        ("Tue Jan  1 00:00:45 2030", 45),
        (" 17 ", 17),
        ("9" * 400, MOST_WAIT_S),
        ("-5", 1),
        ("\u00b2", 1),
        ("soon", 1),
        ("Tue, 99 Jan 2030 00:00:00 GMT", 1),
        ("Tue, 01 Jan 99999 00:00:00 GMT", 1),
        ("Tue, 01 Jan 2030 00:00:00 +9999", 1),
    ],
)
def test_a_wait_until_a_date_or_for_seconds_is_kept_and_capped(
    header: str, slept: float, script: Script
) -> None:
    api, clock = script.client()
    body = b'{"code": "TOO_MANY_REQUESTS"}'
    script.answers = [(429, {"Retry-After": header}, body)]
    assert api.read(ask).id == "7"
    assert clock.slept == [slept]


def test_a_date_is_counted_from_the_clock_of_the_second_answer(script: Script) -> None:
    api, clock = script.client()
    script.answers = [(503, {"Retry-After": date_in(90)}, b"[]")] * 2
    assert api.read(ask).id == "7"
    assert clock.slept == [90, 2], "after the first wait the date has come"


def test_the_clock_is_read_only_for_a_date() -> None:
    def never() -> datetime:
        raise AssertionError("asked")

    def answer(after: str) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": after} if after else {})

    assert wait_asked(answer("5"), None, never) == 5
    assert wait_asked(answer(""), {"interval": "MIN"}, never) == 60
    assert wait_asked(None, None, never) == 0
    with pytest.raises(AssertionError, match="asked"):
        wait_asked(answer(date_in(5)), None, never)


# --- a denial ---

GONE: Answer = (404, {}, b'{"code": "DOES_NOT_EXIST", "message": "no such pool"}')


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("body", [GONE[2], b"", b"[]", b"<html>"])
def test_a_denial_of_a_known_object_is_not_believed_at_once(
    times: int, body: bytes, script: Script
) -> None:
    api, clock = script.client()
    script.answers = [(404, {}, body)] * times
    assert api.get("/v1/pools/7")["id"] == "7"
    assert clock.slept == [1, 2, 4][:times]
    script.answers = [(404, {}, body)] * times
    assert api.list("/v1/assignments", 10, pool_id="7") == []


def test_a_denial_that_stays_is_a_no(script: Script) -> None:
    api, clock = script.client()
    script.answers = [GONE] * 99
    with pytest.raises(MarketRefused, match="DOES_NOT_EXIST: no such pool") as caught:
        api.read(ask)
    assert caught.value.status == 404
    assert clock.slept == [1, 2, 4]
    assert len(script.asked) == 4


def test_denials_between_other_failures_are_counted_alone(script: Script) -> None:
    api, clock = script.client()
    busy: Answer = (503, {}, b"")
    script.answers = [GONE, busy, GONE, busy, GONE, busy]
    assert api.read(ask).id == "7"
    assert clock.slept == [1, 2, 4, 8, 15, 30]


def test_a_purchase_that_is_denied_is_not_repeated_and_a_look_believes_at_once(
    script: Script,
) -> None:
    api, clock = script.client()
    script.answers = [GONE]
    with pytest.raises(MarketRefused):
        api.write("opening", lambda client: client.open_pool_async("1"), lambda client: None)
    assert (clock.slept, script.asked) == ([], ["POST"])
    # The purchase is lost, and the look finds nothing: the purchase is made again without delay.
    script.answers, script.asked = [(500, {}, b"[]"), GONE, (204, {}, b"")], []
    done = api.write(
        "opening",
        lambda client: client.open_pool_async("1") or True,
        lambda client: client.get_requester(),
    )
    assert done is True
    assert script.asked == ["POST", "GET", "POST"]
    assert clock.slept == [1]
