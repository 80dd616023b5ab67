"""Killed with SIGKILL at any moment, a study started again ends with the same report.

Children are forked from a parent that has imported everything. FAULT_RUNS sets how many random
moments are tried; from 100 on, every single durable step is hit as well, not one of each kind.
"""

from __future__ import annotations

import json
import os
import random
import signal
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
import hpo.settings.stored_answer
from budget.ledger import Ledger
from hpo.study.journal import StudyJournal
from hpo.study.study import Study
from hpo.tracking.clearml.mirror.run_directory import read_run
from hpo.trial.versions import label_versions
from labeling import versions
from labeling.store import Store
from tests import oracle
from tests.conftest import SMALL
from tests.faults.steps import watch
from tests.forks import RandomKills, ended, forked
from tests.heads import FixedHeads
from training import evaluate, features, fit
from training.saved import load_model

# Named so that the children find them imported.
PRELOADED = (torch, alembic.config, alembic.migration, evaluate, features, fit)
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

RUNS = int(os.environ.get("FAULT_RUNS", "10"))
SETTINGS = {**SMALL, "seed": 5, "study": "s", "price": "0.001,0.002"}
SETTINGS |= {"budget": "0.14", "confirm": "0.05"}  # bears a part of the confirmation
STUDIES: dict[str, dict[str, object]] = {
    "money": {},
    "tpe": {"sampler": "tpe"},
    "delivery": {"goal": "model", "budget": "0.4", "learn": "20%", "confirm": None},
}
DURABLE: list[tuple[object, str]] = [
    (hpo.settings.run_folder, "write_whole"),
    (hpo.settings.stored_answer, "write_whole"),
    (label_versions, "write_whole"),
    (Ledger, "open"),
    (Ledger, "reserve"),
    (Ledger, "settle"),
    (Store, "order_for"),
    (Store, "order_of"),
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


def run_study(runs: Path, data: str, kind: str = "money") -> None:
    settings = {**SETTINGS, "data": data, **STUDIES[kind]}
    study = Study(runs=runs, trainer=FixedHeads(), **settings)
    study.run()
    study.close()


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
    """Runs a kind of study undisturbed, once; this process has run one, for its children."""
    run_study(tmp_path_factory.mktemp("first"), small_data)

    @cache
    def run(kind: str) -> Undisturbed:
        folder = tmp_path_factory.mktemp(f"undisturbed-{kind}")
        log = folder / "log"

        def work() -> None:
            with log.open("w") as file:
                watch(DURABLE, lambda _, name, when: when == "before" and file.write(name + "\n"))
                run_study(folder, small_data, kind)

        start = time.monotonic()
        assert ended(forked(work)) == 0
        seconds = time.monotonic() - start
        report = (folder / "s/report.json").read_bytes()
        told = json.loads(report)
        if kind == "delivery":
            assert told["delivery"]["tranches"] >= 3
        else:
            assert 0 < told["confirmation"]["share"] < 1
        return Undisturbed(report, seconds, log.read_text().split())

    return run


def check(runs: Path, data: str, report: bytes, kind: str = "money") -> None:
    """Start the study again and compare everything with the one that nothing happened to."""
    assert ended(forked(lambda: run_study(runs, data, kind))) == 0
    assert (runs / "s/report.json").read_bytes() == report
    assert oracle.orders_open(runs / "s") == 0
    assert oracle.paid_twice(runs / "s") == 0
    assert f'"micros": {oracle.paid(runs / "s")}' in report.decode()
    told = read_run(runs / "s")  # what a mirror is built from
    bought = {row["version"] for row in json.loads(report)["purchases"]}
    assert {row.version for row in told.rows if row.version is not None} == bought
    assert told.report == json.loads(report)
    if made := told.report["delivery"]:
        assert len(told.deliveries) == 1
        version = versions.load(made["labels"]["version"], runs)
        assert (runs / "s/labels.csv").read_bytes() == (version.path / "labels.csv").read_bytes()
        assert load_model(runs / "s/model.safetensors").facts["labels"] == version.id
    assert all(label_versions.model_file(runs / "s", c.version).exists() for c in told.children)


def kill_at(number: int, when: str, runs: Path, data: str, kind: str) -> int:
    def act(step: int, name: str, moment: str) -> None:
        if step == number and moment == when:
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        watch(DURABLE, act)
        run_study(runs, data, kind)

    return ended(forked(work))


@pytest.mark.parametrize("kind", sorted({name for _, name in DURABLE}))
def test_killed_before_and_after_each_kind_of_durable_step(
    kind: str,
    undisturbed: Callable[[str], Undisturbed],
    small_data: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    asked = "tpe" if kind == "enqueue_trial" else "money"  # only stock samplers get a stand-in
    studies = ["delivery"] if kind == "order_of" else [asked, "delivery"]
    happened = killed = 0
    for study in studies:
        steps = undisturbed(study).steps
        places = [number for number, name in enumerate(steps) if name == kind]
        happened += len(places)
        for number in places if RUNS >= 100 else random.Random(kind).sample(places, bool(places)):
            for when in ("before", "after"):
                runs = tmp_path / f"{study}-{number}-{when}"
                assert kill_at(number, when, runs, small_data, study) == -signal.SIGKILL
                killed += 1
                check(runs, small_data, undisturbed(study).report, study)
    record_property("kills at steps", killed)
    assert happened, f"{kind} never happens"


@pytest.mark.parametrize("kind", ["money", "delivery"])
def test_killed_at_random_moments_twice_over(
    kind: str,
    undisturbed: Callable[[str], Undisturbed],
    small_data: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    report, seconds = undisturbed(kind).report, undisturbed(kind).seconds
    kills = RandomKills(random.Random(5), seconds)
    for run in range(RUNS):
        runs = tmp_path / str(run)
        for is_first in (True, False):
            child = forked(lambda runs=runs: run_study(runs, small_data, kind))
            kills.kill(child, is_whole=is_first)
        check(runs, small_data, report, kind)
    record_property("kills at random moments", kills.killed)
    assert kills.killed >= RUNS // 2
