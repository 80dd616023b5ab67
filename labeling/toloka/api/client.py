"""toloka-kit's client, used so that nothing is bought twice.

Out of the box the client repeats POST requests whose answer was lost, which makes two pools of
one. Here a read is repeated until it is answered; whatever creates or spends is called once. Where
the answer to it is lost, the market is read to see whether it happened, and only if it did not is
it called again.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from budget.errors import InputError, MarketRefused, MarketUnreachable
from labeling.toloka.api.clock import Clock, WallClock
from labeling.toloka.api.token import Token

T = TypeVar("T")

ADDRESSES = {"production": "https://toloka.dev", "sandbox": "https://sandbox.toloka.dev"}
_PATIENCE = (1, 2, 4, 8, 15, 30, 60, 60, 60, 60)  # seconds before asking again: five minutes
_MINUTE = 60.0
_BUSY = frozenset({"POOL_LOCKED_BY_ANOTHER_OPERATION", "OPERATION_IN_PROGRESS"})
_LATER = frozenset({408, 425, 429})


def connect(token: Token, where: str, clock: Clock | None = None, timeout_s: float = 30.0) -> Api:
    """A safe client of Toloka, or of a server that speaks like it. Asks nothing yet.

    Args:
        token: opens the account.
        where: "production", "sandbox", or an address; plain http only on this machine.
        clock: paces repeated questions; wall time by default.
        timeout_s: how long an answer may take.

    Raises:
        InputError: an address to which a token may not be sent.
    """
    address = ADDRESSES.get(where.lower(), where)
    parts = urlsplit(address)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise InputError(
            f"Toloka address {where!r}: give production, sandbox, an https address, or http on "
            "127.0.0.1"
        )
    name = f"Toloka {where.upper()}" if where.lower() in ADDRESSES else f"Toloka at {address}"
    return Api(kit_client(token, address, timeout_s), name, clock or WallClock(), address)


def kit() -> Any:
    """toloka-kit, imported late: it takes seconds."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        try:
            import toloka.client
        except ModuleNotFoundError as error:
            raise InputError(
                f"Toloka: {error.name} is not installed; run: pip install 'labelworth[toloka]'"
            ) from error
    return toloka.client


