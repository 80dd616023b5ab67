"""A write-ahead log that lost its end, at any frame or inside one, takes commits and no more.

FAULT_RUNS sets how many states of the log are looked at; each of a few is gone on with.

A study that lost entries of its accounts is refused. One that lost trials goes on, as the accounts
hold all that was bought. Which plan an order was bought for stands in the trial alone: at a start,
all orders of a condition that no trial tells of become one purchase, of the largest plan owned. In
this study the last purchase is the largest of its condition. So the report equals the undisturbed
one where no purchase's trial was lost, or only the last. Where the last two were, which bought in
one condition, the report has one purchase at both prices; its money is the same. A kill leaves no
such state: a trial is on disk before its order. Only a disk that loses what it has synced does.
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
from tests.faults.studies import RUNS, SETTINGS, Undisturbed, run_study
from tests.forks import ended, forked
from tests.heads import FixedHeads

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
NAMES = ("labelworth.sqlite", "optuna.sqlite")
REFUSED = 6
HEADER, FRAME = 32, 24 + 4096
GONE_ON = min(6, max(1, RUNS // 5))


@pytest.fixture(scope="module")
def cut_off(warm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study whose logs hold everything, as after a power cut."""
    runs = tmp_path_factory.mktemp("cut")

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
        Study(runs=runs, trainer=FixedHeads(), **{**SETTINGS, "data": warm}).run()
        os._exit(0)  # SQLite would empty the logs at a normal end

    assert ended(forked(work)) == 0
    assert all((runs / f"s/{name}-wal").stat().st_size > 50 * FRAME for name in NAMES)
    return runs / "s"


def states_of(log: Path, count: int) -> list[int]:
    """Lengths to which a log is cut: ends of frames, and places inside them."""
    size, chance = log.stat().st_size, random.Random(log.name)
    ends = range(HEADER, size + 1, FRAME)
    chosen = [ends[-1], *chance.sample(ends, min(len(ends), count // 2))]
    return [*chosen, *(chance.randrange(size) for _ in range(count - len(chosen)))]


@pytest.mark.drawn
def test_a_cut_log_is_an_earlier_state_or_refused(
    cut_off: Path,
    undisturbed: Callable[[str], Undisturbed],
    warm: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    report, codes = undisturbed("money").report, []
    for name in NAMES:
        states = states_of(cut_off / f"{name}-wal", max(4, RUNS))
        for number, length in enumerate(states):
            folder = tmp_path / f"{name}-{number}/s"
            shutil.copytree(cut_off, folder)
            (folder / f"{name}-shm").unlink(missing_ok=True)
            os.truncate(folder / f"{name}-wal", length)
            codes.append(main(["status", str(folder)]))
            said = capsys.readouterr()
            assert codes[-1] in (0, 2, 6), f"{name} at {length}: {said.err}"
            assert len(said.err.splitlines()) == (codes[-1] != 0), said.err
            if number < GONE_ON:
                go_on(folder, warm, report, codes[-1], f"{name} at {length}")
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


def go_on(folder: Path, data: str, report: bytes, status: int, what: str) -> None:
    """Start the study again: it ends as the whole one did, but for lost trials, or is refused."""
    lost = len(json.loads(report)["purchases"]) - (told_in(folder) if status == 0 else 0)
    said = folder.parent / "said"
    code = ended(forked(lambda: run_study(folder.parent, data), said))
    if status == REFUSED:
        assert code, what
        assert "budget.errors.LedgerCorrupt" in said.read_text(), f"{what}: {said.read_text()}"
        return
    assert code == 0, f"{what}: {said.read_text()[-1500:]}"
    again = (folder / "report.json").read_bytes()
    assert again == report or lost > 1, what
    assert json.loads(again)["money"] == json.loads(report)["money"], what
    assert oracle.paid_twice(folder) == 0
    assert oracle.settled(folder) == oracle.paid(folder), what
