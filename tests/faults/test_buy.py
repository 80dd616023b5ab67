"""A purchase beside a study, killed at its durable steps, ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import shutil
import signal
from pathlib import Path

import pytest

import hpo.study.next_purchase
import hpo.trial.versions.merged_labels
from budget.ledger import Ledger
from hpo import Study
from hpo.study.next_purchase import Wish, carry_out, prepare
from labeling import versions
from labeling.store import Store
from tests.conftest import SMALL
from tests.drawn import FAULT_RUNS as RUNS
from tests.faults.steps import watch
from tests.forks import ended, forked
from tests.heads import FixedHeads

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
PLAN = "p0.002-k2-c1-n1"
STEPS: list[tuple[object, str]] = [
    (Ledger, "open"),
    (Ledger, "reserve"),
    (Ledger, "settle"),
    (Store, "order_for"),
    (Store, "add"),
    (versions, "save"),
    (hpo.study.next_purchase, "write_whole"),
]


def buy(folder: Path) -> None:
    purchase = prepare(folder, Wish(plan=PLAN), FixedHeads())
    try:
        carry_out(purchase, lambda doing: None)
    finally:
        purchase.world.close()


def kill_at(step: int, when: str) -> None:
    """Die at a durable step of this process, before or after it."""

    def act(number: int, name: str, moment: str) -> None:
        if (number, moment) == (step, when):
            os.kill(os.getpid(), signal.SIGKILL)

    watch(STEPS, act)


@pytest.mark.drawn
def test_killed_at_durable_steps_it_ends_with_the_same_report(
    small_data: str, tmp_path: Path
) -> None:
    settings = {**SMALL, "data": small_data, "study": "s", "trials": 1}
    study = Study(runs=tmp_path / "template", trainer=FixedHeads(), **settings)
    study.run()
    study.close()
    template = tmp_path / "template/s"
    whole = Path(shutil.copytree(template, tmp_path / "whole/s"))
    buy(whole)
    (report,) = (path.read_bytes() for path in whole.glob("bought/*/report.json"))
    places = [(step, when) for step in range(10) for when in ("before", "after")]
    chosen = places if RUNS >= 100 else random.Random(2).sample(places, max(1, RUNS // 2))
    killed = 0
    for run, (step, when) in enumerate(chosen):
        folder = Path(shutil.copytree(template, tmp_path / f"k{run}/s"))

        def work(folder: Path = folder, step: int = step, when: str = when) -> None:
            kill_at(step, when)
            buy(folder)

        killed += ended(forked(work)) == -signal.SIGKILL
        assert ended(forked(lambda folder=folder: buy(folder))) == 0
        (again,) = (path.read_bytes() for path in folder.glob("bought/*/report.json"))
        assert again == report
    assert killed >= len(chosen) // 2
