"""Mirror a run directory: once, or following a study while it runs."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from budget.errors import InputError, MirrorRefused, MirrorUnavailable
from budget.files import try_locked
from hpo.tracking.clearml.choices import chosen, leave_state
from hpo.tracking.clearml.mirror.run_directory import RunDirectory, read_run
from hpo.tracking.clearml.mirror.sync import Mirror, Mirrored, Watch
from hpo.tracking.clearml.server.connection import Remote

LOCK = "clearml.lock"
"""The lock of the mirror at work. The file holds its process number and its state."""
_RETRIES = "retries after its study"

_POLL_S = 0.5
_AGENT_S = 2.0  # until the next look at an agent that has bought, but not ended
_HEARTBEAT_S = 300.0  # the server stops a silent task after two hours
_LONGEST_PAUSE_S = 30.0
_GRACE_S = 600.0  # how long a mirror tries after its study, while the server does not answer
_PATIENCE_S = 30.0  # how long publishing waits for another mirror, and for the server

Log = Callable[[str], None]


def standing(run: RunDirectory, running: bool) -> tuple[str, str]:
    """A study's controller: its final status, and the reason."""
    if run.report is not None:
        return "completed", str(run.report["stopped"])
    if running:
        return "in_progress", "searching"
    return "stopped", "the study was stopped; the same command goes on where it stood"


def publish(
    folder: Path,
    external: str | None,
    watch: Watch,
    project: str | None = None,
    pictures: bool | None = None,
) -> Mirrored:
    """Write a run directory to a ClearML server, and wait until it is there.

    Args:
        folder: the run directory.
        external: address of the images on the web; None uploads them.
        watch: told of progress.
        project: the project that holds the studies' projects; None for the last choice.
        pictures: whether the server gets images; None for the last choice.

    Raises:
        InputError: no study in the folder, ClearML not configured, or another mirror at work.
        MirrorUnavailable: the server does not answer. The records on it stay.
        MirrorRefused: the server does not accept the keys.
    """
    run = read_run(folder)
    with only_mirror(folder, _PATIENCE_S, takes_over=True):
        choices = chosen(folder, external, project, pictures)
        mirror, far, deadline, pause = None, -1, 0.0, 1.0
        while True:
            try:
                mirror = mirror or Mirror(Remote(), folder, choices)
                outcome = mirror.bring(run, *standing(run, running=False), watch)
                break
            except MirrorUnavailable:
                now, there = time.monotonic(), len(mirror.ids) if mirror else 0
                if there > far:  # patience begins anew after progress
                    far, deadline, pause = there, now + _PATIENCE_S, 1.0
                if now + pause > deadline:
                    raise
            time.sleep(pause)
            pause *= 2
        _leave(folder, mirror, outcome)
        return outcome


def _leave(folder: Path, mirror: Mirror, outcome: Mirrored) -> None:
    """Write the state of the work, for people and for the study's last line. It is only a cache."""
    facts: dict[str, Any] = {
        "page": outcome.page,
        "table": outcome.table,
        "done": outcome.done,
        "wanted": outcome.wanted,
        "problems": outcome.problems,
        "ids": mirror.ids,
    }
    leave_state(folder, mirror.choices, facts)


@contextmanager
def only_mirror(folder: Path, patience: float, takes_over: bool = False) -> Iterator[None]:
    """Be the only mirror of a run directory on this machine.

    Args:
        folder: the run directory.
        patience: seconds to wait for another mirror.
        takes_over: end a mirror that only retries after its study. Its records stay.

    Raises:
        InputError: another mirror is still at work after them.
    """
    path, deadline = folder / LOCK, time.monotonic() + patience
    with ExitStack() as stack:
        while not stack.enter_context(try_locked(path)):
            stack.close()
            process, _, does = path.read_text().strip().partition(" ")
            if takes_over and does == _RETRIES:
                with suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGTERM)
            elif time.monotonic() > deadline:
                raise InputError(
                    f"{folder}: process {process} mirrors it to ClearML now; let it finish"
                )
            time.sleep(0.2)
        path.write_text(f"{os.getpid()}\n")
        yield


# --- while a study runs ---


@dataclass(slots=True)
class _Follower:
    """A mirror that keeps up with a running study.

    Attributes:
        seen: the journal's state at the last complete pass; None before it.
        pause: seconds until the next try after the server did not answer.
    """

    folder: Path
    external: str | None
    log: Log
    mirror: Mirror | None = None
    seen: tuple[int, bool] | None = None
    pause: float = 0.0
    next_try: float = 0.0
    beat: float = 0.0

    def step(self, running: bool) -> bool:
        """Mirror the news. Returns whether nothing is left to mirror now."""
        now = time.monotonic()
        mark = (_size(self.folder / "journal.jsonl"), running)
        if mark == self.seen:
            self._heartbeat(now)
            return True
        if now < self.next_try:
            return False
        try:
            waiting = self._bring(running)
        except MirrorUnavailable as error:
            if not running:  # from now on `publish` may take over
                (self.folder / LOCK).write_text(f"{os.getpid()} {_RETRIES}\n")
            self.pause = min(_LONGEST_PAUSE_S, 2 * self.pause or 1.0)
            self.next_try = time.monotonic() + self.pause
            self.log(f"{error}; trying again in {self.pause:.0f} s")
            return False
        self.seen, self.pause, self.beat = mark, 0.0, time.monotonic()
        if waiting:
            self.seen, self.next_try = None, self.beat + _AGENT_S
        return not waiting

    def _bring(self, running: bool) -> int:
        """Mirror the run directory. Returns how many label sets an agent still works on."""
        if self.mirror is None:
            self.mirror = Mirror(Remote(), self.folder, chosen(self.folder, self.external))
        run = read_run(self.folder)
        outcome = self.mirror.bring(run, *standing(run, running), lambda *_: None)
        _leave(self.folder, self.mirror, outcome)
        self.log(f"{outcome.done} of {outcome.wanted} label sets: {outcome.page}")
        for problem in outcome.problems:
            self.log(problem)
        return outcome.waiting

    def _heartbeat(self, now: float) -> None:
        if self.mirror is None or now - self.beat < _HEARTBEAT_S:
            return
        self.beat = now
        try:
            self.mirror.heartbeat(read_run(self.folder))
        except (MirrorUnavailable, MirrorRefused) as error:
            self.log(f"heartbeat: {error}")


def follow(folder: Path, external: str | None) -> None:
    """Mirror a study until its process closes our standard input, then mirror the rest.

    Server errors do not raise: they are logged, and left for `labelworth publish`.
    """

    def log(words: str) -> None:
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {words}", flush=True)

    os.nice(5)  # the study comes first
    follower = _Follower(folder, external, log)
    ended: float | None = None
    try:
        with only_mirror(folder, _GRACE_S):
            while True:
                if ended is None and _let_go(_POLL_S):
                    ended = time.monotonic()
                elif ended is not None:
                    time.sleep(_POLL_S)
                whole = _begun(folder) and follower.step(running=ended is None)
                if ended is not None and (whole or not _begun(folder)):
                    return
                if ended is not None and time.monotonic() - ended > _GRACE_S:
                    log(f"the server does not answer; labelworth publish {folder} goes on")
                    return
    except (InputError, MirrorRefused) as error:
        log(str(error))


def _let_go(seconds: float) -> bool:
    """Wait. True once the other end of our standard input is closed."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready) and os.read(sys.stdin.fileno(), 1024) == b""


def _begun(folder: Path) -> bool:
    return _size(folder / "journal.jsonl") > 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
