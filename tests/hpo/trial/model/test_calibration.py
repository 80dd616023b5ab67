"""A trial's model is calibrated by answers and control images, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from budget.money import Money
from hpo.trial.evaluate import evaluate, final_score, fit_plan
from hpo.trial.purchase import buy
from hpo.trial.trainer import CrossValidated
from labeling.types import LabelPlan
from tests.conftest import studies_in

PLAN = LabelPlan(Money(1000), 1, 1, 196, False)


@pytest.fixture(scope="module")
def world(more_data: str, tmp_path_factory: pytest.TempPathFactory):
    """A world that owns a plan."""
    settings = {"budget": "10", "tasks": "100%"}
    with studies_in(tmp_path_factory.mktemp("calibrated"), more_data) as make:
        made = make(trainer=CrossValidated(), **settings).world
        buy(PLAN, made)
        yield made


def test_the_model_is_surer_and_more_often_right_than_it_said(world) -> None:
    trained = fit_plan(PLAN, world)
    assert trained.model.temperature is not None
    assert trained.model.temperature < 0.8
    rows = np.concatenate([world.data.rows["validation"], world.data.rows["final"]])
    values, truth = world.features.values[rows], world.data.truth[rows]
    plain = replace(trained.model, temperature=None).predict(values)
    told = trained.model.predict(values)
    assert (plain.argmax(axis=1) == told.argmax(axis=1)).all()
    right = (told.argmax(axis=1) == truth).mean()
    assert abs(told.max(axis=1).mean() - right) < abs(plain.max(axis=1).mean() - right)


def test_the_report_tells_the_scores_before_and_after(world) -> None:
    trained = fit_plan(PLAN, world)
    told = final_score(trained, world)
    before = told["calibration"]
    assert before["temperature"] == pytest.approx(trained.model.temperature, abs=1e-6)
    assert told["log_loss"] < before["log_loss_before"]
    assert told["ece"] < before["ece_before"]
    assert evaluate(PLAN, world).log_loss < 0.9 * before["log_loss_before"]


def test_validation_and_final_labels_are_not_read(world) -> None:
    truth = world.data.truth.copy()
    for role in ("pool", "validation", "final"):
        truth[world.data.rows[role]] = -1
    blind = world.but(data=replace(world.data, truth=truth))
    assert fit_plan(PLAN, blind).model.temperature == fit_plan(PLAN, world).model.temperature


def test_a_model_without_a_temperature_tells_no_scores_before_it(world) -> None:
    trained = fit_plan(PLAN, world)
    plain = replace(trained, model=replace(trained.model, temperature=None))
    told = final_score(plain, world)
    assert "calibration" not in told
    assert told["log_loss"] == final_score(trained, world)["calibration"]["log_loss_before"]


def test_the_saved_model_holds_the_temperature(world) -> None:
    from hpo.trial.versions.label_versions import model_file, save_version
    from training.saved import load_model

    trained = fit_plan(PLAN, world)
    path: Path = model_file(world.folder, save_version(trained, world))
    assert load_model(path).model.temperature == trained.model.temperature
