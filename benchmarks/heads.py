"""Time of the head solver as a ratio to scikit-learn, and of a stack of heads to a loop.

Run: python -m benchmarks.heads. One thread for both sides, CPU seconds, best of three, the same
penalty, hard targets (scikit-learn knows no soft ones). Two tolerances: "as used", ours as in
cross-validation and LogisticRegression at its default; "equal", ours at the gradient norm at which
LogisticRegression stopped (of a stack: the smallest). How far either objective ends above the
optimum is printed beside, since a solver is fast easily when it stops early.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from training.cross_validation import CV_TOL
from training.heads import fit_heads

STACK = 32


def problem(rows: int, dim: int, classes: int) -> tuple[Any, Any]:
    """Standardised features whose spectrum falls like a backbone's, and noisy labels."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(dim, dim)) / np.sqrt(1 + np.arange(dim))[:, None]
    X = rng.normal(size=(rows, dim)) @ mixing
    X = (X - X.mean(0)) / X.std(0)
    logits = X @ rng.normal(size=(dim, classes)) * 3 / np.sqrt(dim)
    return X, (logits + rng.gumbel(size=logits.shape)).argmax(1)


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    """Best of three CPU times, and the last result."""
    best, result = np.inf, None
    for _ in range(3):
        began = time.process_time()
        result = run()
        best = min(best, time.process_time() - began)
    return best, result


def objective(weights: Any, X: Any, y: Any, lam: float) -> float:
    logits = X @ weights[:-1] + weights[-1]
    logits -= logits.max(1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return float(-log_p[np.arange(len(y)), y].mean() + lam / 2 * (weights[:-1] ** 2).sum())


def sklearn_weights(X: Any, y: Any, lam: float) -> Any:
    model = LogisticRegression(C=1 / (lam * len(X)), max_iter=10_000).fit(X, y)
    return np.vstack([model.coef_.T, model.intercept_])


def gradient_norm(weights: Any, X: Any, y: Any, lam: float) -> float:
    logits = X @ weights[:-1] + weights[-1]
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    gradient = np.vstack([X.T @ p / len(y) + lam * weights[:-1], p.mean(0)])
    return float(np.linalg.norm(gradient))


def one_head(rows: int, dim: int, classes: int) -> None:
    X, y = problem(rows, dim, classes)
    Y, lam = np.eye(classes)[y], dim / (2 * rows)
    theirs, weights = seconds(lambda: sklearn_weights(X, y, lam))
    norm = gradient_norm(weights, X, y, lam)
    optimum = objective(fit_heads(X, Y, lam=lam, tol=1e-9).weights[0], X, y, lam)
    for name, tol in (("as used", CV_TOL), ("equal", norm)):
        ours, heads = seconds(lambda tol=tol: fit_heads(X, Y, lam=lam, tol=tol))
        print(
            f"{rows:6d} x {dim:4d}, {classes:2d} classes, {name:7s}   ours {ours * 1e3:7.1f} ms   "
            f"scikit-learn {theirs * 1e3:7.1f} ms   ratio {theirs / ours:5.2f}   above optimum "
            f"{objective(heads.weights[0], X, y, lam) - optimum:.0e} / "
            f"{objective(weights, X, y, lam) - optimum:.0e}",
            flush=True,
        )


def stack(rows: int, dim: int, classes: int, count: int) -> None:
    """Heads as cross-validation needs them: fold masks and penalties around the default."""
    X, y = problem(rows, dim, classes)
    Y, rng = np.eye(classes)[y], np.random.default_rng(1)
    fold = rng.integers(5, size=rows)
    masks = np.stack([fold != k % 5 for k in range(count)])
    lams = dim / (2 * rows) * 10.0 ** rng.choice([-1, -0.5, 0, 0.5, 1], size=count)
    masses, each = masks.astype(float), list(zip(masks, lams.tolist(), strict=True))
    theirs, weights = seconds(lambda: [sklearn_weights(X[m], y[m], q) for m, q in each])
    norms = [gradient_norm(v, X[m], y[m], q) for v, (m, q) in zip(weights, each, strict=True)]
    alone, _ = seconds(lambda: [fit_heads(X, Y, m * 1.0, q, tol=CV_TOL) for m, q in each])
    for name, tol in (("as used", CV_TOL), ("equal", min(norms))):
        together, heads = seconds(lambda tol=tol: fit_heads(X, Y, masses, lams, tol=tol))
        print(
            f"{rows:6d} x {dim:4d}, {classes:2d} classes, {count} heads, {name:7s}   stack "
            f"{together * 1e3:7.1f} ms   scikit-learn / stack {theirs / together:5.2f}   "
            f"loop / stack {alone / together:5.2f}   largest gradient {heads.grad_norm.max():.0e}",
            flush=True,
        )


def main() -> None:
    for size in ((980, 64, 3), (1000, 512, 3), (1000, 512, 10), (10_000, 512, 3)):
        one_head(*size)
    for size in ((980, 64, 3), (980, 64, 10), (1000, 512, 3), (1000, 512, 10)):
        stack(*size, STACK)
    stack(1000, 512, 10, 36)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
