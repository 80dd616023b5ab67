"""Training on bought labels: penalty, kind of target, degenerate sets, resampling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.errors import InputError
from tests.drawn import examples
from training.fit import GRID, bootstrap, hard, save, train
from training.heads import fit_heads, predict, softmax
from training.images import load_digits


@pytest.fixture(scope="module")
def digits():
    index, digit = load_digits()
    return index.pixels.reshape(len(index), -1), digit


def answers(truth, overlap, noise, classes, rng):
    """[n, overlap] answers, wrong with probability `noise`, wrong ones uniform."""
    offset = rng.integers(1, classes, size=(len(truth), overlap))
    wrong = rng.random((len(truth), overlap)) < noise
    return np.where(wrong, (truth[:, None] + offset) % classes, truth[:, None])


def shares_of(truth, overlap, noise, classes, rng):
    return np.eye(classes)[answers(truth, overlap, noise, classes, rng)].mean(axis=1)


def split(rng, n):
    order = rng.permutation(1797)
    return order[:n], order[1200:]


def accuracy(model, X, y):
    return (model.predict(X).argmax(axis=1) == y).mean()


def small(n=5, classes=3, dim=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, dim))
    return X, rng.dirichlet(np.ones(classes), size=n), np.ones(n), rng


def test_input_that_does_not_fit_is_named():
    X, Y, w, rng = small()
    with pytest.raises(InputError, match=r"target 'soft' must be finite and \[5, 3\]"):
        train(X, {"soft": Y[:4]}, Y, w, rng)
    with pytest.raises(InputError, match="confidence must be"):
        train(X, {"soft": Y}, Y, -w, rng)
    with pytest.raises(InputError, match="answers must be"):
        train(X, {"soft": Y}, Y, w, rng, answers=w[:3])
    with pytest.raises(InputError, match="no kind of target"):
        train(X, {}, Y, w, rng)
    with pytest.raises(InputError, match="features must be finite"):
        train(X * np.nan, {"soft": Y}, Y, w, rng)
    with pytest.raises(InputError, match=r"\[rows, dimensions\]"):
        train(X[0], {"soft": Y}, Y, w, rng)


def test_no_labels_give_a_uniform_model():
    X, Y, w, rng = small()
    model = train(X[:0], {"soft": Y[:0]}, Y[:0], w[:0], rng)
    np.testing.assert_allclose(model.predict(X), 1 / 3)
    assert (model.target, model.rows, model.table) == ("constant", 0, ())


def test_one_class_gives_class_shares():
    X, _, w, rng = small()
    Y = np.eye(3)[[1] * 5]
    model = train(X, {"soft": Y, "hard": Y}, Y, w, rng)
    np.testing.assert_allclose(model.predict(X), [[1 / 18, 16 / 18, 1 / 18]] * 5)
    draws = bootstrap(model, X, Y, w, X, 3, rng)
    np.testing.assert_allclose(draws, np.repeat(model.predict(X)[None], 3, axis=0))


def test_a_class_nobody_chose_is_unlikely_but_not_impossible():
    X, _, _, rng = small(n=40)
    Y = np.eye(3)[(X[:, 0] > 0).astype(int)]
    model = train(X, {"soft": Y}, Y, np.ones(40), rng)
    p = model.predict(X)
    np.testing.assert_allclose(p[:, 2], 1 / 42 / 3)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p.argmax(1) == Y.argmax(1)).mean() > 0.9


@settings(deadline=None, max_examples=examples(30), derandomize=True)
@given(
    n=st.integers(2, 9),
    classes=st.integers(2, 4),
    seed=st.integers(0, 10**6),
    certain=st.booleans(),
    ignored=st.integers(0, 8),
)
def test_any_handful_of_labels_gives_probabilities(n, classes, seed, certain, ignored):
    X, Y, w, rng = small(n, classes, seed=seed)
    Y = hard(Y, rng) if certain else Y
    w[:ignored] = 0.0
    model = train(X, {"soft": Y, "hard": hard(Y, rng)}, Y, w, rng)
    p = model.predict(X * 100)
    assert np.isfinite(p).all()
    assert p.min() > 0
    np.testing.assert_allclose(p.sum(axis=1), 1)
    if model.target != "constant":
        assert model.grad_norm <= 1e-7
        draws = bootstrap(model, X, Y, w, X, 4, rng)
        assert draws.shape == (4, n, classes)
        assert np.isfinite(draws).all()


def test_final_fit_is_the_optimum_for_the_chosen_penalty_and_target(digits):
    X, y = digits
    rng = np.random.default_rng(0)
    soft, w = shares_of(y[:300], 2, 0.3, 10, rng), rng.uniform(1, 3, size=300)
    targets = {"soft": soft, "hard": hard(soft, rng)}
    model = train(X[:300], targets, soft, w, rng)
    Z = (X[:300] - model.mean) / model.scale
    alone = fit_heads(Z, targets[model.target], w, model.lam, tol=1e-9)
    np.testing.assert_allclose(model.weights, alone.weights[0], atol=1e-5)
    assert {row.target for row in model.table} == {"soft", "hard"}
    best = min(model.table, key=lambda row: row.penalised)
    assert best.target == model.target
    assert abs(np.log10(model.lam / best.lam)) <= 0.5  # the parabola stays between neighbours


def test_equal_targets_are_tried_once():
    X, Y, w, rng = small(n=20)
    Y = hard(Y, rng)
    model = train(X, {"soft": Y, "hard": Y.copy()}, Y, w, rng)
    assert {row.target for row in model.table} == {"soft"}


def test_ties_are_broken_evenly():
    # 3,000 tied pairs: each side's share has standard error .9 %
    chosen = hard(np.tile([0.5, 0.5, 0.0], (3000, 1)), np.random.default_rng(0))
    assert chosen.mean(axis=0) == pytest.approx([0.5, 0.5, 0.0], abs=0.03)
    assert (chosen.sum(axis=1) == 1).all()


def test_scale_and_offset_of_features_do_not_matter(digits):
    X, y = digits
    soft = shares_of(y[:200], 1, 0.2, 10, np.random.default_rng(0))
    one, other = (
        train(x[:200], {"soft": soft}, soft, np.ones(200), np.random.default_rng(1), scale=x)
        for x in (X, X * 50.0 + 7)
    )
    np.testing.assert_allclose(one.predict(X), other.predict(X * 50.0 + 7), atol=1e-4)


def test_same_seed_same_model(digits):
    X, y = digits
    soft = shares_of(y[:200], 2, 0.2, 10, np.random.default_rng(0))
    one, other = (
        train(X[:200], {"soft": soft}, soft, np.ones(200), np.random.default_rng(5))
        for _ in range(2)
    )
    assert np.array_equal(one.weights, other.weights)
    assert one.table == other.table


@pytest.mark.parametrize(
    ("n", "overlap", "noise"),
    [
        (300, 1, 0.2),
        *(pytest.param(*more, marks=pytest.mark.slow) for more in ((300, 3, 0.4), (980, 1, 0.4))),
    ],
)
def test_penalty_by_cross_validation_is_within_a_point_of_the_oracle(digits, n, overlap, noise):
    # Mean of 6 seeds; oracle = the grid penalty with the best mean accuracy on test, which
    # training never sees. The paired difference has standard error .1 to .2 points.
    X, y = digits
    chosen, fixed = [], []
    for seed in range(6):
        rng = np.random.default_rng([seed, n, overlap])
        rows, test = split(rng, n)
        soft, w = shares_of(y[rows], overlap, noise, 10, rng), np.ones(n)
        model = train(X[rows], {"soft": soft}, soft, w, rng, scale=X)
        chosen.append(accuracy(model, X[test], y[test]))
        grid = 64 / (2 * n) * np.array(GRID)
        heads = fit_heads((X[rows] - model.mean) / model.scale, soft, w, grid, tol=1e-4)
        p = predict(heads, (X[test] - model.mean) / model.scale)
        fixed.append((p.argmax(axis=2) == y[test]).mean(axis=1))
    assert np.mean(chosen) >= np.mean(fixed, axis=0).max() - 0.01


def test_penalty_does_not_jump_between_neighbouring_plans(digits):
    X, y = digits
    rng = np.random.default_rng(3)
    order = rng.permutation(1797)
    soft = shares_of(y[order], 1, 0.3, 10, rng)
    logs = []
    for n in range(400, 1000, 60):
        rows = order[:n]
        model = train(X[rows], {"s": soft[:n]}, soft[:n], np.ones(n), rng, scale=X)
        logs.append(np.log10(model.lam))
    assert np.abs(np.diff(logs)).max() < 0.3  # decades; a grid step is .5


@pytest.mark.parametrize(
    ("classes", "noise"),
    [(3, 0.4), *(pytest.param(*more, marks=pytest.mark.slow) for more in ((10, 0.4), (3, 0.2)))],
)
def test_soft_beats_hard_majority_at_overlap_2(digits, classes, noise):
    # training.md 3.1 measured 5.5 to 8.5 points; the mean of 6 paired seeds has standard error .6
    X, digit = digits
    y = digit if classes == 10 else np.array([0, 1, 2, 2, 1, 2, 0, 1, 0, 0])[digit]
    gains = []
    for seed in range(6):
        rng = np.random.default_rng([seed, classes])
        rows, test = split(rng, 300)
        soft = shares_of(y[rows], 2, noise, classes, rng)
        models = [
            train(X[rows], {"t": t}, soft, np.ones(300), np.random.default_rng(seed), scale=X)
            for t in (soft, hard(soft, rng))
        ]
        a, b = (accuracy(m, X[test], y[test]) for m in models)
        gains.append(a - b)
    assert np.mean(gains) > 0.015


@pytest.mark.slow
def test_one_answer_each_beats_three_at_equal_money_while_the_pool_lasts(digits):
    # training.md 3.1, 10 classes, 20 % noise, 1,200 labels: +1.5 points; standard error .3
    X, y = digits
    gains = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        rows, test = split(rng, 1200)
        found = []
        for n, overlap in ((1200, 1), (400, 3)):
            soft = shares_of(y[rows[:n]], overlap, 0.2, 10, rng)
            targets = {"soft": soft, "hard": hard(soft, rng)}
            model = train(X[rows[:n]], targets, soft, np.full(n, overlap), rng, scale=X)
            found.append(accuracy(model, X[test], y[test]))
        gains.append(found[0] - found[1])
    assert np.mean(gains) > 0.005


def test_confidence_counts_and_zero_leaves_a_row_out(digits):
    X, y = digits
    rng = np.random.default_rng(0)
    soft = np.eye(10)[y[:600]]
    soft[300:] = np.eye(10)[rng.integers(10, size=300)]  # worthless labels
    trusted = np.r_[np.ones(300), np.zeros(300)]
    kept, all_ = (train(X[:600], {"s": soft}, soft, w, rng) for w in (trusted, np.ones(600)))
    test = slice(1200, None)
    assert accuracy(kept, X[test], y[test]) > accuracy(all_, X[test], y[test]) + 0.02


@pytest.mark.slow
def test_bootstrap_spread_is_that_of_fresh_labels(digits):
    # The sd of test accuracy over 60 resamples against 40 redraws of images and answers: each sd
    # is known to about 11 %, and resampling pairs is known to be rough, so within a factor 2.
    X, y = digits
    pool, test = np.arange(1200), np.arange(1200, 1797)
    redraws = []
    for seed in range(40):
        rng = np.random.default_rng([9, seed])
        rows = rng.choice(pool, 200, replace=False)
        soft = shares_of(y[rows], 1, 0.2, 10, rng)
        model = train(X[rows], {"s": soft}, soft, np.ones(200), rng, lambdas=[0.2], scale=X)
        redraws.append(accuracy(model, X[test], y[test]))
    draws = bootstrap(model, X[rows], soft, np.ones(200), X[test], 60, rng)
    spread = (draws.argmax(axis=2) == y[test]).mean(axis=1).std(ddof=1)
    assert 0.5 < spread / np.std(redraws, ddof=1) < 2


def test_model_is_saved_without_pickle(digits, tmp_path):
    from safetensors.numpy import load_file

    X, y = digits
    soft = np.eye(10)[y[:100]]
    model = train(X[:100], {"s": soft}, soft, np.ones(100), np.random.default_rng(0))
    save(model, tmp_path / "model.safetensors")
    arrays = load_file(tmp_path / "model.safetensors")
    Z = (X - arrays["mean"]) / arrays["scale"]
    p = softmax(Z @ arrays["weights"][:-1] + arrays["weights"][-1])
    assert np.array_equal(p.argmax(axis=1), model.predict(X).argmax(axis=1))
