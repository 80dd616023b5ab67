"""Many small heads at once: multinomial logistic regression on soft targets.

Head k minimises, over W [D, C] and an unpenalised intercept b [C],

    sum_i w_ki CE(y_ki, softmax(x_i W + b)) / sum_i w_ki  +  lam_k / 2 |W|^2.

The problem is convex: it needs no seed, and the result is the optimum to within the returned
gradient norm. `solver` holds the method. The stack is solved in the eigenbasis of its rows; with
fewer rows than features that is the span of the centred rows, and the penalty guarantees that the
span holds the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from budget.errors import InputError
from training.heads.rows import rows_of
from training.heads.solver import MEMORY, solve
from training.threads import torch_threads

Floats = NDArray[np.float64]

CHUNK_BYTES = 128 * 2**20  # memory for the logits, or for the steps, of a chunk of heads


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """A stack of K fitted heads.

    Attributes:
        weights: [K, D + 1, C]; the last row is the intercept. The optimal intercept of a class
            without weight in a head is minus infinity; the class gets the smallest other intercept
            minus 40.
        grad_norm: [K] Euclidean norm of the objective's gradient at the weights.
        iterations: [K] gradient evaluations until the tolerance was met (or the limit).
    """

    weights: Floats
    grad_norm: Floats
    iterations: NDArray[np.int64]


def fit_heads(
    X: Floats,
    Y: Floats,
    weights: Floats | None = None,
    lam: ArrayLike = 1e-2,
    *,
    tol: float = 1e-6,
    max_iter: int = 5000,
    start: Floats | None = None,
    threads: int = 1,
) -> Heads:
    """Fit K heads that share their features.

    Args:
        X: [N, D] features, preferably standardised.
        Y: [N, C] targets for all heads or [K, N, C]; rows are probabilities.
        weights: [K, N] (or [N]) non-negative sample weights; 0 leaves a row out (fold masks),
            counts give a bootstrap. None weighs all rows equally.
        lam: [K] penalties, or one penalty for all heads, > 0.
        tol: a head is finished when the norm of its gradient is at most this.
        max_iter: limit of gradient evaluations; `Heads.grad_norm` shows the unfinished heads.
        start: [D + 1, C] or [K, D + 1, C] starting point; None for zero.
        threads: torch threads; explicit, because the last digits depend on their number.

    Returns:
        The heads, in the given order.

    Raises:
        InputError: shapes that do not fit, a value that is not finite, or a head without weight.
    """
    import torch

    # torch.from_numpy warns about read-only arrays; a writable, contiguous X is not copied.
    X = np.require(X, np.float64, ["C", "W"])
    Y, weights, lams = _checked(X, Y, weights, lam)
    K, _, C = Y.shape
    D = X.shape[1]
    if start is not None:
        start = np.broadcast_to(np.asarray(start, dtype=np.float64), (K, D + 1, C))
    w = weights / weights.sum(axis=1, keepdims=True)
    with torch_threads(threads), torch.inference_mode():
        rows = rows_of(X)
        basis = rows.basis.numpy()
        # The columns of the basis are orthonormal: W = basis V, so basis' W is the start in it.
        if start is not None:
            start = np.concatenate([basis.T @ start[:, :-1], start[:, -1:]], axis=1)
        # Per head: the arrays of the size of the logits, and the steps. Chunks bound the memory,
        # whatever the number of heads.
        most = max(3 * C * len(X), (2 * MEMORY + 6) * C * basis.shape[1])
        size = max(1, CHUNK_BYTES // (8 * most))
        parts = []
        for first in range(0, K, size):
            part = slice(first, first + size)
            begin = None if start is None else start[part]
            parts.append(solve(rows, Y[part], w[part], lams[part], tol, max_iter, begin))
    solution, grad_norm, iterations = (np.concatenate(p) for p in zip(*parts, strict=True))
    solution = np.concatenate([basis @ solution[:, :-1], solution[:, -1:]], axis=1)
    return Heads(solution, grad_norm, iterations)


def predict(heads: Heads, X: Floats) -> Floats:
    """Class probabilities of every head.

    Args:
        heads: K heads.
        X: [n, D] features, on the scale of the fit.

    Returns:
        [K, n, C]; the last axis sums to 1.
    """
    logits = np.asarray(X, dtype=np.float64) @ heads.weights[:, :-1] + heads.weights[:, -1:]
    return softmax(logits)


def softmax(logits: Floats) -> Floats:
    """Softmax over the last axis."""
    # The largest logit becomes 0, so that no exponential overflows.
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def _checked(
    X: Floats, Y: Floats, weights: Floats | None, lam: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Broadcast targets, weights and penalties to [K, N, C], [K, N] and [K], without copies."""
    if X.ndim != 2 or len(X) == 0:
        raise InputError(
            f"features must be [rows, dimensions] with at least one row, not {X.shape}"
        )
    lams = np.atleast_1d(np.asarray(lam, dtype=np.float64))
    Y = np.asarray(Y, dtype=np.float64)
    Y = Y if Y.ndim == 3 else Y[None]
    w = np.ones((1, len(X))) if weights is None else np.atleast_2d(np.asarray(weights, np.float64))
    K = max(len(lams), len(Y), len(w))
    try:
        Y = np.broadcast_to(Y, (K, len(X), Y.shape[2]))
        w = np.broadcast_to(w, (K, len(X)))
        lams = np.broadcast_to(lams, (K,))
    except (ValueError, IndexError):
        raise InputError(
            f"shapes do not fit: features {X.shape}, targets {Y.shape}, weights {w.shape}, "
            f"penalties {lams.shape}"
        ) from None
    if not (np.isfinite(X).all() and np.isfinite(Y).all() and np.isfinite(w).all()):
        raise InputError("features, targets and weights must be finite numbers")
    if w.min() < 0 or (w.sum(axis=1) <= 0).any():
        raise InputError("sample weights must not be negative, and every head needs some weight")
    if not (lams > 0).all():
        raise InputError("penalties must be greater than 0")
    return Y, w, lams
