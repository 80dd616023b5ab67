"""Which trials on agents are alive: by the lock of their process, their task, and their agent.

An agent that is killed, or dies with its machine, sends no message: its task stays in progress
until the server's watchdog stops it after two hours. A trial's process holds a lock in the run
directory while it lives, and reports to the server several times a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from budget.files import is_locked, locked
from hpo.tracking.clearml.server.connection import Remote

SILENT_S = 70.0
"""Seconds without a report of a trial's process or agent, after which the trial is dead. Agents
report every 30 s."""
_SUSPECT = 0.2  # share of them after which the agents are asked, too
_LOOK = 0.15  # share of them between two looks at the agents


@dataclass(slots=True)
class _Heard:
    """The last report of a trial: its time, and the marks of its task and its agent."""

    at: float
    task: str
    agent: str | None = None


class Liveness:
    """Watches the tasks of trials that are in progress.

    Args:
        remote: the server.
        folder: the run directory.
        silent_s: seconds of silence after which a trial without a process is dead.
        clock: tells the seconds; for tests.
    """

    def __init__(
        self,
        remote: Remote,
        folder: Path,
        silent_s: float = SILENT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._remote = remote
        self._folder = folder
        self._silent_s = silent_s
        self._clock = clock
        self._heard: dict[str, _Heard] = {}
        self._looked = clock() - silent_s

    def dead(self, updates: Mapping[str, str]) -> set[str]:
        """The tasks whose trials are dead.

        Args:
            updates: the server's time of the last report of each task in progress.

        Raises:
            MirrorUnavailable: the server is away.
        """
        now = self._clock()
        self._heard = {task: heard for task, heard in self._heard.items() if task in updates}
        for task, said in updates.items():
            heard = self._heard.setdefault(task, _Heard(now, said))
            if heard.task != said or is_locked(trial_lock(self._folder, task)):
                heard.at, heard.task = now, said
        if any(self.silence(task) > _SUSPECT * self._silent_s for task in updates):
            self._ask_for_agents(now)
        return {task for task in updates if self.silence(task) > self._silent_s}

    def silence(self, task: str) -> float:
        """Seconds since the last report of a task in progress."""
        return self._clock() - self._heard[task].at if task in self._heard else 0.0

    def _ask_for_agents(self, now: float) -> None:
        """An agent that reports keeps its task alive: it may still prepare the trial."""
        if now - self._looked < _LOOK * self._silent_s:
            return
        self._looked = now
        for worker in self._remote.call("workers.get_all", {})["workers"]:
            heard = self._heard.get(str((worker.get("task") or {}).get("id")))
            if heard is not None:
                said = _last_words(worker)
                if heard.agent not in (None, said):
                    heard.at = now
                heard.agent = said


def _last_words(worker: Mapping[str, Any]) -> str:
    names = ("id", "last_activity_time", "last_report_time")
    return " ".join(str(worker.get(name)) for name in names)


def trial_lock(folder: Path, task: str) -> Path:
    """The lock of a task's trial, which its process holds while it lives."""
    return folder / "locks" / f"trial-{task}"


@contextmanager
def living(folder: Path, task: str) -> Iterator[None]:
    """Be the process of a task's trial. Waits until another such process has ended."""
    with locked(trial_lock(folder, task)):
        yield
