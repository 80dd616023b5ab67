"""The studies that faults happen to, shared by all tests of faults; how many and which are tried.

FAULT_RUNS sets how many; FAULT_SEED draws others.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path

import alembic.config
import alembic.migration
import optuna
import torch

import hpo.settings.run_folder
import hpo.settings.stored_answer
from budget.ledger import Ledger
from hpo.study.journal import StudyJournal
from hpo.study.study import Study
from hpo.trial.versions import label_versions
from labeling import versions
from labeling.store import Store
from tests.conftest import SMALL
from tests.drawn import FAULT_RUNS
from tests.faults.chains import Moment
from tests.heads import FixedHeads
from training import evaluate, features, fit

# Named so that the children find them imported.
PRELOADED = (torch, alembic.config, alembic.migration, evaluate, features, fit)

RUNS = FAULT_RUNS
SEED = int(os.environ.get("FAULT_SEED", "0"))
SETTINGS = {**SMALL, "seed": 5, "study": "s", "price": "0.001,0.002"}
SETTINGS |= {"budget": "0.14", "confirm": "0.05"}  # bears a part of the confirmation
STUDIES: dict[str, dict[str, object]] = {
    "money": {},
    "tpe": {"sampler": "tpe", "trials": 2, "confirm": "0"},
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


@dataclass(frozen=True)
class Undisturbed:
    """A study that nothing happens to.

    Attributes:
        runs: the folder of its runs; its name is "s".
        seconds: its CPU seconds.
        moments: its durable moments, in order.
    """

    runs: Path
    seconds: float
    moments: list[Moment]

    @property
    def report(self) -> bytes:
        """Its report."""
        return (self.runs / "s/report.json").read_bytes()


def run_study(runs: Path, data: str, kind: str = "money") -> None:
    """Run a study of STUDIES to its end, or go on with it."""
    study = Study(runs=runs, trainer=FixedHeads(), **{**SETTINGS, "data": data, **STUDIES[kind]})
    study.run()
    study.close()


def chance(*names: object) -> random.Random:
    """Draws what is tried."""
    return random.Random(" ".join(map(str, (*names, SEED))))
