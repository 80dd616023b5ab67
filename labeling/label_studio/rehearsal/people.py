"""Scripted annotators who answer through the real API, one task at a time from the queue."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from budget.errors import InputError, MarketError, MarketRefused
from budget.secret import Secret
from labeling.campaign.campaign import Campaign
from labeling.crowd.office.staff import OfficeStaff, Worked
from labeling.label_studio.client import StudioClient, http
from labeling.label_studio.labeling_config import result_of
from labeling.label_studio.project import row_of
from labeling.types import Condition

_PASSWORD = "rehearsal-annotator"  # noqa: S105 - it opens nothing but a server of this machine
_CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_IDLE_S = 0.1


def account(admin: StudioClient, name: str) -> StudioClient:
    """The client of a scripted annotator, who joins the organization at first.

    Raises:
        InputError: the server is not on this machine, or knows the name with another password.
    """
    if urlsplit(admin.url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise InputError(
            f"--people simulated: {admin.host} is not on this machine; scripted people answer only "
            "on a server here: make label-studio"
        )
    admin.read("/api/version")  # a server that is not there is told in one line, and waited for
    with http().Client(base_url=admin.url, timeout=60.0) as browser:
        if not _enter(browser, "/user/login", name):
            invite = str(admin.read("/api/invite")["invite_url"])
            _enter(browser, invite, name)
        answer = browser.get("/api/current-user/token")
    if answer.status_code != 200:
        raise InputError(f"{admin.host}: {name} cannot join ({answer.status_code})")
    return StudioClient(admin.url, Secret(answer.json()["token"], name))


def _enter(browser: Any, page: str, name: str) -> bool:
    """Send a form of name and password; whether it was taken."""
    found = _CSRF.search(browser.get(page).text)
    if found is None:
        return False
    form = {"email": name, "password": _PASSWORD, "csrfmiddlewaretoken": found[1]}
    headers = {"Referer": str(browser.base_url)}
    return bool(browser.post(page, data=form, headers=headers).status_code == 302)


class ScriptedStaff:
    """People who work at whatever project they are given, each in a thread.

    Args:
        admin: the server.
        campaign: the questions.
        staff: who answers what, by condition.
        names: of the people.
        pause_s: seconds that each waits between two answers, to be watched.
    """

    def __init__(
        self,
        admin: StudioClient,
        campaign: Campaign,
        staff: Callable[[Condition], OfficeStaff],
        names: tuple[str, ...],
        pause_s: float = 0.0,
    ) -> None:
        self._campaign = campaign
        self._staff = staff
        self._pause_s = pause_s
        self._job: tuple[int, OfficeStaff] | None = None
        self._condition = ""
        self._busy = dict.fromkeys(names, False)
        self._done: dict[str, int] = {}
        self._home = threading.Event()
        self._fault: Exception | None = None
        self._threads = [
            threading.Thread(target=self._work, args=(name, account(admin, name)), daemon=True)
            for name in names
        ]
        for thread in self._threads:
            thread.start()

    def begin(self, project: int, condition: Condition, done: Mapping[str, int]) -> None:
        """Work at a project; `done` tells how many answers each person gave there before.

        Raises:
            Exception: of a person who stopped for good; an order would wait for it for ever.
        """
        if self._fault is not None:
            raise self._fault
        if self._condition != condition.key:
            self._condition, self._done = condition.key, dict(done)
        if self._job is None or self._job[0] != project:
            self._job = project, self._staff(condition)

    def rest(self) -> None:
        """Hand in what is in hand, and wait."""
        self._job = None

    def at_rest(self) -> bool:
        """Whether nobody has a task in hand."""
        return self._job is None and not any(self._busy.values())

    def close(self) -> None:
        """Go home."""
        self._job = None
        self._home.set()
        for thread in self._threads:
            thread.join()

    def _work(self, name: str, client: StudioClient) -> None:
        try:
            while not self._home.is_set():
                self._busy[name] = True
                job, answered = self._job, False
                # A server that stumbles, or a removed annotator: try again later.
                with contextlib.suppress(MarketError):
                    if job is not None and name in job[1].names:
                        answered = self._answer(name, client, *job)
                self._busy[name] = False
                self._home.wait(self._pause_s if answered else _IDLE_S)
        except Exception as error:  # told by `begin`, in the thread that waits for the answers
            self._fault = error
        finally:
            self._busy[name] = False
            client.close()

    def _answer(self, name: str, client: StudioClient, project: int, staff: OfficeStaff) -> bool:
        """Answer the next task of the queue; False if there is none."""
        try:
            task = client.read(f"/api/projects/{project}/next")
        except MarketRefused:
            return False
        row = row_of(task)
        if row is None:
            return False
        before = self._done.get(name, 0)
        given = staff.answer(name, row, Worked(before, before))
        body = {"result": result_of(given.labels, self._campaign), "lead_time": given.seconds}
        client.send("POST", f"/api/tasks/{task['id']}/annotations/", json=body)
        self._done[name] = before + 1
        return True
