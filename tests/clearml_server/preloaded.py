"""Imported once by the server that processes are forked from: what each would do for itself."""

from __future__ import annotations

import alembic.config
import alembic.migration
import optuna
import sklearn.linear_model
import torch
from clearml.automation import optuna as clearml_optuna
from clearml.config import config_obj

import hpo.study.study
from hpo.tracking.clearml import strategy
from training import features, fit

MODULES = (alembic, sklearn, torch, clearml_optuna, hpo.study.study, strategy, features, fit)

config_obj.get("api", None)  # parses ClearML's own settings; servers and keys are read later
optuna.logging.set_verbosity(optuna.logging.ERROR)
optuna.create_study(storage=optuna.storages.RDBStorage("sqlite://")).ask()  # maps its tables
