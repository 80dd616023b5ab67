"""Which tasks are read for new answers: those changed lately, and once a minute all."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.label_studio import collect
from labeling.label_studio.collect import Collector, Members
from labeling.label_studio.labeling_config import ROW
from labeling.label_studio.project import Project
from tests.labeling.label_studio.ground import CAMPAIGN


class _Server:
    """A server with one task, full or not, that tells its time of change only when asked so."""

    def __init__(self) -> None:
        self.is_labeled = False
        self.asked: list[str | None] = []

    def tasks(self, project: int, since: str | None = None) -> list[dict[str, Any]]:
        self.asked.append(since)
        task = {
            "id": 1,
            "data": {ROW: 0},
            "annotations": [],
            "overlap": 2,
            "is_labeled": self.is_labeled,
            "updated_at": "2026-01-01T00:00:00+00:00",
        }
        return [task] if since is None or len(self.asked) < 3 else []


def test_a_mark_without_a_time_of_change_is_seen_within_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(collect.time, "monotonic", lambda: now[0])
    server: Any = _Server()
    project = Project(server, 1)
    collector = Collector(server, CAMPAIGN, Members(server), project, ())
    collector.fresh()
    collector.fresh()
    server.is_labeled = True
    now[0] = 59.0
    collector.fresh()
    assert not project.tasks[0].is_full
    now[0] = 60.0
    collector.fresh()
    assert project.tasks[0].is_full
    assert [since is None for since in server.asked] == [True, False, False, True]
