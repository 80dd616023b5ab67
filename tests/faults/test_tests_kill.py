"""Killed while it buys labels to measure models by, a study goes on with the same labels."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch

from budget.ledger import Ledger
from hpo.study.study import Study
from labeling.store import Store
from tests import oracle
from tests.faults.steps import watch
from tests.forks import ended, forked
from tests.heads import FixedHeads
from tests.unlabelled import SETTINGS as SMALL
from tests.unlabelled import few_known
from training import evaluate, features, fit

PRELOADED = (torch, evaluate, features, fit)  # so that the children find them imported
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

SETTINGS: dict[str, object] = {
    **SMALL,
    "budget": "1.2",
    "goal": "plan",
    "trials": 2,
    "test_images": 40,
}
STEPS: list[tuple[object, str]] = [
    (Store, "order_of"),
    (Ledger, "reserve"),
    (Store, "add"),
    (Ledger, "settle"),
]


def run_study(runs: Path, found: dict[str, object]) -> None:
    study = Study(runs=runs, trainer=FixedHeads(), **{**SETTINGS, **found})
    study.run()
    study.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], bytes]:
    folder = tmp_path_factory.mktemp("ground")
    found = few_known(folder, 150, 60)
    run_study(folder / "runs", found)
    return found, (folder / "runs/s/report.json").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for _, name in STEPS])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_test_labels_are_bought(
    name: str, when: str, undisturbed: tuple[dict[str, object], bytes], tmp_path: Path
) -> None:
    found, report = undisturbed

    def act(step: int, called: str, moment: str) -> None:
        if called == name and moment == when:  # the first of each is the test labels'
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        watch(STEPS, act)
        run_study(tmp_path, found)

    assert ended(forked(work)) == -signal.SIGKILL
    assert not (tmp_path / "s/report.json").exists()
    assert ended(forked(lambda: run_study(tmp_path, found))) == 0
    assert (tmp_path / "s/report.json").read_bytes() == report
    assert oracle.orders_open(tmp_path / "s") == oracle.held(tmp_path / "s") == 0
    assert oracle.paid_twice(tmp_path / "s") == 0
    told = json.loads(report)
    paid = oracle.paid(tmp_path / "s")
    assert told["money"]["spent"]["micros"] == paid == oracle.settled(tmp_path / "s")
    assert told["money"]["bought"]["tests"] == told["test_labels"]["paid"]
    assert 0 < told["test_labels"]["paid"]["micros"] < paid <= told["money"]["cap"]["micros"]
