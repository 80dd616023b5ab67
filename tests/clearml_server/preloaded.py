"""Imported once by the server that processes are forked from: what each would do for itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

import alembic.config
import alembic.migration
import optuna
import sklearn.linear_model
import torch
from clearml.automation import optuna as clearml_optuna
from clearml.config import config_obj

from hpo.study.study import Study
from hpo.tracking.clearml import strategy
from hpo.tracking.clearml.server import connection
from labeling.toloka import source
from labeling.toloka.api import client
from tests.conftest import SMALL, digits_file
from tests.heads import quick
from training import features, fit

MODULES = (alembic, sklearn, torch, clearml_optuna, strategy, features, fit, source, client.kit())

config_obj.get("api", None)  # parses ClearML's own settings; servers and keys are read later
optuna.logging.set_verbosity(optuna.logging.ERROR)
connection._PAUSES = (0.05, 0.1, 0.2)  # a server that is away for a second is given up
quick()  # trials are about money, kills and records
with tempfile.TemporaryDirectory() as folder:  # statements are compiled once
    first = Study(runs=folder, **{**SMALL, "data": digits_file(Path(folder), 90), "trials": 1})
    first.run()
    first.close()
