"""Killed with SIGKILL while a machine is asked: nothing is paid for twice, and the books hold.

FAULT_RUNS sets how many moments are tried.
"""

from __future__ import annotations

import os
import random
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from hpo.study.delivery.machine_purchase import buy_machine_answers, try_machine
from hpo.study.study import Study
from hpo.trial.purchase import paid_of
from hpo.trial.versions.machine.worth import machine_rest
from labeling.machine import is_machine
from tests.conftest import SMALL
from tests.drawn import FAULT_RUNS as RUNS
from tests.forks import ended, forked
from tests.heads import FixedHeads
from tests.labeling.machine.stand_in import endpoint, settings_file

FAULTS = ("drop", "lost after billing", "truncate", "slow", "no usage")
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def study_in(folder: Path, data: str, machine: Path) -> Study:
    settings = {**SMALL, "study": "m", "seed": 3, "budget": "0.2", "machine": f"endpoint:{machine}"}
    settings["goal"] = "model"
    return Study(runs=folder, trainer=FixedHeads(), data=data, **settings)


def ask(folder: Path, data: str, machine: Path) -> int:
    """The trial, half of the rest, and the other half, as a study buys them."""
    study = study_in(folder, data, machine)
    try_machine(study.world, lambda line: None)
    part = machine_rest(None, study.world).rows
    buy_machine_answers(study.world, lambda line: None, part[: len(part) // 2])
    buy_machine_answers(study.world, lambda line: None)
    study.close()
    return 0


def out_of(folder: Path) -> tuple[Path, Path]:
    return folder / "out", folder / "err"


@pytest.mark.slow
def test_a_kill_at_any_moment_pays_for_no_image_twice(tmp_path: Path, small_data: str) -> None:
    rng = random.Random(5)
    length = 0.0
    for run in range(min(RUNS, 50) + 1):
        folder = tmp_path / f"run{run}"
        folder.mkdir()
        with endpoint(0.15, run, FAULTS) as (url, bill):
            machine = settings_file(folder, url, image_side=8, concurrency=3)
            begun = time.monotonic()
            work = partial(ask, folder, small_data, machine)
            child = forked(work, *out_of(folder), folder, {})
            if run:  # the first run is not killed: it says how long a run takes
                time.sleep(rng.uniform(0.05, 0.95) * length)
                os.kill(child, signal.SIGKILL)
            ended(child)
            length = length if run else time.monotonic() - begun
            ask(folder, small_data, machine)
            billed, requests = bill.micros(1, 4), sum(bill.faults.values())
            ask(folder, small_data, machine)
            assert sum(bill.faults.values()) == requests  # a study that goes on asks for nothing
        study = study_in(folder, small_data, machine)
        balance, machine_orders = study.world.ledger.balance(), study.world.store.all_orders()
        assert all(is_machine(record.order.condition) for record in machine_orders)
        paid = sum(paid_of(record.order, study.world).micros for record in machine_orders)
        assert billed <= paid == balance.spent.micros <= balance.cap.micros
        assert balance.held.micros == 0
        assert set(bill.images.values()) == {1}
        assert len(machine_orders) >= 3  # a trial, and the rest in parts
        ends = [record.end for record in machine_orders]
        assert all(end is not None for end in ends)
        assert sum(end.missing for end in ends if end) <= 2  # three lost calls give an image up
        study.close()
