"""Killed with SIGKILL at any moment, a study started again ends with the same report.

Children are forked from a parent that has imported everything. FAULT_RUNS sets how many random
moments are tried; from 100 on, every single durable step is hit as well, not one of each kind.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import alembic.config
import alembic.migration
import optuna
import pytest
import torch

import hpo.settings.run_folder
import hpo.study.study
import hpo.trial.label_versions
from budget.ledger import Ledger
from hpo.study.journal import StudyJournal
from hpo.study.study import Study
from hpo.tracking.clearml.mirror.run_directory import read_run
from labeling import versions
from labeling.store import Store
from tests.conftest import SMALL
from tests.faults.steps import watch
from training import evaluate, features, fit

# Named so that the children find them imported.
PRELOADED = (torch, alembic.config, alembic.migration, evaluate, features, fit)
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

RUNS = int(os.environ.get("FAULT_RUNS", "10"))
SETTINGS = {**SMALL, "seed": 11, "study": "s", "budget": "0.45"}
DURABLE: list[tuple[object, str]] = [
    (hpo.settings.run_folder, "write_whole"),
    (hpo.study.study, "write_whole"),
    (hpo.trial.label_versions, "write_whole"),
    (Ledger, "open"),
    (Ledger, "reserve"),
    (Ledger, "settle"),
    (Store, "order_for"),
    (Store, "add"),
    (versions, "save"),
    (StudyJournal, "write"),
    (optuna.Study, "ask"),
    (optuna.Study, "tell"),
    (optuna.Study, "add_trial"),
    (optuna.Study, "enqueue_trial"),
    (optuna.Study, "set_user_attr"),
    (optuna.Trial, "set_user_attr"),
]


def run_study(runs: Path, data: str, sampler: str = "money") -> None:
    study = Study(runs=runs, **{**SETTINGS, "data": data, "sampler": sampler})
    study.run()
    study.close()


def in_child(work: Callable[[], None]) -> int:
    """Fork, do the work in the child, and return its process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        work()
        status = 0
    finally:
        os._exit(status)


def ended(child: int) -> int:
    """The child's exit status: 0, or minus the signal that killed it."""
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


@dataclass(frozen=True)
class Undisturbed:
    """A study that nothing happens to: its report, its seconds, its durable steps in order."""

    report: bytes
    seconds: float
    steps: list[str]


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, small_data: str
) -> Callable[[str], Undisturbed]:
    """Runs a study of a sampler undisturbed, once."""

    @cache
    def run(sampler: str) -> Undisturbed:
        folder = tmp_path_factory.mktemp(f"undisturbed-{sampler}")
        log = folder / "log"

        def work() -> None:
            with log.open("w") as file:
                watch(DURABLE, lambda _, name, when: when == "before" and file.write(name + "\n"))
                run_study(folder, small_data, sampler)

        start = time.monotonic()
        assert ended(in_child(work)) == 0
        seconds = time.monotonic() - start
        return Undisturbed(
            (folder / "s/report.json").read_bytes(), seconds, log.read_text().split()
        )

    return run


def check(runs: Path, data: str, report: bytes, sampler: str = "money") -> None:
    """Start the study again and compare everything with the one that nothing happened to."""
    assert ended(in_child(lambda: run_study(runs, data, sampler))) == 0
    assert (runs / "s/report.json").read_bytes() == report
    database = sqlite3.connect(runs / "s/labelworth.sqlite")
    one = lambda query: database.execute(query).fetchone()[0]  # noqa: E731
    assert one("SELECT count(*) FROM orders WHERE end_reason IS NULL") == 0
    twice = """SELECT count(*) FROM (
        SELECT 1 FROM answers b JOIN assignments a
        ON a.order_id = b.order_id AND a.id = b.assignment
        JOIN orders o ON o.id = a.order_id
        WHERE NOT b.control GROUP BY o.condition_key, a.annotator, b.task HAVING count(*) > 1)"""
    assert one(twice) == 0
    paid = "SELECT sum(reward_micros + max((reward_micros * 3 + 9) / 10, 1000)) FROM assignments"
    spent = f'"micros": {one(paid)}'
    assert spent in report.decode()
    database.close()
    told = read_run(runs / "s")  # what a mirror is built from
    bought = {row["version"] for row in json.loads(report)["purchases"]}
    assert {row.version for row in told.rows if row.version is not None} == bought
    assert told.report == json.loads(report)
    assert all(
        hpo.trial.label_versions.model_file(runs / "s", c.version).exists() for c in told.children
    )


def kill_at(number: int, when: str, runs: Path, data: str, sampler: str) -> int:
    def act(step: int, name: str, moment: str) -> None:
        if step == number and moment == when:
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        watch(DURABLE, act)
        run_study(runs, data, sampler)

    return ended(in_child(work))


@pytest.mark.parametrize("kind", sorted({name for _, name in DURABLE}))
def test_killed_before_and_after_each_kind_of_durable_step(
    kind: str, undisturbed: Callable[[str], Undisturbed], small_data: str, tmp_path: Path
) -> None:
    sampler = "tpe" if kind == "enqueue_trial" else "money"  # only stock samplers get a stand-in
    steps = undisturbed(sampler).steps
    places = [number for number, name in enumerate(steps) if name == kind]
    assert places, f"{kind} never happens"
    chosen = places if RUNS >= 100 else [random.Random(kind).choice(places)]
    for number in chosen:
        for when in ("before", "after"):
            runs = tmp_path / f"{number}-{when}"
            assert kill_at(number, when, runs, small_data, sampler) == -signal.SIGKILL
            check(runs, small_data, undisturbed(sampler).report, sampler)


def test_killed_at_random_moments_twice_over(
    undisturbed: Callable[[str], Undisturbed], small_data: str, tmp_path: Path
) -> None:
    report, seconds = undisturbed("money").report, undisturbed("money").seconds
    moments = random.Random(5)
    killed = 0
    for run in range(RUNS):
        runs = tmp_path / str(run)
        for _ in range(2):
            child = in_child(lambda runs=runs: run_study(runs, small_data))
            time.sleep(moments.uniform(0, seconds))
            os.kill(child, signal.SIGKILL)
            killed += ended(child) == -signal.SIGKILL
        check(runs, small_data, report)
    assert killed >= RUNS // 2
