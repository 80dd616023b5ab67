"""Many small heads at once: multinomial logistic regression on soft targets.

Head k minimises, over W [D, C] and an unpenalised intercept b [C],

    sum_i w_ki CE(y_ki, softmax(x_i W + b)) / sum_i w_ki  +  lam_k / 2 |W|^2.

Method: majorise-minimise with a fixed curvature bound. For every W the Hessian of the cross entropy
is at most 1/2 I (x) X'diag(w)X (Boehning, "Multinomial logistic regression algorithm", Annals of
the Institute of Statistical Mathematics 44, 1992). So one factor per head preconditions all steps
of the head. Nesterov's momentum with the gradient restart of O'Donoghue and Candes ("Adaptive
restart for accelerated gradient schemes", Found. Comput. Math. 15, 2015) keeps the steps few. All
heads share X: the logits of the whole stack are one matrix product. The problem is convex: it needs
no seed, and the result is the optimum to within the returned gradient norm.

While solving, each head's weighted mean centres the features; this makes the bound block diagonal
in W and b. Many heads whose weights differ little (fold masks) share one eigenbasis of the pooled
covariance S: w_k <= r w implies S_k <= r S, so in this basis the bound of every head is diagonal.
Otherwise (bootstrap weights) each distinct pair of weights and penalty gets its own Cholesky
factor. With fewer rows than features, the stack is solved in the span of the centred rows; the
penalty guarantees that the span holds the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from budget.errors import InputError
from training.threads import torch_threads

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]

CHUNK_BYTES = 128 * 2**20  # memory for the preconditioners, or for the logits, of a chunk of heads
SHARED_FROM = 8  # distinct pairs of weights and penalty from which one eigenbasis is cheaper
SHARED_RATIO = 1.5  # largest ratio of a head's weights to the pooled weights in a shared basis
ABSENT_LOGIT = 40.0  # a class without any weight lies this far below the smallest intercept


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


@dataclass(slots=True)
class _Stack:
    """Unfinished heads; the first axis of every tensor is the head.

    Attributes:
        head: [K] index into the result.
        target: [K, C, N]. weight: [K, 1, N], rows sum to 1. lam: [K, 1, 1]. mean: [K, 1, D].
        absent: [K, C, 1] true for classes without weight.
        inverse: inverse of the bound 1/2 Cov + lam I: [K, D, D], or its diagonal [K, 1, D].
        w, b: current point, [K, C, D] and [K, C, 1]; the intercept is for centred features.
        w_old, b_old: the last point before extrapolation. momentum: [K, 1, 1].
    """

    head: Tensor
    target: Tensor
    weight: Tensor
    lam: Tensor
    mean: Tensor
    absent: Tensor
    inverse: Tensor
    w: Tensor
    b: Tensor
    w_old: Tensor
    b_old: Tensor
    momentum: Tensor

    def keep(self, rows: Tensor) -> _Stack:
        return _Stack(*(getattr(self, name)[rows] for name in self.__slots__))


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
        basis, spectrum = _shared_basis(torch.from_numpy(X), w, lams)
        features = torch.from_numpy(X) if basis is None else torch.from_numpy(X) @ basis
        # The columns of the basis are orthonormal: W = basis V, so basis' W is the start in it.
        if basis is not None and start is not None:
            start = np.concatenate([basis.T.numpy() @ start[:, :-1], start[:, -1:]], axis=1)
        # Per head: a square preconditioner, or only its diagonal in a shared basis, and the arrays
        # of the size of the logits. Chunks bound the memory, whatever the number of heads.
        squares = features.shape[1] ** 2 if spectrum is None else 0
        size = max(1, CHUNK_BYTES // (8 * max(squares, 3 * C * len(X))))
        parts = []
        for first in range(0, K, size):
            part = slice(first, first + size)
            begin = None if start is None else start[part]
            stack = _prepare(features, Y[part], w[part], lams[part], spectrum, begin)
            parts.append(_solve(features, stack, tol, max_iter))
    solution = np.concatenate([p.weights for p in parts])
    if basis is not None:
        solution = np.concatenate([basis.numpy() @ solution[:, :-1], solution[:, -1:]], axis=1)
    return Heads(
        solution,
        np.concatenate([p.grad_norm for p in parts]),
        np.concatenate([p.iterations for p in parts]),
    )


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


def _shared_basis(X: Tensor, w: Floats, lams: Floats) -> tuple[Tensor | None, Tensor | None]:
    """Eigenvectors [D, r] to solve in, and bounds [r] on every head's covariance in this basis.

    Both are None if solving in the features themselves is cheaper. The bounds are None if the
    heads' weights differ too much for one bound.
    """
    import torch

    N, D = X.shape
    pooled = w.mean(axis=0)
    # A row without pooled weight has no weight in any head: its ratio is 0, not 0 / 0.
    ratio = float((w / np.where(pooled > 0, pooled, 1.0)).max())
    pairs = {(row.tobytes(), lam) for row, lam in zip(w, lams.tolist(), strict=True)}
    shared = len(pairs) >= SHARED_FROM and ratio <= SHARED_RATIO
    if not shared and N >= D:
        return None, None
    share = torch.from_numpy(pooled)
    # Roots of the weights, so that centred' centred is the weighted covariance.
    centred = (X - share @ X) * share.sqrt()[:, None]
    if N >= D:
        variance, basis = torch.linalg.eigh(centred.T @ centred)
    else:
        # The covariance is D x D, but of rank below N: the SVD of the rows never forms it.
        _, spread, rows = torch.linalg.svd(centred, full_matrices=False)
        variance, basis = spread.square(), rows.T.contiguous()
    # eigh can return eigenvalues slightly below 0; a bound on a covariance must not be negative.
    return basis, ratio * variance.clamp(min=0) if shared else None


def _prepare(
    X: Tensor,
    Y: Floats,
    weights: Floats,
    lams: Floats,
    spectrum: Tensor | None,
    start: Floats | None,
) -> _Stack:
    """Means, preconditioners and starting points of heads with weights that sum to 1."""
    import torch

    K, _, C = Y.shape
    w = torch.from_numpy(weights)
    # Broadcast arrays are read-only views: torch gets copies of them.
    lam = torch.from_numpy(np.array(lams))
    target = torch.from_numpy(np.array(Y.transpose(0, 2, 1), order="C"))
    mean = (w @ X)[:, None]
    if spectrum is None:
        inverse = _inverses(X, w, mean, lam)
    else:
        inverse = 1 / (spectrum / 2 + lam[:, None, None])
    absent = (target * w[:, None]).sum(dim=2, keepdim=True) == 0
    at = torch.zeros(K, C, X.shape[1] + 1, dtype=X.dtype)
    if start is not None:
        at += torch.from_numpy(np.array(start.transpose(0, 2, 1), order="C"))
        at.masked_fill_(absent, 0.0)
    coefficients = at[:, :, :-1].contiguous()
    # w (x - mean) + b' equals w x + b for b' = b + w mean.
    intercept = at[:, :, -1:] + coefficients @ mean.transpose(1, 2)
    return _Stack(
        head=torch.arange(K),
        target=target,
        weight=w[:, None],
        lam=lam[:, None, None],
        mean=mean,
        absent=absent,
        inverse=inverse,
        w=coefficients,
        b=intercept,
        w_old=coefficients,
        b_old=intercept,
        momentum=torch.ones(K, 1, 1, dtype=X.dtype),
    )


def _inverses(X: Tensor, w: Tensor, mean: Tensor, lam: Tensor) -> Tensor:
    """Inverses [K, D, D] of 1/2 Cov_k + lam_k I; equal inverses are computed once."""
    import torch

    K, D = len(w), X.shape[1]
    rows = _first_of_equal([row.tobytes() for row in w.numpy()])
    pairs = _first_of_equal(list(zip(rows, lam.tolist(), strict=True)))
    inverse = torch.empty(K, D, D, dtype=X.dtype)
    half_cov: dict[int, Tensor] = {}
    for k, (row, pair) in enumerate(zip(rows, pairs, strict=True)):
        if pair != k:
            inverse[k] = inverse[pair]
            continue
        if row not in half_cov:
            spread = (X - mean[row]) * w[row].sqrt()[:, None]
            half_cov[row] = spread.T @ spread / 2
        bound = half_cov[row] + lam[k] * torch.eye(D, dtype=X.dtype)
        inverse[k] = torch.cholesky_inverse(torch.linalg.cholesky(bound))
    return inverse


def _first_of_equal(items: list[bytes] | list[tuple[int, float]]) -> list[int]:
    """For every item the index of the first equal item."""
    first: dict[object, int] = {}
    return [first.setdefault(item, k) for k, item in enumerate(items)]


def _solve(X: Tensor, stack: _Stack, tol: float, max_iter: int) -> Heads:
    """Iterate until every head's gradient is small; finished heads leave the stack in groups."""
    import torch

    K, C, D = stack.w.shape
    weights = torch.zeros(K, D + 1, C, dtype=X.dtype)
    grad_norm = torch.full((K,), torch.inf, dtype=X.dtype)
    iterations = torch.zeros(K, dtype=torch.int64)
    open_ = torch.ones(K, dtype=torch.bool)
    transposed = X.T.contiguous()
    for iteration in range(1, max_iter + 1):
        grad_w, grad_b = _gradient(X, transposed, stack)
        # The norm belongs to the problem as given (features not centred), which callers know.
        norm = (grad_w.square().sum((1, 2)) + grad_b.square().sum((1, 2))).sqrt()
        done = (norm <= tol) if iteration < max_iter else torch.ones_like(norm, dtype=torch.bool)
        # A finished head is stepped on until the stack is packed: its first result is kept.
        fresh = done & open_[stack.head]
        if fresh.any():
            index = stack.head[fresh]
            weights[index] = _uncentred(stack, fresh)
            grad_norm[index] = norm[fresh]
            iterations[index] = iteration
            open_[index] = False
        if not open_.any():
            break
        _step(stack, grad_w, grad_b)
        alive = open_[stack.head]
        # Packing copies the whole stack: it pays once a quarter of the heads are finished.
        if 4 * int(alive.sum()) <= 3 * len(alive):
            stack = stack.keep(alive)
    return Heads(weights.numpy(), grad_norm.numpy(), iterations.numpy())


