"""toloka-kit's client, used so that no purchase happens twice.

By default toloka-kit repeats POST requests whose answer was lost, which turns one pool into two.
This module repeats a read until the platform answers, and does not believe at once that an object
is gone. It calls a method that creates or spends once. If the answer is lost, it reads the market
to see whether the call took effect, and calls again only if it did not.
"""

from __future__ import annotations

import json
import logging
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from budget.errors import InputError, MarketRefused, MarketUnreachable
from labeling.toloka.api.answers import check_answer, one_line, wait_asked
from labeling.toloka.api.clock import Clock, PlatformClock, WallClock
from labeling.toloka.api.token import Token

T = TypeVar("T")

ADDRESSES = {"production": "https://toloka.dev", "sandbox": "https://sandbox.toloka.dev"}
_PATIENCE = (1, 2, 4, 8, 15, 30, 60, 60, 60, 60)  # seconds before asking again: five minutes
_DOUBTS = 3  # denials of a known object that are not believed
_BUSY = frozenset({"POOL_LOCKED_BY_ANOTHER_OPERATION", "OPERATION_IN_PROGRESS"})
_LATER = frozenset({408, 425, 429})


def connect(token: Token, where: str, clock: Clock | None = None, timeout_s: float = 30.0) -> Api:
    """A safe client of Toloka, or of a server with the same API. It sends no request yet.

    Args:
        token: token of the account.
        where: "production", "sandbox", or an address; plain http only on this machine.
        clock: paces repeated requests; wall time by default.
        timeout_s: longest time for an answer, in seconds.

    Raises:
        InputError: a token must not be sent to this address.
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
    clock = clock or WallClock()
    return Api(kit_client(token, address, timeout_s, clock), name, clock, address)


def kit() -> Any:
    """toloka-kit, imported on first use: the import takes seconds."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        try:
            import toloka.client
        except ModuleNotFoundError as error:
            raise InputError(
                f"Toloka: {error.name} is not installed; run: pip install 'labelworth[toloka]'"
            ) from error
    return toloka.client


