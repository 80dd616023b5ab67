"""Killed with SIGKILL at any moment, a study started again ends with the same report.

Children are forked from a parent that has imported everything, and a study is killed several times
in a row. Of FAULT_RUNS random moments each kind of study gets its half. Each kind of durable step
is met in one kind of study; FAULT_SEED says in which. From 100 runs on, processes die before and
after every single step of both; from 1,000 on twice before it and thrice after it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from hpo.tracking.clearml.mirror.run_directory import read_run
from hpo.trial.versions import label_versions
from labeling import versions
from tests import oracle
from tests.faults.chains import Moment, kill_at, kill_at_all, of_each_kind
from tests.faults.studies import DURABLE, RUNS, SEED, STUDIES, Undisturbed, chance, run_study
from tests.forks import RandomKills, ended, forked
from training.saved import load_model

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

IN_A_ROW = 5
STEPS = sorted({name for _, name in DURABLE})


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


def is_met(moment: Moment, kind: str) -> bool:
    """Whether processes of a kind of study die at this step."""
    if kind == "tpe":  # only stock samplers get a stand-in
        return moment.step == "enqueue_trial"
    if RUNS >= 100 or moment.step == "order_of":  # of the delivery alone
        return True
    is_here = (STEPS.index(moment.step) + SEED) % 2 == (kind == "delivery")
    return is_here and moment.number == 0  # a process that goes on counts anew


@pytest.mark.parametrize(
    "kind", ["money", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("tpe", "delivery"))]
)
def test_killed_before_and_after_durable_steps(
    kind: str,
    undisturbed: Callable[[str], Undisturbed],
    warm: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    draw, whole = chance("steps", kind), undisturbed(kind)
    moments = [moment for moment in whole.moments if is_met(moment, kind)]
    left = moments if RUNS >= 100 else of_each_kind(moments, draw)
    if RUNS >= 1000:
        left = left * 2 + [moment for moment in left if moment.when == "after"]

    def chain(at: Sequence[Moment]) -> list[Moment]:
        runs = tmp_path / "runs"
        died = kill_at(at, DURABLE, partial(run_study, runs, warm, kind), tmp_path / "log")
        check(runs, whole.report)
        shutil.rmtree(runs)
        return died

    record_property("kills at steps", kill_at_all(left, draw, chain))


@pytest.mark.slow
def test_every_durable_step_is_watched(undisturbed: Callable[[str], Undisturbed]) -> None:
    happened = {moment.step for kind in STUDIES for moment in undisturbed(kind).moments}
    assert happened == set(STEPS)
    told = {kind: json.loads(undisturbed(kind).report) for kind in ("money", "delivery")}
    assert 0 < told["money"]["confirmation"]["share"] < 1
    assert told["delivery"]["delivery"]["tranches"] >= 3


@pytest.mark.drawn
@pytest.mark.parametrize("kind", ["money", pytest.param("delivery", marks=pytest.mark.slow)])
def test_killed_at_random_moments_in_a_row(
    kind: str,
    undisturbed: Callable[[str], Undisturbed],
    warm: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    report, seconds = undisturbed(kind).report, undisturbed(kind).seconds
    kills = RandomKills(chance("moments", kind), seconds / 2)
    while kills.killed < RUNS / 2:
        runs = tmp_path / str(kills.killed)
        work = partial(run_study, runs, warm, kind)
        kills.in_a_row(partial(forked, work), IN_A_ROW)
        assert ended(forked(work)) == 0
        check(runs, report)
        shutil.rmtree(runs)
    record_property("kills at random moments", kills.killed)
