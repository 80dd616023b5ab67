"""Whom an order waits for: nobody who left, and no scripted person who stopped for good."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from labeling.crowd.office.staff import staff_names
from labeling.label_studio.collect import Members
from labeling.label_studio.rehearsal import people
from labeling.label_studio.rehearsal.people import ScriptedStaff
from tests.labeling.label_studio.ground import CAMPAIGN, StudioGround


class _NoTask:
    """A server whose queue answers with something that is no task."""

    def read(self, path: str, **params: Any) -> list[str]:
        return ["no task"]

    def close(self) -> None:
        pass


def test_the_order_ends_in_the_error_of_a_person_who_stopped(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "account", lambda admin, name: _NoTask())
    ground = StudioGround(None, tmp_path, "label-studio:none")  # type: ignore[arg-type]
    admin: Any = _NoTask()
    staff = ScriptedStaff(admin, CAMPAIGN, ground.office().staff, staff_names(2))
    condition = ground.order().condition
    staff.begin(1, condition, {})
    with pytest.raises(AttributeError):  # a list has no "get": what a task is read by
        _ask_for(20.0, lambda: staff.begin(1, condition, {}))
    staff.close()
    assert staff.at_rest()


def _ask_for(seconds: float, call: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        call()
        time.sleep(0.01)


class _Organization:
    """A server that tells its members."""

    def __init__(self) -> None:
        self.members = {1: "owner@x", 2: "ann@x", 3: "bob@x"}

    def read(self, path: str) -> Any:
        if path.endswith("whoami"):
            return {"id": 1}
        return [{"id": user, "email": name} for user, name in self.members.items()]


def test_a_member_who_left_is_named_and_not_waited_for() -> None:
    server: Any = _Organization()
    members = Members(server)
    assert members.names() == ["ann@x", "bob@x"]
    del server.members[3]
    assert members.names() == ["ann@x"]
    assert members.name(3) == "bob@x"
    assert members.name(9) == "user 9"
    assert members.names() == ["ann@x"]
