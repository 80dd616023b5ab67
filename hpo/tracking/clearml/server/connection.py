"""Requests to a ClearML server: in turn, with bounded retries, and errors by kind.

All that the mirror and trials use of the clearml package: configuration, login and raw requests.
Its Task and Dataset objects start threads, retry for hours and repeat what is not safe to
repeat; nothing here does.
"""

from __future__ import annotations

import importlib.util
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from budget.errors import InputError, MirrorRefused, MirrorUnavailable
from hpo.tracking.clearml.server.addresses import plots_page, sorted_table, without_credentials
from hpo.tracking.clearml.server.files import FileServer

Event = Mapping[str, Any]
_API = "2.20"
_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between tries of a request that may be repeated."""
_LONGEST_S = 60.0  # after which a request that was not answered is not tried again
_TIMEOUT, _LARGE_TIMEOUT = (5.0, 30.0), (5.0, 120.0)
"""Seconds to connect and to be answered, with much to send, too; the SDK's 300 look like a hang."""
_NO_RETRIES = {"total": 0, "connect": 0, "read": 0, "redirect": 5, "status": 0}


class Remote:
    """A session with a ClearML server, by the user's own configuration.

    Args:
        sleep: waits between tries; for tests.

    Attributes:
        files: its file server.

    Raises:
        InputError: clearml is not installed, or not configured.
        MirrorUnavailable: the server cannot be reached now.
        MirrorRefused: it does not accept the keys.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        if importlib.util.find_spec("clearml") is None:
            raise InputError("ClearML: the package is missing; pip install 'labelworth[clearml]'")
        self._sleep = sleep
        self._session = _open_session()
        self._web = self._session.get_app_server_host().rstrip("/")
        self.files = FileServer(
            self._session,
            self._session.get_files_server_host().rstrip("/"),
            (self._web, self._session.get_api_server_host()),
            _verified(self._session.config.get("api.verify_certificate", True)),
            lambda ask: self._answer(ask, "file server", _PAUSES, envelope=False),
        )

    def page(self, project: str, task: str) -> str:
        """The web page of a task: its plots."""
        return plots_page(self._table(project), task)

    def table(self, project: str, columns: Sequence[tuple[str, str]]) -> str:
        """The web page of a project's trials; see `sorted_table`."""
        return sorted_table(self._table(project), columns)

    def _table(self, project: str) -> str:
        kind = "tasks" if self._session.check_min_api_server_version("2.31") else "experiments"
        return f"{without_credentials(self._web)}/projects/{project}/{kind}"

    def call(self, endpoint: str, body: Mapping[str, Any], repeat: bool = True) -> dict[str, Any]:
        """Ask for an endpoint.

        Args:
            endpoint: such as "tasks.edit".
            body: its fields.
            repeat: whether the request may be carried out twice.

        Raises:
            MirrorUnavailable: no answer, also after some more tries where it may be repeated.
            MirrorRefused: the server does not accept the request.
        """
        service, action = endpoint.split(".")

        def ask() -> Any:
            return self._session.send_request(
                service=service, action=action, version=_API, method="post", json=dict(body)
            )

        return self._answer(ask, endpoint, _PAUSES if repeat else ())

    def make(self, endpoint: str, body: Mapping[str, Any], look: Callable[[], str | None]) -> str:
        """Make a record once: after a failure it is looked up before it is made again.

        Args:
            endpoint: such as "tasks.create", which answers with an id.
            body: its fields.
            look: finds the id of a record that an unanswered request has made.

        Raises:
            MirrorUnavailable, MirrorRefused: as for `call`.
        """
        for pause in (*_PAUSES, None):
            try:
                return str(self.call(endpoint, body, repeat=False)["id"])
            except MirrorUnavailable:
                if pause is None:
                    raise
                self._sleep(pause)
            if (existing := look()) is not None:
                return existing
        raise AssertionError("unreachable")

    def send_events(
        self, events: Sequence[Event], left: Callable[[], Sequence[Event]] | None = None
    ) -> None:
        """Report scalars, plots, pictures and console lines.

        Args:
            events: the events. All but console lines replace the task's events in their place.
            left: gives the events that are still to be sent after an unanswered request; None
                where sending all again changes nothing.

        Raises:
            MirrorUnavailable, MirrorRefused: as for `call`.
        """
        batch = list(events)

        def ask() -> Any:
            answers = self._session.send_request_batch(
                service="events", action="add_batch", version=_API, method="post", json=batch
            )
            return next((a for a in answers if a.status_code != 200), answers[0])

        begun = time.monotonic()
        for pause in (*_PAUSES, None):
            try:
                if batch:
                    self._answer(ask, "events.add_batch", ())
                return
            except MirrorUnavailable:
                if pause is None or time.monotonic() - begun > _LONGEST_S:
                    raise
                self._sleep(pause)
                if left is not None:
                    batch = list(left())

    def _answer(
        self, ask: Callable[[], Any], what: str, pauses: Sequence[float], envelope: bool = True
    ) -> dict[str, Any]:
        begun = time.monotonic()
        for pause in (*pauses, None):
            try:
                return _read(ask, what, envelope)
            except MirrorUnavailable:
                if pause is None or time.monotonic() - begun > _LONGEST_S:
                    raise
                self._sleep(pause)
        raise AssertionError("unreachable")


def _read(ask: Callable[[], Any], what: str, envelope: bool) -> dict[str, Any]:
    import requests
    from clearml.backend_api.session.session import LoginError

    try:
        answer = ask()
    except (requests.RequestException, LoginError) as error:
        # the libraries' words may hold addresses with credentials
        raise MirrorUnavailable(f"{what}: no answer ({type(error).__name__})") from None
    code = int(answer.status_code)
    if code >= 500 or code in (408, 429):
        raise MirrorUnavailable(f"{what}: status {code}")
    try:
        parsed = answer.json() if envelope else {}
        if not isinstance(parsed, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError):
        raise MirrorUnavailable(f"{what}: the answer is not ClearML's") from None
    if code != 200:
        meta = parsed.get("meta", {})
        raise MirrorRefused(f"{what}: {meta.get('result_msg') or f'status {code}'}", code)
    data: dict[str, Any] = parsed.get("data") or {}
    return data


def _open_session() -> Any:
    import logging

    from clearml.backend_api import Session
    from clearml.backend_api.session.defs import MissingConfigError
    from clearml.backend_api.session.session import LoginError

    class Impatient(Session):  # type: ignore[misc]
        _session_timeout = _TIMEOUT
        _write_session_timeout = _LARGE_TIMEOUT

    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        return Impatient(http_retries_config=dict(_NO_RETRIES))
    except (MissingConfigError, ValueError) as error:
        raise InputError(
            "ClearML: not configured; run clearml-init, or set CLEARML_API_HOST, "
            "CLEARML_API_ACCESS_KEY and CLEARML_API_SECRET_KEY"
        ) from error
    except LoginError as error:
        status = re.search(r"\(error (\d+)", str(error))
        if status and int(status[1]) in (400, 401, 403):
            raise MirrorRefused(
                "the ClearML server does not accept the keys", int(status[1])
            ) from None
        raise MirrorUnavailable("the ClearML server cannot be reached") from None


def _verified(setting: object) -> bool | str:
    """Whether, or by which file, certificates are verified, as the SDK reads it."""
    text = str(os.environ.get("CLEARML_API_HOST_VERIFY_CERT", setting)).lower()
    if text in ("false", "no", "off", "0"):
        return False
    return True if text in ("true", "yes", "on", "1") else str(setting)
