"""Commands that read, query or cache, killed at any moment: the next one tells the same.

FAULT_RUNS sets the number of moments.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from hpo.cli.main import main
from tests.drawn import FAULT_RUNS as RUNS
from tests.faults.studies import Undisturbed
from tests.faults.test_flips import FILES, rows_of, tables_of
from tests.forks import RandomKills, cpu_seconds, ended, forked
from tests.heads import quick

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
COMMANDS: dict[str, list[str]] = {
    "report": ["report", "s", "--json"],  # made anew: the stored one is taken away
    "view": ["view", "s", "confidence >= 0.5", "--out", "view.csv"],
    "named view": ["view", "s", "confidence >= 0.5", "--name", "sure"],
    "ledger": ["ledger", "s", "--beancount"],
    "audit": ["audit", "s", "--json"],
}


@pytest.fixture(scope="module")
def runs(undisturbed: Callable[[str], Undisturbed]) -> Path:
    """Runs of a study that has ended; this process has done everything once, for its children."""
    return undisturbed("money").runs


def started(words: Sequence[str], runs: Path, name: str) -> int:
    """Run a command in a child, in the folder of the runs; its output goes to a file."""

    def work() -> int:
        quick()
        return main(words)

    return forked(work, runs.parent / f"{name}.out", runs.parent / f"{name}.err", cwd=runs)


def told(runs: Path, name: str) -> tuple[str, dict[str, bytes]]:
    """The command's output, and the tables that it wrote."""
    return (runs.parent / f"{name}.out").read_text(), {
        path.name: path.read_bytes() for path in runs.glob("*.csv")
    }


def copied(runs: Path, place: Path, command: str) -> Path:
    shutil.copytree(runs, place, symlinks=True)
    if command == "report":
        (place / "s/report.json").unlink()
        shutil.rmtree(place / ".features", ignore_errors=True)
    return place


def content_of(runs: Path) -> dict[str, list[str]]:
    """The rows of orders, answers, ledger and trials; the catalogue is filled by views."""
    rows: dict[str, list[str]] = {}
    for name in FILES:
        path = runs / "s" / name
        with closing(sqlite3.connect(path)) as database:
            database.text_factory = bytes
            for table in tables_of(path):
                if not table.startswith(("catalogue", "views", "seals")):
                    rows[table] = rows_of(database, table)
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_command_leaves_the_next_one_the_same(
    command: str,
    runs: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    words = COMMANDS[command]
    whole = copied(runs, tmp_path / "whole/runs", command)
    seconds = cpu_seconds(started(words, whole, "whole"))
    undisturbed = told(whole, "whole")
    kills = RandomKills(random.Random(command), seconds)
    for run in range(max(2, RUNS // 3)):
        place = copied(runs, tmp_path / f"{run}/runs", command)
        kills.kill(started(words, place, "killed"))
        assert ended(started(words, place, "again")) == 0
        assert told(place, "again") == undisturbed
        assert content_of(place) == content_of(whole)
        shutil.rmtree(tmp_path / f"{run}")
    record_property("kills of commands", kills.killed)
    assert kills.killed
