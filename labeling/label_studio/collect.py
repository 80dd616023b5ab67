"""New answers of a project: read by the time of the last change, with an overlap to be safe."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from labeling.campaign.campaign import Campaign
from labeling.label_studio.client import StudioClient, Task
from labeling.label_studio.labeling_config import labels_in
from labeling.label_studio.project import Project, row_of
from labeling.timesheet.sheet import WorkedAnswer

_OVERLAP = timedelta(seconds=60)  # changes that the server may show late
_ALL_S = 60.0  # the server sets some marks of a task without a new time of its change


class Members:
    """The members of the organization, by their ids; the token's owner is none of them."""

    def __init__(self, client: StudioClient) -> None:
        self._client = client
        self._names: dict[int, str] = {}  # those who left, too: their answers stay
        self._members: tuple[int, ...] = ()
        self._owner: int | None = None

    def name(self, user: int) -> str:
        """An annotator's name: the email address, or the id of a member who is gone."""
        if user not in self._names:
            self.refresh()
        return self._names.setdefault(user, f"user {user}")

    def refresh(self) -> None:
        """Read the members again."""
        told = {int(one["id"]): str(one["email"]) for one in self._client.read("/api/users")}
        self._names |= told
        self._members = tuple(told)

    def names(self) -> list[str]:
        """All members of today but the token's owner."""
        if self._owner is None:
            self._owner = int(self._client.read("/api/current-user/whoami")["id"])
        self.refresh()
        return [self._names[user] for user in self._members if user != self._owner]

    def id_of(self, name: str) -> int | None:
        """The id of a member; None if there is none of this name."""
        return next((user for user, known in self._names.items() if known == name), None)


class Collector:
    """Reads a project's new answers.

    Args:
        client: the server.
        campaign: what is asked.
        people: who answers.
        project: whose answers.
        known: ids of the answers that were copied before.
    """

    def __init__(
        self,
        client: StudioClient,
        campaign: Campaign,
        people: Members,
        project: Project,
        known: Collection[str],
    ) -> None:
        self._client = client
        self._campaign = campaign
        self._people = people
        self._project = project
        self._known = set(known)
        self._since: datetime | None = None
        self._all_s = time.monotonic()

    def fresh(self, *, everything: bool = False) -> list[WorkedAnswer]:
        """Answers not copied yet, in the order of their submission.

        Args:
            everything: read all tasks, not only those changed lately, as once a minute.
        """
        everything = everything or time.monotonic() - self._all_s >= _ALL_S
        if everything:
            self._all_s = time.monotonic()
        since = None if everything or self._since is None else self._since - _OVERLAP
        listed = list(self._client.tasks(self._project.id, _written(since)))
        self._project.update(listed)
        changes = [moment(task["updated_at"]) for task in listed]
        self._since = max([*changes, *([self._since] if self._since else [])], default=None)
        new = [
            (task, one)
            for task in listed
            for one in task["annotations"]
            if not one.get("was_cancelled") and str(one["id"]) not in self._known
        ]
        new.sort(key=lambda pair: (pair[1]["created_at"], int(pair[1]["id"])))
        self._known.update(str(one["id"]) for _, one in new)
        return [self._answer(task, one) for task, one in new]

    def _answer(self, task: Task, one: dict[str, Any]) -> WorkedAnswer:
        user, changed_by = _id(one.get("completed_by")), _id(one.get("updated_by"))
        fault = ""
        if user is None or (changed_by is not None and changed_by != user):
            fault = "given or changed in another person's name"
        elif one.get("ground_truth"):
            fault = "marked as known truth, not given as an answer"
        seconds = one.get("lead_time")
        is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        row = row_of(task)
        return WorkedAnswer(
            id=str(one["id"]),
            annotator=self._people.name(user) if user is not None else "nobody",
            task=row if row in self._project.tasks else None,
            labels=labels_in(one.get("result") or [], self._campaign),
            at_s=moment(one["created_at"]).timestamp(),
            seconds=float(seconds) if is_number and seconds is not None else 0.0,
            fault=fault,
        )


def moment(text: str) -> datetime:
    """A time as the server writes it."""
    return datetime.fromisoformat(text)


def _written(time: datetime | None) -> str | None:
    if time is None:
        return None
    # Without milliseconds and Z the server fails.
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _id(person: Any) -> int | None:
    if isinstance(person, dict):
        person = person.get("id")
    return person if type(person) is int else None
