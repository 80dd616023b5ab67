"""The kind of target "em": taken where it makes answers likelier, and kept whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from benchmarks.em import measure
from budget.errors import InputError
from budget.money import Money
from hpo.settings.config import make_config
from hpo.trial.evaluate import fit_plan, score_on
from hpo.trial.purchase import buy
from hpo.trial.trainer import CrossValidated
from labeling.types import LabelPlan
from tests.conftest import studies_in

PLAN = LabelPlan(Money(1_000), 1, 0, 196, exam=False)


def test_an_unknown_kind_of_target_is_refused() -> None:
    with pytest.raises(InputError, match=r"train_on: 'en' is not known; .*em"):
        make_config({"budget": "1", "train_on": "soft,en"})


@pytest.fixture(scope="module")
def world(more_data: str, tmp_path_factory: pytest.TempPathFactory):
    """A world whose trials are trained on em alone, by real heads; it owns the plan."""
    settings = {"budget": "10", "tasks": "100%", "scenario": "spam-heavy", "train_on": "em"}
    with studies_in(tmp_path_factory.mktemp("em"), more_data) as make:
        made = make(trainer=CrossValidated(), **settings).world
        buy(PLAN, made)
        yield made


def test_em_is_trained_on_answers_and_model_together(world) -> None:
    trained = fit_plan(PLAN, world)
    assert trained.model.target == "em"
    assert trained.prior is not None
    np.testing.assert_allclose(trained.target.sum(axis=1), 1, atol=1e-9)
    assert (trained.weights == 1).all()
    # Some labels are the model's: they differ from what people said.
    assert (trained.target.argmax(axis=1) != trained.labels.posterior.argmax(axis=1)).any()


def test_a_plan_trained_again_has_the_same_targets(world) -> None:
    first = fit_plan(PLAN, world)
    again = fit_plan(PLAN, world)
    assert again.model is first.model
    assert again.target is first.target
    world.computed.models.clear()
    world.computed.joint.clear()
    anew = fit_plan(PLAN, world)
    np.testing.assert_array_equal(anew.target, first.target)
    np.testing.assert_array_equal(anew.model.weights, first.model.weights)


def test_em_has_an_interval_by_other_annotators(world) -> None:
    scores = score_on("validation", fit_plan(PLAN, world), world)
    assert scores.low < scores.accuracy < scores.high
    assert scores.label_variance > 0


def test_without_em_nothing_changes(world) -> None:
    usual = world.but(config=replace(world.config, train_on=("soft", "posterior", "hard")))
    trained = fit_plan(PLAN, usual)
    assert trained.prior is None
    assert trained.model.target in ("soft", "posterior", "hard")


@pytest.mark.statistics
def test_em_regains_most_of_what_spammers_cost_and_is_chosen_there() -> None:
    """Digits, 700 images, one answer each, 30 % spammers, 8 crowds: the gain of dropping them all.

    Measured: see the numbers below; a crowd's difference to the usual head has a deviation of
    about 1.2 points, so the mean's standard error is .4.
    """
    digits = load_digits()
    rows = [
        measure(digits.data / 16, digits.target.astype(np.int64), 700, 1, 0.3, seed)
        for seed in range(8)
    ]
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    whole = mean["dropped"] - mean["usual"]
    assert whole > 1
    assert mean["chosen"] - mean["usual"] > 0.6 * whole
    assert mean["took em"] >= 0.75
    assert mean["em labels"] > mean["usual labels"] + 10