def kit_client(token: Token, address: str, timeout_s: float, clock: Clock | None = None) -> Any:
    """A TolokaClient that repeats no request by itself.

    On a platform's own clock it says who it is, and whether it has waited.
    """
    from urllib3.util.retry import Retry

    toloka_client: Any = kit().TolokaClient
    number = uuid.uuid4().hex

    class Client(toloka_client):  # type: ignore[misc]
        """toloka-kit's client, which sends each request once and reads errors of any body."""

        def _do_request_with_retries(self, method: str, path: str, **options: Any) -> Any:
            if isinstance(clock, PlatformClock):
                own = {"X-Client-Id": number, "X-Waited": str(int(clock.take_wait()))}
                options["headers"] = {**(options.get("headers") or {}), **own}
            response = self._session.request(method, path, **options)
            check_answer(response, self.token)
            return response

    return Client(
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
    """The meaning of an exception of a call.

    Attributes:
        text: text for the user.
        refused: True if the call certainly had no effect; False if its effect is unknown.
        wait_s: shortest time to wait before the next try, in seconds.
    """

    text: str
    refused: bool
    code: str
    status: int
    wait_s: float


class Api:
    """Safe calls of the platform.

    Args:
        client: toloka-kit's client.
        name: the platform's name in messages.
        clock: paces repeated requests.
        address: the platform's address.
    """

    def __init__(self, client: Any, name: str, clock: Clock, address: str = "") -> None:
        self._client = client
        self._address = address
        self.name = name
        self.clock = clock

    @property
    def host(self) -> str:
        """The host that the requests go to."""
        return urlsplit(self._address).netloc

    def date(self) -> str | None:
        """The date in the platform's answers, or None; the request carries no token."""
        import httpx

        try:
            answer = httpx.head(self._address, timeout=10.0)
        except httpx.HTTPError:
            return None
        told: str | None = answer.headers.get("Date")
        return told

    def read(self, ask: Callable[[Any], T]) -> T:
        """Read from the platform; repeat until it answers.

        What is read here exists: this study has made it, or the platform has told of it. So an
        answer that it does not exist (404) is believed only after three repeats.

        Args:
            ask: calls a reading method of the client.

        Raises:
            MarketRefused: the platform refused the request.
            MarketUnreachable: the platform did not answer for five minutes.
            InputError: the platform does not accept the token.
        """
        return self._read(ask, _DOUBTS)

    def _read(self, ask: Callable[[Any], T], doubts: int) -> T:
        """Read from the platform; repeat so many answers that the object does not exist."""
        delays = iter(_PATIENCE)
        while True:
            try:
                return ask(self._client)
            except Exception as error:
                problem = self._problem(error)
                if problem.status == 404 and doubts:
                    doubts -= 1
                    problem = replace(problem, refused=False)
                self._give_up(problem, next(delays, None), error)

    def get(self, path: str) -> dict[str, Any]:
        """An object of the platform as plain JSON, with all its fields.

        Args:
            path: path of the object, such as "/v1/pools/1".

        Raises:
            MarketRefused: the platform refused the request.
            MarketUnreachable: the platform did not answer for five minutes.
        """
        return self.read(lambda client: _ask(client, path, {}))

    def list(self, path: str, limit: int, **filters: str) -> list[dict[str, Any]]:
        """All items of a list of the platform, by id, as plain JSON.

        toloka-kit sends the request but does not build its objects: these take a millisecond for
        each assignment, and the list is read every few seconds.

        Args:
            path: path of the list, such as "/v1/assignments".
            limit: largest number of items in one answer.
            filters: query parameters.

        Raises:
            MarketRefused: the platform refused the request.
            MarketUnreachable: the platform did not answer for five minutes.
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
        """Call a method that creates or spends, with effect at most once.

        Args:
            what: the action in words, for messages: "opening the pool".
            act: calls the method of the client.
            look: reads the effect of the call and returns the result of `act`; None without effect.

        Raises:
            MarketRefused: the platform refused the call; it had no effect.
            MarketUnreachable: the platform did not answer for five minutes; the next start reads
                the effect first.
            InputError: the platform does not accept the token.
        """
        delays = iter(_PATIENCE)
        while True:
            try:
                return act(self._client)
            except Exception as error:
                problem = self._problem(error, what)
                self._give_up(problem, next(delays, None), error)
            # The answer is lost, perhaps not the call: a repeat needs proof that it had no effect.
            done = self._look(look)
            if done is not None:
                return done

    def _look(self, look: Callable[[Any], T | None]) -> T | None:
        """The result of a look; None also for an object that does not exist."""
        try:
            return self._read(look, doubts=0)
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
        wait_s = max(delay, problem.wait_s)
        facts = {"problem": problem.text, "wait_s": wait_s}
        logging.getLogger("labelworth").info("asking again", extra={"facts": facts})
        self.clock.sleep(wait_s)

    def _problem(self, error: Exception, what: str = "a question") -> _Problem:
        """The meaning of an exception; an exception that is not the platform's is raised again."""
        response = getattr(error, "response", None)
        status = int(getattr(response, "status_code", 0) or 0)
        if not status and not _is_lost(error):
            raise error
        code = one_line(getattr(error, "code", None))
        if status in (401, 403):
            return _Problem(self._closed(status), True, code, status, 0)
        payload = getattr(error, "payload", None)
        # A client error means no effect, except for codes that ask to try again later.
        refused = 400 <= status < 500 and status not in _LATER and code not in _BUSY
        refused = refused or _spent_quota(status, payload)
        said = code or (f"HTTP {status}" if status else type(error).__name__)
        message = one_line(getattr(error, "message", None))
        text = f"{self.name}: {what} failed: {said}{': ' + message if message else ''}"
        return _Problem(text, refused, code, status, wait_asked(response, payload, self.clock.now))

    def _closed(self, status: int) -> str:
        return (
            f"{self.name}: the token is refused (HTTP {status}); production and sandbox have a "
            "token each (Profile, Integrations): give the one that belongs here in TOLOKA_TOKEN"
        )


class _OddAnswerError(Exception):
    """JSON of another shape than the platform's, as a gateway may send: no answer of it came."""


def _is_lost(error: Exception) -> bool:
    """Whether an exception means that no answer came, or no readable answer."""
    import httpx
    import urllib3.exceptions

    unreadable = (json.JSONDecodeError, UnicodeDecodeError, RecursionError, _OddAnswerError)
    return isinstance(error, (httpx.HTTPError, urllib3.exceptions.HTTPError, *unreadable))


def _ask(client: Any, path: str, params: dict[str, Any]) -> dict[str, Any]:
    from toloka.util._managing_headers import add_headers

    ask = add_headers("client")(client._request)
    answer = ask("get", path, params=dict(params))
    if not isinstance(answer, dict):
        raise _OddAnswerError
    return answer


def _page(client: Any, path: str, params: dict[str, Any]) -> dict[str, Any]:
    page = _ask(client, path, params)
    if not isinstance(page.get("items"), list):
        raise _OddAnswerError
    return {"items": list(page["items"]), "has_more": bool(page.get("has_more"))}


def _spent_quota(status: int, payload: Any) -> bool:
    """Whether a quota of an hour or a day is used up: the user decides about such a wait."""
    return (
        status == 429
        and isinstance(payload, dict)
        and payload.get("interval")
        in (
            "HOUR",
            "DAY",
        )
    )
