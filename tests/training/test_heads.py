"""The head solver finds the optimum, for every head of a stack, whatever the weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from budget.errors import InputError
from tests.drawn import examples
from training.heads import fit_heads, predict


def problem(seed, rows=200, dim=20, classes=4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, dim)) / np.sqrt(1 + np.arange(dim))
    logits = X @ rng.normal(size=(dim, classes)) * 3
    Y = rng.dirichlet(np.ones(classes), size=rows) * 0.3
    Y[np.arange(rows), (logits + rng.gumbel(size=logits.shape)).argmax(1)] += 0.7
    return X, Y / Y.sum(1, keepdims=True), rng


def objective(weights, X, Y, w, lam):
    """Value and gradient written out independently of the solver."""
    W = weights.reshape(X.shape[1] + 1, -1)
    logits = X @ W[:-1] + W[-1]
    logits = logits - logits.max(1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    share = w / w.sum()
    residual = share[:, None] * (np.exp(log_p) * Y.sum(1, keepdims=True) - Y)
    gradient = np.vstack([X.T @ residual + lam * W[:-1], residual.sum(0)])
    value = -(share @ (Y * log_p).sum(1)) + lam / 2 * (W[:-1] ** 2).sum()
    return value, gradient.ravel()


def test_shapes_that_do_not_fit_are_refused():
    X, Y, _ = problem(0)
    with pytest.raises(InputError, match="shapes do not fit"):
        fit_heads(X, Y[:-1])
    with pytest.raises(InputError, match="shapes do not fit"):
        fit_heads(X, Y, np.ones((2, 200)), [0.1, 0.1, 0.1])
    with pytest.raises(InputError, match="at least one row"):
        fit_heads(X[:0], Y[:0])


@pytest.mark.parametrize("weights", [np.zeros(200), np.r_[-1.0, np.ones(199)]])
def test_weights_that_make_no_sense_are_refused(weights):
    X, Y, _ = problem(0)
    with pytest.raises(InputError, match="sample weights"):
        fit_heads(X, Y, weights)


def test_values_that_are_not_finite_are_refused():
    X, Y, _ = problem(0)
    X[3, 4] = np.nan
    with pytest.raises(InputError, match="finite"):
        fit_heads(X, Y)
    with pytest.raises(InputError, match="greater than 0"):
        fit_heads(np.nan_to_num(X), Y, lam=0.0)


@pytest.mark.parametrize("lam", [1e-3, 1e-1])
@pytest.mark.parametrize("dim", [5, 60, 300])  # 300 dimensions for 200 rows: solved in their span
def test_optimum_equals_scipys(lam, dim):
    X, Y, rng = problem(1, dim=dim)
    w = rng.uniform(0.1, 3, size=len(X))
    heads = fit_heads(X, Y, w, lam, tol=1e-9)
    zero = np.zeros((dim + 1) * Y.shape[1])
    found = minimize(
        objective, zero, (X, Y, w, lam), "L-BFGS-B", True,
        options={"maxiter": 5000, "maxfun": 10000, "ftol": 1e-16, "gtol": 1e-9},
    )  # fmt: skip
    value, gradient = objective(heads.weights[0].ravel(), X, Y, w, lam)
    assert value <= found.fun + 1e-12
    assert np.linalg.norm(gradient) == pytest.approx(heads.grad_norm[0], abs=1e-11)
    # strong convexity: the distance to the optimum is at most gradient / lambda
    difference = heads.weights[0, :-1] - found.x.reshape(dim + 1, -1)[:-1]
    assert np.abs(difference).max() <= (1e-9 + np.linalg.norm(found.jac)) / lam


def test_hard_targets_equal_scikit_learns_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    X, Y, _ = problem(2, rows=300)
    y, lam = Y.argmax(1), 0.02
    heads = fit_heads(X, np.eye(4)[y], lam=lam, tol=1e-9)
    reference = LogisticRegression(C=1 / (lam * len(X)), tol=1e-10, max_iter=5000).fit(X, y)
    np.testing.assert_allclose(predict(heads, X)[0], reference.predict_proba(X), atol=1e-6)


def test_stack_equals_one_at_a_time():
    X, Y, rng = problem(3)
    targets = np.stack([Y, np.eye(4)[Y.argmax(1)], Y[rng.permutation(200)]])
    weights = rng.integers(0, 3, size=(3, 200)).astype(float)
    lams = [0.003, 0.03, 0.3]
    stack = fit_heads(X, targets, weights, lams, tol=1e-9)
    for k in range(3):
        alone = fit_heads(X, targets[k], weights[k], lams[k], tol=1e-9)
        np.testing.assert_allclose(stack.weights[k], alone.weights[0], atol=1e-6)
        assert stack.iterations[k] == alone.iterations[0]


@pytest.mark.parametrize("dim", [20, 400])
def test_every_head_converges_with_bootstrap_and_bayesian_weights(dim):
    # An average Gram matrix as preconditioner fails here: training.md 2.2.
    X, Y, rng = problem(4, dim=dim)
    weights = np.concatenate(
        [
            rng.multinomial(200, np.full(200, 1 / 200), size=20),
            rng.exponential(size=(20, 200)) ** 3,
            (np.arange(200) % 5 != np.arange(5)[:, None]),
        ]
    ).astype(float)
    heads = fit_heads(X, Y, weights, np.resize([1e-3, 1e-2, 1e-1], len(weights)), tol=1e-7)
    assert (heads.grad_norm <= 1e-7).all()
    for k in (0, 25, 42):
        lam = (1e-3, 1e-2, 1e-1)[k % 3]
        _, gradient = objective(heads.weights[k].ravel(), X, Y, weights[k], lam)
        assert np.linalg.norm(gradient) <= 2e-7


@pytest.mark.parametrize("dim", [20, 400])
def test_cross_validation_stack_in_its_shared_basis_finds_every_optimum(dim):
    # 15 pairs of fold and penalty, uneven confidence, some rows that no head may see
    X, Y, rng = problem(11, dim=dim)
    confidence = rng.integers(1, 4, size=200) * (np.arange(200) % 17 > 0)
    masks = np.repeat(np.arange(200) % 5 != np.arange(5)[:, None], 3, axis=0) * confidence
    lams = np.tile([1e-3, 1e-2, 1e-1], 5)
    heads = fit_heads(X, Y, masks.astype(float), lams, tol=1e-8)
    for k in range(15):
        _, gradient = objective(heads.weights[k].ravel(), X, Y, masks[k], lams[k])
        assert np.linalg.norm(gradient) == pytest.approx(heads.grad_norm[k], abs=1e-10)
        assert heads.grad_norm[k] <= 1e-8
    start = fit_heads(X, Y, masks.astype(float), lams, tol=1e-8, start=heads.weights)
    assert start.iterations.max() <= 5 < heads.iterations.min()


def test_a_head_that_ran_out_of_iterations_says_so():
    X, Y, _ = problem(5)
    heads = fit_heads(X, Y, lam=[1e-5, 10.0], tol=1e-10, max_iter=14)
    assert heads.grad_norm[0] > 1e-10 >= heads.grad_norm[1]
    assert heads.iterations[0] == 14 > heads.iterations[1]


def test_class_that_a_head_never_sees_gets_no_probability_and_does_not_stall():
    X, Y, _ = problem(6)
    y = Y.argmax(1)
    heads = fit_heads(X, np.eye(4)[y], (y != 2).astype(float), 0.01, tol=1e-8)
    p = predict(heads, X)[0]
    assert heads.grad_norm[0] <= 1e-8
    assert np.isfinite(heads.weights).all()
    assert p[:, 2].max() < 1e-12
    without = fit_heads(X[y != 2], np.delete(np.eye(4)[y[y != 2]], 2, axis=1), lam=0.01, tol=1e-8)
    np.testing.assert_allclose(np.delete(p, 2, axis=1), predict(without, X)[0], atol=1e-6)


def test_warm_start_ends_at_the_same_optimum_sooner():
    X, Y, _ = problem(7, dim=300)
    cold = fit_heads(X, Y, lam=0.01, tol=1e-8)
    warm = fit_heads(X, Y, lam=0.01, tol=1e-8, start=cold.weights[0])
    assert warm.iterations[0] < cold.iterations[0] / 4
    np.testing.assert_allclose(warm.weights, cold.weights, atol=1e-5)


def test_chunks_do_not_change_the_result(monkeypatch):
    X, Y, _ = problem(8)
    weights = (np.arange(200) % 5 != np.arange(5)[:, None]).astype(float)
    whole = fit_heads(X, Y, weights, 0.01, tol=1e-9)
    monkeypatch.setattr("training.heads.heads.CHUNK_BYTES", 1)
    pieces = fit_heads(X, Y, weights, 0.01, tol=1e-9)
    np.testing.assert_allclose(whole.weights, pieces.weights, atol=1e-6)


def test_threads_change_nothing_visible_and_are_put_back():
    import torch

    X, Y, _ = problem(9, rows=2000, dim=64)
    before = torch.get_num_threads()
    one, two = (fit_heads(X, Y, lam=0.01, threads=t) for t in (1, 2))
    assert torch.get_num_threads() == before
    np.testing.assert_allclose(predict(one, X), predict(two, X), atol=1e-8)
    again = fit_heads(X, Y, lam=0.01, threads=1)
    assert np.array_equal(one.weights, again.weights)


@settings(deadline=None, max_examples=examples(25), derandomize=True)
@given(
    rows=st.integers(1, 40),
    dim=st.integers(1, 30),
    classes=st.integers(2, 5),
    lam=st.floats(1e-3, 10),
    seed=st.integers(0, 2**32 - 1),
)
def test_gradient_vanishes_for_any_problem(rows, dim, classes, lam, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, dim))
    Y = rng.dirichlet(np.full(classes, 0.5), size=rows)
    w = rng.integers(0, 3, size=rows).astype(float)
    w[rng.integers(rows)] += 1
    heads = fit_heads(X, Y, w, lam, tol=1e-7, max_iter=20000)
    assert heads.grad_norm[0] <= 1e-7
    _, gradient = objective(heads.weights[0].ravel(), X, Y, w, lam)
    assert np.linalg.norm(gradient) <= 1e-6


@pytest.mark.parametrize("heads", [1, 12])
def test_features_beyond_single_precision_still_reach_the_optimum(heads):
    X, Y, rng = problem(12, dim=8)
    X = 1e5 + 10.0 ** np.arange(-3, 5) * X  # far from 0, and of unequal spread
    weights = rng.integers(1, 4, size=(heads, len(X))).astype(float)
    fitted = fit_heads(X, Y, weights, 1.0, tol=1e-3, max_iter=20000)
    assert (fitted.grad_norm <= 1e-3).all()
    for k in range(heads):
        _, gradient = objective(fitted.weights[k].ravel(), X, Y, weights[k], 1.0)
        assert np.linalg.norm(gradient) <= 1.5e-3


def test_tiny_penalty_and_repeated_columns_are_solved():
    X, Y, _ = problem(13, dim=10)
    fitted = fit_heads(np.hstack([X, X, X[:, :1] * 1e-8]), Y, lam=1e-9, tol=1e-6, max_iter=20000)
    assert fitted.grad_norm[0] <= 1e-6


@pytest.mark.parametrize("classes", [3, 10])
def test_stack_ends_where_scipy_does_to_a_ten_thousandth(classes):
    # Fold masks and penalties as in cross-validation, at its loose tolerance.
    X, Y, _ = problem(14, rows=300, dim=40, classes=classes)
    masks = (np.arange(300) % 5 != np.arange(5)[:, None]).repeat(3, axis=0).astype(float)
    lams = np.tile([0.01, 0.1, 1.0], 5)
    heads = fit_heads(X, Y, masks, lams, tol=3e-4)
    for k in range(15):
        given = (X, Y, masks[k], lams[k])
        best = minimize(objective, np.zeros(41 * classes), given, "L-BFGS-B", True).fun
        value, gradient = objective(heads.weights[k].ravel(), *given)
        assert value <= best * (1 + 1e-4)
        assert np.linalg.norm(gradient) <= 3.1e-4
