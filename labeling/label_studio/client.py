"""Requests to a Label Studio server: reads are repeated, writes only after a look."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from budget.errors import InputError, MarketRefused, MarketUnreachable
from budget.secret import Secret, secret_text

if TYPE_CHECKING:
    import httpx

URL = "LABEL_STUDIO_URL"
TOKEN, TOKEN_FILE = "LABEL_STUDIO_API_KEY", "LABEL_STUDIO_API_KEY_FILE"
_REMEDY = "Label Studio (Account & Settings, Access Token)"
_TRIES, _WAIT_S, _TIMEOUT_S = 6, 0.5, 60.0
_PAGE = 500  # tasks in one answer
_ACCESS_S = 240.0  # an access token of a personal token lives 300 s
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)

Task = dict[str, Any]


class StudioClient:
    """A Label Studio server with one account's token.

    Args:
        url: address of the server.
        token: the account's: a legacy token, or a personal access token.
        sleep: waits between tries.

    Raises:
        InputError: the address is none.
    """

    def __init__(
        self, url: str, token: Secret, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        httpx = http()
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"{URL}: {url!r} is no address, such as http://localhost:8080")
        self.host = parts.netloc
        self.url = url.rstrip("/")
        self._token = token
        self._sleep = sleep
        self._client = httpx.Client(base_url=self.url, timeout=_TIMEOUT_S)
        self._access: tuple[str, float] | None = None
        self.date: str | None = None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def read(self, path: str, **params: Any) -> Any:
        """The answer to a GET, repeated while the server is busy.

        Raises:
            MarketUnreachable: the server gives no readable answer.
            MarketRefused: it refuses.
            InputError: it does not know the token.
        """
        return self._patient(lambda: self.send("GET", path, params=params))

    def put(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A write that may be repeated: what it sets stays the same."""
        return self._patient(lambda: self.send(method, path, json=body))

    def make(self, lacks: Callable[[], Any], path: str, **params: Any) -> None:
        """Post what lacks until nothing does: a reply may be lost, though the server acted.

        Args:
            lacks: looks, and gives the body to post; None if nothing lacks.
            path: where to post.
            params: of the address.

        Raises:
            MarketUnreachable: it still lacks after all tries.
        """
        for attempt in range(_TRIES):
            body = lacks()
            if body is None:
                return
            if attempt:
                self._sleep(_WAIT_S * 2**attempt)
            with contextlib.suppress(MarketUnreachable):
                self.send("POST", path, json=body, params=params)
        if lacks() is not None:
            raise MarketUnreachable(f"{self.host}: {path} changed nothing; is the server well?")

    def tasks(self, project: int, since: str | None = None) -> Iterator[Task]:
        """A project's tasks with their annotations, those updated since a time by the server."""
        params: dict[str, Any] = {"project": project, "fields": "all", "page_size": _PAGE}
        if since is not None:
            params["query"] = _updated_since(since)
        page = 1
        while True:
            answer = self.read("/api/tasks", page=page, **params)
            yield from answer["tasks"]
            if page * _PAGE >= int(answer["total"]):
                return
            page += 1

    def _patient(self, call: Callable[[], Any]) -> Any:
        for attempt in range(_TRIES):
            try:
                return call()
            except MarketUnreachable:
                if attempt == _TRIES - 1:
                    raise
                self._sleep(_WAIT_S * 2**attempt)
        raise AssertionError

    def send(self, method: str, path: str, **words: Any) -> Any:
        """One request, tried once."""
        httpx = http()
        try:
            answer = self._client.request(
                method, path, headers={"Authorization": self._authorization()}, **words
            )
        except httpx.HTTPError as error:
            raise MarketUnreachable(
                f"{self.host}: Label Studio does not answer ({type(error).__name__}); is it "
                "running, and is the address right?"
            ) from None
        return self._content(answer, f"{method} {path}")

    def _content(self, answer: httpx.Response, what: str) -> Any:
        self.date = answer.headers.get("date")
        if answer.status_code == 401:
            raise InputError(
                f"{TOKEN}: {self.host} does not accept the token; copy it again from {_REMEDY}, "
                "and allow legacy tokens there or give a personal access token"
            )
        if answer.status_code in _TEMPORARY:
            raise MarketUnreachable(f"{self.host}: {what}: status {answer.status_code}")
        if answer.status_code >= 400:
            said = " ".join(answer.text[:200].split())
            text = f"{self.host}: Label Studio refuses {what} ({answer.status_code}): {said}"
            raise MarketRefused(text, str(answer.status_code), answer.status_code)
        if not answer.content:
            return None
        try:
            return answer.json()
        except (ValueError, RecursionError):
            raise MarketUnreachable(f"{self.host}: {what}: the answer is not JSON") from None

    def _authorization(self) -> str:
        secret = self._token.reveal()
        if secret.count(".") != 2:  # a personal token has three parts, a legacy token one
            return f"Token {secret}"
        if self._access is None or self._access[1] < time.monotonic():
            httpx = http()
            try:
                answer = self._client.post("/api/token/refresh/", json={"refresh": secret})
            except httpx.HTTPError as error:
                raise MarketUnreachable(f"{self.host}: {type(error).__name__}") from None
            access = str(self._content(answer, "refreshing the token")["access"])
            self._access = access, time.monotonic() + _ACCESS_S
        return f"Bearer {self._access[0]}"


def connect(environment: Mapping[str, str] | None = None) -> StudioClient:
    """The server and the token of the environment.

    Args:
        environment: the environment variables; the process's own by default.

    Raises:
        InputError: the address or the token is missing or wrong.
    """
    variables = os.environ if environment is None else environment
    found = secret_text(TOKEN, TOKEN_FILE, variables)
    if not variables.get(URL):
        raise InputError(
            f"{URL}: no address of a Label Studio server; set it, or start one: make label-studio"
        )
    if found is None:
        raise InputError(
            f"{TOKEN}: no token; set it, or {TOKEN_FILE} to a file with mode 0600 that holds it "
            f"(never a flag: command lines can be read by others). It stands in {_REMEDY}"
        )
    return StudioClient(variables[URL], Secret(*found, _REMEDY))


def _updated_since(time: str) -> str:
    item = {
        "filter": "filter:tasks:updated_at",
        "operator": "greater",
        "type": "Datetime",
        "value": time,
    }
    return json.dumps({"filters": {"conjunction": "and", "items": [item]}})


def http() -> Any:
    """The library httpx, imported where it is used.

    Raises:
        InputError: it is not installed.
    """
    try:
        import httpx
    except ImportError:
        raise InputError(
            "label-studio: httpx is missing; pip install 'labelworth[label-studio]'"
        ) from None
    return httpx
