"""Optuna's study of a study: made where there is none, with the names of its values."""

from __future__ import annotations

import warnings

import optuna

METRICS = ("accuracy", "price tag, dollars")


def optuna_study(name: str, storage: optuna.storages.BaseStorage) -> optuna.Study:
    """The study of a name in a storage of Optuna's."""
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        directions=["maximize", "minimize"],
        load_if_exists=True,
    )
    if study.metric_names is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(list(METRICS))
    return study
