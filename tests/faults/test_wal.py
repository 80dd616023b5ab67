"""A write-ahead log that lost its end, at any frame or inside one, takes commits and no more.

FAULT_RUNS sets how many states of the log are looked at; each of a few is gone on with.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import budget.ledger
from hpo.cli.main import main
from hpo.study.study import Study
from tests import oracle
from tests.faults.test_kill import SETTINGS, run_study
from tests.forks import ended, forked
from tests.heads import FixedHeads

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
RUNS = int(os.environ.get("FAULT_RUNS", "10"))
NAMES = ("labelworth.sqlite", "optuna.sqlite")
HEADER, FRAME = 32, 24 + 4096
CAP = 140_000  # micro-dollars


@pytest.fixture(scope="module")
def cut_off(small_data: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A finished study whose logs hold everything, as after a power cut; and its report."""
    whole, runs = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("cut")
    run_study(whole, small_data)

    def work() -> None:
        # The ledger empties its log after each entry, and SQLite after a thousand pages.
        budget.ledger.checkpoint = lambda engine: None
        connect = sqlite3.connect

        def keeping(*args: object, **options: object) -> sqlite3.Connection:
            made = connect(*args, **options)  # type: ignore[call-overload]
            made.execute("PRAGMA wal_autocheckpoint=0")
            return made  # type: ignore[no-any-return]

        sqlite3.connect = keeping  # type: ignore[assignment]
        sqlite3.dbapi2.connect = keeping  # type: ignore[assignment]
        Study(runs=runs, trainer=FixedHeads(), **{**SETTINGS, "data": small_data}).run()
        os._exit(0)  # SQLite would empty the logs at a normal end

    assert ended(forked(work)) == 0
    assert all((runs / f"s/{name}-wal").stat().st_size > 50 * FRAME for name in NAMES)
    return runs / "s", (whole / "s/report.json").read_bytes()


def states_of(log: Path, count: int) -> list[int]:
    """Lengths to which a log is cut: ends of frames, and places inside them."""
    size, chance = log.stat().st_size, random.Random(log.name)
    ends = range(HEADER, size + 1, FRAME)
    chosen = [ends[-1], *chance.sample(ends, min(len(ends), count // 2))]
    return [*chosen, *(chance.randrange(size) for _ in range(count - len(chosen)))]


def test_a_cut_log_is_an_earlier_state_or_refused(
    cut_off: tuple[Path, bytes],
    small_data: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    source, report = cut_off
    codes = []
    for name in NAMES:
        states = states_of(source / f"{name}-wal", max(4, RUNS))
        for number, length in enumerate(states):
            folder = tmp_path / f"{name}-{number}/s"
            shutil.copytree(source, folder)
            (folder / f"{name}-shm").unlink(missing_ok=True)
            os.truncate(folder / f"{name}-wal", length)
            codes.append(main(["status", str(folder)]))
            said = capsys.readouterr()
            assert codes[-1] in (0, 2, 6), f"{name} at {length}: {said.err}"
            assert len(said.err.splitlines()) == (codes[-1] != 0), said.err
            if number < 3:
                is_told = codes[-1] == 0 and told_in(folder) == len(json.loads(report)["purchases"])
                go_on(folder, small_data, report if is_told else None, f"{name} at {length}")
            shutil.rmtree(folder.parent)
    record_property("cut logs", len(codes))
    assert 0 < codes.count(0) < len(codes)


def told_in(folder: Path) -> int:
    """Purchases that the trials tell of."""
    with closing(sqlite3.connect(folder / NAMES[1])) as trials:
        rows = trials.execute(
            "SELECT count(*) FROM trials JOIN trial_user_attributes USING (trial_id) "
            "WHERE state = 'COMPLETE' AND key = 'bought' AND value_json = 'true'"
        )
        return int(rows.fetchone()[0])


def go_on(folder: Path, data: str, report: bytes | None, what: str) -> None:
    """Start the study again: it ends as the whole one did, or refuses to buy.

    Where trials are lost whose orders are there, trials that come tell of these orders: no money is
    lost, but the report, None here, may tell of other purchases.
    """
    code = ended(forked(lambda: run_study(folder.parent, data), folder.parent / "said"))
    said = (folder.parent / "said").read_text()
    if code:
        assert "budget.errors.LedgerCorrupt" in said, f"{what}: {said[-1500:]}"
        return
    assert report in (None, (folder / "report.json").read_bytes()), what
    assert oracle.paid_twice(folder) == 0
    assert oracle.settled(folder) == oracle.paid(folder) <= CAP, what
