"""A signal ends a study at once, also while the ClearML server is away or never answers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from budget.files import is_locked
from tests.clearml_server import StandIn
from tests.clearml_server.faults import DROPPED
from tests.commands import Running, small_flags

pytest.importorskip("clearml")
ENGINE = ["--engine", "clearml"]
ONE_OF_EACH = (("how", "number"), [("silent", signal.SIGINT), ("dropped", signal.SIGTERM)])
LONGEST_S = 20.0  # five for a goodbye; the rest is for a busy machine


@pytest.fixture
def start(stand_in: StandIn, small_data: str, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts the command in a process group of its own, as a terminal does."""
    begun: list[Running] = []

    def run(*words: str) -> Running:
        flags = small_flags(small_data, study="s", budget="20")  # it does not end by itself
        begun.append(Running(*flags, *words, cwd=tmp_path, group=True))
        return begun[-1]

    yield run
    mirror = tmp_path / "runs/s/clearml.lock"  # its process outlives the study by minutes
    if mirror.exists() and is_locked(mirror):
        os.kill(int(mirror.read_text()), signal.SIGKILL)
    stand_in.faults.clear()
    for command in begun:
        if command.running():
            os.killpg(command.pid, signal.SIGKILL)
            command.end()


def until(what: Callable[[], bool], command: Running) -> None:
    end = time.monotonic() + 90
    while not what():
        assert command.running(), command.said
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


def away(server: StandIn, how: str) -> None:
    if how == "silent":
        server.faults.silent()
    else:
        server.faults.down(DROPPED)


def trials(server: StandIn) -> list[str]:
    return [t["status"] for t in server.api.tasks if t["type"] == "training" and t["parent"]]


def is_alone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize(*ONE_OF_EACH)
def test_trials_that_wait_for_agents(
    how: str, number: int, stand_in: StandIn, start: Callable[..., Running]
) -> None:
    command = start(*ENGINE, "--queue", "default")
    until(lambda: trials(stand_in) == ["queued", "queued"], command)
    away(stand_in, how)
    polls = stand_in.requests["tasks.get_all"]
    until(lambda: stand_in.requests["tasks.get_all"] > polls, command)  # it waits for an answer now
    command.send(number)
    done = command.end(LONGEST_S)
    said = done.stderr
    assert done.returncode == 128 + number
    assert "trials in its queue stay there" in said
    assert "the same command goes on where it stood" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_trials_that_are_processes_of_this_machine(
    stand_in: StandIn, start: Callable[..., Running]
) -> None:
    command = start(*ENGINE, "--start-locally")
    until(lambda: "in_progress" in trials(stand_in), command)
    away(stand_in, "silent")
    time.sleep(1)
    os.killpg(command.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches the trials, too
    done = command.end(LONGEST_S)
    said = done.stderr
    assert done.returncode == 130
    assert "Traceback" not in said
    end = time.monotonic() + LONGEST_S
    while not is_alone(command.pid):
        assert time.monotonic() < end, "a trial's process hangs"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "number"), [("silent", signal.SIGINT), ("dropped", signal.SIGTERM)]
)
def test_a_mirrored_study(
    how: str,
    number: int,
    stand_in: StandIn,
    start: Callable[..., Running],
    tmp_path: Path,
) -> None:
    command = start("--clearml", "on")
    until(lambda: bool(trials(stand_in)), command)
    away(stand_in, how)
    command.send(number)
    done = command.end(LONGEST_S)
    said = done.stderr
    assert done.returncode == 128 + number
    assert is_locked(tmp_path / "runs/s/clearml.lock"), "the mirror does not go on trying"
    assert "labelworth publish runs/s completes it" in said
    assert "Traceback" not in said
