"""A study started by several processes at once, or killed while its folder is made.

FAULT_RUNS=100 kills at every single step, and else at every few; a tenth as often, processes race.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from hpo.study.study import Progress, Study
from tests.conftest import SMALL
from tests.faults.studies import RUNS
from tests.forks import ended, forked
from tests.heads import FixedHeads

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

EVERY = 1 if RUNS >= 100 else 6
SETTINGS = {**SMALL, "seed": 5, "study": "s", "trials": 2, "confirm": "0"}


def new_study(runs: Path, data: str) -> Study:
    return Study(runs=runs, trainer=FixedHeads(), data=data, **SETTINGS)


@pytest.mark.parametrize("attempt", range(max(1, RUNS // 10)))
def test_processes_started_at_once_end_with_the_same_report(
    attempt: int, warm: str, tmp_path: Path
) -> None:
    def work(out: Path) -> None:
        study = new_study(tmp_path / "runs", warm)  # all at once
        out.write_text(json.dumps(study.run()))
        study.close()

    told = [tmp_path / f"told-{number}" for number in range(4)]
    children = [forked(lambda out=out: work(out)) for out in told]
    assert [ended(child) for child in children] == [0] * 4
    reports = {out.read_text() for out in told}
    assert len(reports) == 1
    stored = (tmp_path / "runs/s/report.json").read_text()
    assert json.loads(stored) == json.loads(reports.pop())


def test_a_second_start_waits_and_names_the_process_that_runs(warm: str, tmp_path: Path) -> None:
    first, second = new_study(tmp_path / "runs", warm), new_study(tmp_path / "runs", warm)
    began, notes = tmp_path / "began", []

    def hold() -> None:
        with first.alone():
            began.write_text("yes")
            until = time.monotonic() + 60
            while not (tmp_path / "waits").exists() and time.monotonic() < until:
                time.sleep(0.01)

    def told(progress: Progress) -> None:
        if progress.note:
            notes.append(progress.note)
            (tmp_path / "waits").write_text("yes")

    child = forked(hold)
    while not began.exists():
        time.sleep(0.01)
    assert second.run(told)["purchases"]
    assert ended(child) == 0
    assert notes == [
        f"Process {child} runs this study. This one waits, and goes on where that ends."
    ]
    assert second.run(told)["purchases"]  # alone: nothing to wait for
    assert len(notes) == 1
    first.close()
    second.close()


def make_and_die(runs: Path, data: str, step: int) -> None:
    """Make a study; the process dies at a step: a file touched, or an SQL statement."""
    count = 0

    def die() -> None:
        nonlocal count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def touched(name: str, arguments: tuple[object, ...]) -> None:
        if name in (
            "open",
            "os.mkdir",
            "os.rename",
            "os.link",
            "os.remove",
            "sqlite3.connect",
        ) and (str(runs) in str(arguments[0])):
            die()

    sys.addaudithook(touched)
    event.listen(Engine, "before_cursor_execute", lambda *_: die())
    event.listen(Engine, "commit", lambda *_: die())
    new_study(runs, data).close()


@pytest.mark.slow
def test_killed_while_the_folder_is_made_a_study_starts_again(warm: str, tmp_path: Path) -> None:
    steps = 0
    killed = True
    while killed:
        step = 1 + steps * EVERY
        runs = tmp_path / f"runs-{step}"
        code = ended(forked(lambda runs=runs, step=step: make_and_die(runs, warm, step)))
        killed = code == -signal.SIGKILL
        assert killed or code == 0, f"step {step}"
        # Two at once: neither waits for the dead process, and one finds its remains first.
        again = [forked(lambda runs=runs: new_study(runs, warm).close()) for _ in range(2)]
        assert [ended(child) for child in again] == [0, 0], f"step {step}"
        study = new_study(runs, warm)
        assert study.trials.all() == []
        assert [entry.kind for entry in study.world.ledger.entries()] == ["cap"]
        assert not list(study.folder.glob(".optuna*")), f"step {step}"
        study.close()
        steps += 1
    assert steps * EVERY >= 60