def kit_client(token: Token, address: str, timeout_s: float) -> Any:
    """A TolokaClient that repeats nothing by itself."""
    from urllib3.util.retry import Retry

    client = kit().TolokaClient
    return client(
        token.reveal(),
        url=address,
        timeout=timeout_s,
        retry_quotas=None,
        retryer_factory=lambda: Retry(
            total=0,
            status_forcelist=[],
            allowed_methods=["GET", "HEAD"],
            respect_retry_after_header=False,  # its handling in toloka-kit raises TypeError
            raise_on_status=False,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Problem:
    """What an exception of a call means.

    Attributes:
        text: for people.
        refused: certainly not done; otherwise nobody knows.
        wait_s: the least time to wait before asking again.
    """

    text: str
    refused: bool
    code: str
    status: int
    wait_s: float


class Api:
    """What the rest of this package asks of the platform.

    Args:
        client: toloka-kit's client.
        name: the platform's name in messages.
        clock: paces repeated questions.
        address: where the platform is.
    """

    def __init__(self, client: Any, name: str, clock: Clock, address: str = "") -> None:
        self._client = client
        self._address = address
        self.name = name
        self.clock = clock

    def date(self) -> str | None:
        """The date in the platform's answers; None where there is none. Sends no token."""
        import httpx

        try:
            answer = httpx.head(self._address, timeout=10.0)
        except httpx.HTTPError:
            return None
        told: str | None = answer.headers.get("Date")
        return told

    def read(self, ask: Callable[[Any], T]) -> T:
        """Ask until it is answered.

        Args:
            ask: calls a reading method of the client.

        Raises:
            MarketRefused: the platform says no.
            MarketUnreachable: it did not answer for five minutes.
            InputError: it does not know the token.
        """
        delays = iter(_PATIENCE)
        while True:
            try:
                return ask(self._client)
            except Exception as error:
                problem = self._problem(error)
                self._give_up(problem, next(delays, None), error)

    def list(self, path: str, limit: int, **filters: str) -> list[dict[str, Any]]:
        """Everything in a list of the platform, by id, as plain JSON.

        Asked every few seconds, so toloka-kit sends the question but does not build its objects:
        that takes a millisecond for each assignment.

        Args:
            path: such as "/v1/assignments".
            limit: the most items in one answer.
            filters: query parameters.

        Raises:
            MarketRefused: the platform says no.
            MarketUnreachable: it did not answer for five minutes.
        """
        items: list[dict[str, Any]] = []
        params: dict[str, Any] = {**filters, "sort": "id", "limit": limit}
        while True:
            page = self.read(lambda client: _page(client, path, params))
            items += page["items"]
            if not page["has_more"]:
                return items
            params["id_gt"] = items[-1]["id"]

    def write(self, what: str, act: Callable[[Any], T], look: Callable[[Any], T | None]) -> T:
        """Do something that creates or spends, once.

        Args:
            what: in words, for messages: "opening the pool".
            act: calls the method of the client.
            look: reads whether it was done, and gives what `act` would have; None if it was not.

        Raises:
            MarketRefused: the platform says no; nothing was done.
            MarketUnreachable: it did not answer for five minutes; starting again looks first.
            InputError: it does not know the token.
        """
        delays = iter(_PATIENCE)
        while True:
            try:
                return act(self._client)
            except Exception as error:
                problem = self._problem(error, what)
                self._give_up(problem, next(delays, None), error)
            done = self._look(look)
            if done is not None:
                return done

    def _look(self, look: Callable[[Any], T | None]) -> T | None:
        """What a look finds; None also for what does not exist."""
        try:
            return self.read(look)
        except MarketRefused as refused:
            if refused.status != 404:
                raise
            return None

    def _give_up(self, problem: _Problem, delay: float | None, error: Exception) -> None:
        """Wait before the next try, or raise."""
        if problem.status in (401, 403):
            raise InputError(problem.text) from None
        if problem.refused:
            raise MarketRefused(problem.text, problem.code, problem.status) from error
        if delay is None:
            raise MarketUnreachable(
                f"{problem.text}; what was bought is kept: start the same command again to go on"
            ) from error
        self.clock.sleep(max(delay, problem.wait_s))

    def _problem(self, error: Exception, what: str = "a question") -> _Problem:
        """What an exception means; raises it again where it is none of the platform's."""
        response = getattr(error, "response", None)
        status = int(getattr(response, "status_code", 0) or 0)
        if not status and not _is_lost(error):
            raise error
        code = str(getattr(error, "code", None) or "")
        if status in (401, 403):
            return _Problem(self._closed(status), True, code, status, 0)
        payload = getattr(error, "payload", None)
        refused = 400 <= status < 500 and status not in _LATER and code not in _BUSY
        refused = refused or _spent_quota(status, payload)
        said = code or (f"HTTP {status}" if status else type(error).__name__)
        message = str(getattr(error, "message", "") or "")
        text = f"{self.name}: {what} failed: {said}{': ' + message if message else ''}"
        return _Problem(text, refused, code, status, _wait(response, payload))

    def _closed(self, status: int) -> str:
        return (
            f"{self.name}: the token is refused (HTTP {status}); production and sandbox have a "
            "token each (Profile, Integrations): give the one that belongs here in TOLOKA_TOKEN"
        )


def _is_lost(error: Exception) -> bool:
    """Whether an exception says that no answer came, or none that can be read."""
    import httpx
    import urllib3.exceptions

    if isinstance(error, KeyError):  # toloka-kit found no error code in the answer
        return error.args == ("code",)
    return isinstance(error, (httpx.HTTPError, urllib3.exceptions.HTTPError, json.JSONDecodeError))


def _page(client: Any, path: str, params: dict[str, Any]) -> dict[str, Any]:
    from toloka.util._managing_headers import add_headers

    ask = add_headers("client")(client._request)
    page: dict[str, Any] = ask("get", path, params=dict(params))
    return {"items": list(page["items"]), "has_more": bool(page.get("has_more"))}


def _spent_quota(status: int, payload: Any) -> bool:
    """Whether a quota of an hour or a day is used up: waiting for it is the user's decision."""
    return (
        status == 429
        and isinstance(payload, dict)
        and payload.get("interval")
        in (
            "HOUR",
            "DAY",
        )
    )


def _wait(response: Any, payload: Any) -> float:
    """Seconds that the platform asks to wait."""
    after = response.headers.get("Retry-After", "") if response is not None else ""
    if str(after).isdigit():
        return min(float(after), 10 * _MINUTE)
    return _MINUTE if isinstance(payload, dict) and payload.get("interval") == "MIN" else 0.0
