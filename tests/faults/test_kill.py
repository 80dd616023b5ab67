"""Killed with SIGKILL at any moment, a study started again ends with the same report.

Children are forked from a parent that has imported everything, and a study is killed several times
in a row. FAULT_RUNS sets how many random moments are tried; from 100 on, processes die before and
after every single durable step, and not around one of each kind; from 1,000 on twice before it and
thrice after it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
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
from tests.faults.chains import Moment, kill_at, moments_of, of_each_kind
from tests.forks import RandomKills, ended, forked
from tests.heads import FixedHeads
from training import evaluate, features, fit
from training.saved import load_model

# Named so that the children find them imported.
PRELOADED = (torch, alembic.config, alembic.migration, evaluate, features, fit)
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

RUNS = int(os.environ.get("FAULT_RUNS", "10"))
IN_A_ROW = 5
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
    """A study that nothing happens to: its report, CPU seconds and durable moments."""

    report: bytes
    seconds: float
    moments: list[Moment]


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, small_data: str
) -> Callable[[str], Undisturbed]:
    """Runs a kind of study undisturbed, once; this process has run one, for its children."""
    run_study(tmp_path_factory.mktemp("first"), small_data)

    @cache
    def run(kind: str) -> Undisturbed:
        folder = tmp_path_factory.mktemp(f"undisturbed-{kind}")
        work = partial(run_study, folder, small_data, kind)
        moments, seconds = moments_of(DURABLE, work, folder / "log")
        report = (folder / "s/report.json").read_bytes()
        told = json.loads(report)
        if kind == "delivery":
            assert told["delivery"]["tranches"] >= 3
        else:
            assert 0 < told["confirmation"]["share"] < 1
        return Undisturbed(report, seconds, moments)

    return run


def check(runs: Path, report: bytes) -> None:
    """Compare everything of a study that was killed with the one that nothing happened to."""
    assert (runs / "s/report.json").read_bytes() == report
    assert oracle.orders_open(runs / "s") == 0
    assert oracle.paid_twice(runs / "s") == oracle.held(runs / "s") == 0
    assert oracle.settled(runs / "s") == oracle.paid(runs / "s")
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


@pytest.mark.parametrize("kind", STUDIES)
def test_killed_before_and_after_durable_steps(
    kind: str,
    undisturbed: Callable[[str], Undisturbed],
    small_data: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    chance, whole = random.Random(kind), undisturbed(kind)
    left = of_each_kind(whole.moments, chance)
    if RUNS >= 100:
        left = list(whole.moments)
    if RUNS >= 1000:
        left = left * 2 + [moment for moment in left if moment.when == "after"]
    if kind == "tpe":  # only stock samplers get a stand-in
        left = [moment for moment in left if moment.step == "enqueue_trial"]
    killed = 0
    while left:
        runs = tmp_path / str(killed)
        # Half of them, so that some processes do much between two kills; at last all that is left.
        each = dict.fromkeys(left)
        at = [moment for moment in each if len(left) < 30 or chance.random() < 0.5]
        died = kill_at(at, DURABLE, partial(run_study, runs, small_data, kind), tmp_path / "log")
        check(runs, whole.report)
        assert died, f"never reached: {at}"
        for moment in died:
            left.remove(moment)
        killed += len(died)
        shutil.rmtree(runs)
    record_property("kills at steps", killed)


def test_every_durable_step_is_watched(undisturbed: Callable[[str], Undisturbed]) -> None:
    happened = {moment.step for kind in STUDIES for moment in undisturbed(kind).moments}
    assert happened == {name for _, name in DURABLE}


@pytest.mark.parametrize("kind", ["money", "delivery"])
def test_killed_at_random_moments_in_a_row(
    kind: str,
    undisturbed: Callable[[str], Undisturbed],
    small_data: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    report, seconds = undisturbed(kind).report, undisturbed(kind).seconds
    kills = RandomKills(random.Random(5), seconds / 2)
    while kills.killed < RUNS:
        runs = tmp_path / str(kills.killed)
        work = partial(run_study, runs, small_data, kind)
        kills.in_a_row(partial(forked, work), IN_A_ROW)
        assert ended(forked(work)) == 0
        check(runs, report)
        shutil.rmtree(runs)
    record_property("kills at random moments", kills.killed)
