"""A signal ends a study at once, also while the ClearML server is away or never answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from budget.files import is_locked
from tests import ROOT
from tests.clearml_server import StandIn
from tests.clearml_server.faults import DROPPED
from tests.conftest import SMALL

pytest.importorskip("clearml")
ENGINE = ["--engine", "clearml"]
ONE_OF_EACH = (("how", "number"), [("silent", signal.SIGINT), ("dropped", signal.SIGTERM)])
LONGEST_S = 20.0  # five for a goodbye; the rest is for a busy machine


@pytest.fixture
def start(
    stand_in: StandIn, small_data: str, tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command in a process group of its own, as a terminal does."""
    begun: list[subprocess.Popen[str]] = []

    def run(*words: str) -> subprocess.Popen[str]:
        flags = ["--data", small_data, "--study", "s", *words]
        for name, value in SMALL.items():
            flags += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
        child = subprocess.Popen(
            [sys.executable, "-m", "hpo.run", *flags],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        begun.append(child)
        return child

    yield run
    mirror = tmp_path / "runs/s/clearml.lock"  # its process outlives the study by minutes
    if mirror.exists() and is_locked(mirror):
        os.kill(int(mirror.read_text()), signal.SIGKILL)
    stand_in.faults.clear()
    for child in begun:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def until(what: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 90
    while not what():
        assert child.poll() is None
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


@pytest.mark.parametrize(*ONE_OF_EACH)
def test_trials_that_wait_for_agents(
    how: str, number: int, stand_in: StandIn, start: Callable[..., subprocess.Popen[str]]
) -> None:
    child = start(*ENGINE, "--queue", "default")
    until(lambda: trials(stand_in) == ["queued", "queued"], child)
    away(stand_in, how)
    polls = stand_in.requests["tasks.get_all"]
    until(lambda: stand_in.requests["tasks.get_all"] > polls, child)  # it waits for an answer now
    child.send_signal(number)
    _, said = child.communicate(timeout=LONGEST_S)
    assert child.returncode == 128 + number
    assert "trials in its queue stay there" in said
    assert "the same command goes on where it stood" in said
    assert "Traceback" not in said


def test_trials_that_are_processes_of_this_machine(
    stand_in: StandIn, start: Callable[..., subprocess.Popen[str]]
) -> None:
    child = start(*ENGINE, "--start-locally")
    until(lambda: "in_progress" in trials(stand_in), child)
    away(stand_in, "silent")
    time.sleep(1)
    os.killpg(child.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches the trials, too
    _, said = child.communicate(timeout=LONGEST_S)
    assert child.returncode == 130
    assert "Traceback" not in said
    end = time.monotonic() + LONGEST_S
    while not is_alone(child.pid):
        assert time.monotonic() < end, "a trial's process hangs"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("how", "number"), [("silent", signal.SIGINT), ("dropped", signal.SIGTERM)]
)
def test_a_mirrored_study(
    how: str,
    number: int,
    stand_in: StandIn,
    start: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    child = start("--clearml", "on")
    until(lambda: bool(trials(stand_in)), child)
    away(stand_in, how)
    child.send_signal(number)
    _, said = child.communicate(timeout=LONGEST_S)
    assert child.returncode == 128 + number
    assert is_locked(tmp_path / "runs/s/clearml.lock"), "the mirror does not go on trying"
    assert "labelworth publish runs/s completes it" in said
    assert "Traceback" not in said
