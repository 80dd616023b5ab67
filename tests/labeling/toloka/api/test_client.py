"""How the client asks again, and when it does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from budget.errors import InputError, MarketError, MarketRefused, MarketUnreachable
from labeling.toloka.api.client import Api, kit
from labeling.toloka.api.clock import WallClock
from tests.labeling.toloka.ground import Sleeper


def said(status: int, code: str = "X", payload: Any = None, after: str = "") -> Exception:
    """An answer as toloka-kit raises it."""
    names = {
        "TOO_MANY_REQUESTS": "TooManyRequestsApiError",
        "DOES_NOT_EXIST": "DoesNotExistApiError",
    }
    raised = getattr(kit().exceptions, names.get(code, "ApiError"))
    error: Exception = raised(code=code, message="told", payload=payload, status_code=status)
    headers = {"Retry-After": after} if after else {}
    error.response = httpx.Response(status, headers=headers)  # type: ignore[attr-defined]
    return error


def failing(*errors: Exception) -> Callable[[Any], str]:
    """A call that fails so many times before it works."""
    left = list(errors)

    def call(client: Any) -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call


def api() -> tuple[Api, Sleeper]:
    clock = Sleeper()
    return Api(object(), "Toloka TEST", clock), clock


LOST = httpx.ReadTimeout("no answer")


def test_a_question_is_asked_again_at_growing_intervals_and_given_up_after_five_minutes() -> None:
    ask, clock = api()
    assert ask.read(failing(LOST, LOST, LOST)) == "done"
    assert clock.slept == [1, 2, 4]
    with pytest.raises(MarketUnreachable, match="start the same command again"):
        ask.read(failing(*[LOST] * 99))
    assert sum(clock.slept[3:]) == 300


@pytest.mark.parametrize(
    ("error", "least"),
    [
        (said(429, "TOO_MANY_REQUESTS", after="17"), 17),
        (said(429, "TOO_MANY_REQUESTS", {"interval": "MIN"}), 60),
        (said(429, "TOO_MANY_REQUESTS"), 1),
        (said(503, after="30"), 30),
        (said(500), 1),
    ],
)
def test_it_waits_as_long_as_it_is_told(error: Exception, least: float) -> None:
    ask, clock = api()
    assert ask.read(failing(error)) == "done"
    assert clock.slept == [least]


@pytest.mark.parametrize("interval", ["HOUR", "DAY"])
def test_a_quota_of_hours_is_not_waited_for(interval: str) -> None:
    ask, clock = api()
    with pytest.raises(MarketRefused, match="TOO_MANY_REQUESTS"):
        ask.read(failing(said(429, "TOO_MANY_REQUESTS", {"interval": interval})))
    assert clock.slept == []


@pytest.mark.parametrize("status", [400, 404, 405, 409, 422])
def test_a_no_is_a_no(status: int) -> None:
    ask, clock = api()
    with pytest.raises(MarketRefused, match="opening the pool failed: NO: told") as caught:
        ask.write("opening the pool", failing(said(status, "NO")), lambda client: None)
    assert (caught.value.status, caught.value.code) == (status, "NO")
    assert clock.slept == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_not_known_is_the_users_to_mend(status: int) -> None:
    ask, _ = api()
    with pytest.raises(
        InputError, match=f"HTTP {status}.*production and sandbox have a token each"
    ):
        ask.read(failing(said(status)))


def test_what_may_have_happened_is_looked_for_before_it_is_done_again() -> None:
    ask, clock = api()
    calls: list[str] = []

    def act(client: Any) -> str:
        calls.append("act")
        raise LOST

    def look(client: Any) -> str | None:
        calls.append("look")
        return "found" if calls.count("look") == 3 else None

    assert ask.write("creating a pool", act, look) == "found"
    assert calls == ["act", "look"] * 3
    assert clock.slept == [1, 2, 4]


def test_a_look_that_finds_nothing_there_is_a_no() -> None:
    ask, _ = api()
    gone = said(404, "DOES_NOT_EXIST")

    def look(client: Any) -> str | None:
        raise gone

    assert ask.write("uploading", failing(LOST), look) == "done"


def test_a_mistake_of_ours_is_not_taken_for_the_platforms() -> None:
    ask, clock = api()
    for mistake in (TypeError("x"), KeyError("rows"), ValueError("x"), AttributeError("x")):
        with pytest.raises(type(mistake)):
            ask.read(failing(mistake))
    assert clock.slept == []


def test_lists_are_read_to_their_end() -> None:
    class Pages:
        def _request(self, method: str, path: str, params: dict[str, Any]) -> dict[str, Any]:
            first = int(params.get("id_gt", 0)) + 1
            items = [{"id": str(n)} for n in range(first, min(first + 2, 6))]
            return {"items": items, "has_more": first + 2 < 6}

    found = Api(Pages(), "Toloka TEST", Sleeper()).list("/v1/assignments", 2, pool_id="1")
    assert [one["id"] for one in found] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("odd", [[], None, "x", 5, {}, {"items": None}, {"items": {"a": 1}}])
def test_an_answer_of_another_shape_is_asked_for_again(odd: object) -> None:
    class Pages:
        def __init__(self) -> None:
            self.answers = [odd, {"items": [{"id": "1"}], "has_more": False}]

        def _request(self, method: str, path: str, params: dict[str, Any]) -> object:
            return self.answers.pop(0)

    clock = Sleeper()
    assert Api(Pages(), "Toloka TEST", clock).list("/v1/pools", 2) == [{"id": "1"}]
    assert len(clock.slept) == 1


def test_an_answer_nested_without_end_is_asked_for_again() -> None:
    ask, clock = api()
    assert ask.read(failing(RecursionError("maximum recursion depth exceeded"))) == "done"
    assert len(clock.slept) == 1


def test_the_wall_clock_tells_whole_milliseconds_and_sleeps() -> None:
    clock = WallClock()
    before = clock.now()
    clock.sleep(0.01)
    assert clock.now() - before >= timedelta(milliseconds=9)
    assert before.microsecond % 1000 == 0
    assert issubclass(MarketUnreachable, MarketError)