def _gradient(X: Tensor, transposed: Tensor, stack: _Stack) -> tuple[Tensor, Tensor]:
    """Gradient in W [K, C, D] (uncentred features) and in the intercept [K, C, 1]."""
    K, C, D = stack.w.shape
    # Centring moves into the intercept: centred features of K heads would be K copies of X.
    shift = stack.b - stack.w @ stack.mean.transpose(1, 2)
    # Probability exactly 0: the data pull neither the weights nor the intercept of such a class.
    shift.masked_fill_(stack.absent, -float("inf"))
    logits = (stack.w.view(K * C, D) @ transposed).view(K, C, -1)
    logits += shift
    logits -= logits.amax(dim=1, keepdim=True)
    logits.exp_()
    logits /= logits.sum(dim=1, keepdim=True)
    logits -= stack.target
    logits *= stack.weight
    grad_b = logits.sum(dim=2, keepdim=True)
    grad_w = (logits.view(K * C, -1) @ X).view(K, C, D)
    grad_w.addcmul_(stack.lam, stack.w)
    return grad_w, grad_b


def _step(stack: _Stack, grad_w: Tensor, grad_b: Tensor) -> None:
    """One preconditioned step with momentum; a head whose momentum points uphill restarts."""
    import torch

    # The chain rule of the shift: in centred features the gradient in W loses grad_b times mean.
    centred = grad_w - grad_b * stack.mean
    diagonal = stack.inverse.shape[1] == 1
    w_new = stack.w - (centred * stack.inverse if diagonal else centred @ stack.inverse)
    # The weights sum to 1, so the intercept's curvature is at most 1/2: its inverse is 2.
    b_new = stack.b - 2 * grad_b
    move_w, move_b = w_new - stack.w_old, b_new - stack.b_old
    uphill = (centred * move_w).sum((1, 2)) + (grad_b * move_b).sum((1, 2)) > 0
    before = stack.momentum.masked_fill(uphill[:, None, None], 1.0)
    after = (1 + (1 + 4 * before.square()).sqrt()) / 2
    pull = torch.where(uphill[:, None, None], torch.zeros_like(before), (before - 1) / after)
    stack.w, stack.b = w_new + pull * move_w, b_new + pull * move_b
    stack.w_old, stack.b_old, stack.momentum = w_new, b_new, after


def _uncentred(stack: _Stack, rows: Tensor) -> Tensor:
    """Weights [k, D + 1, C] for features as given; absent classes lie far below the others."""
    import torch

    w, absent = stack.w[rows], stack.absent[rows]
    b = stack.b[rows] - w @ stack.mean[rows].transpose(1, 2)
    lowest = b.masked_fill(absent, float("inf")).amin(dim=1, keepdim=True)
    b = torch.where(absent, lowest - ABSENT_LOGIT, b)
    return torch.cat([w, b], dim=2).transpose(1, 2)
