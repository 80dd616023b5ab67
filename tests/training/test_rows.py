"""Fits to the same rows share one basis, and never one of other rows."""

import numpy as np
import pytest

from tests.training.test_heads import problem
from training.fit import train
from training.heads import fit_heads, rows

LAMBDAS = tuple(10.0 ** (step / 2) for step in range(-6, 3))


@pytest.fixture
def bases(monkeypatch):
    """How many bases were made."""
    made, make = [], rows._eigenbasis
    monkeypatch.setattr(rows, "_kept", None)
    monkeypatch.setattr(rows, "_eigenbasis", lambda X: made.append(len(X)) or make(X))
    return made


def test_a_training_makes_one_basis_whatever_its_folds_and_weights(bases):
    X, Y, rng = problem(1)
    train(X, {"soft": Y}, Y, rng.uniform(1, 3, len(X)), rng)
    assert bases == [len(X)]


def test_a_kept_basis_changes_no_digit(bases):
    X, Y, rng = problem(2)
    weights = rng.integers(1, 4, size=(12, len(X))).astype(float)
    first = fit_heads(X, Y, weights, 0.01)
    again = fit_heads(X.copy(), Y, weights, 0.01)
    assert bases == [len(X)]
    assert np.array_equal(first.weights, again.weights)


def test_rows_that_were_changed_in_place_are_other_rows(bases):
    X, Y, _ = problem(3)
    fit_heads(X, Y)
    X[0] += 1
    changed = fit_heads(X, Y)
    rows._kept = None
    assert np.array_equal(changed.weights, fit_heads(X, Y).weights)
    assert len(bases) == 3


def test_rows_too_large_to_keep_are_solved_all_the_same(bases, monkeypatch):
    X, Y, _ = problem(4)
    kept = fit_heads(X, Y)
    monkeypatch.setattr(rows, "_kept", None)
    monkeypatch.setattr(rows, "KEPT_BYTES", 1)
    assert np.array_equal(kept.weights, fit_heads(X, Y).weights)
    assert rows._kept is None


def test_a_start_off_the_balance_of_the_classes_costs_nothing():
    # What all classes share changes no probability, and only the penalty would take it away.
    X, Y, rng = problem(5)
    cold = fit_heads(X, Y, lam=1e-3, tol=1e-7)
    off = cold.weights[0] + rng.normal(size=(X.shape[1] + 1, 1))
    warm = fit_heads(X, Y, lam=1e-3, tol=1e-7, start=off)
    assert warm.iterations[0] <= cold.iterations[0] / 2
    np.testing.assert_allclose(warm.weights[0, :-1], cold.weights[0, :-1], atol=1e-3)


def test_larger_penalties_are_tried_only_while_the_largest_is_best():
    X, Y, rng = problem(6, rows=300)
    whole = train(X, {"soft": Y}, Y, np.ones(300), np.random.default_rng(0), lambdas=LAMBDAS)
    assert len(whole.table) < len(LAMBDAS)
    assert min(whole.table, key=lambda row: row.penalised).lam < whole.table[-1].lam
    noise = rng.dirichlet(np.ones(4), size=300)  # labels without any sense
    model = train(X, {"soft": noise}, noise, np.ones(300), rng, lambdas=LAMBDAS)
    assert whole.table[-1].lam < model.table[-1].lam
