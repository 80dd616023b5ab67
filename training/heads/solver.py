"""The method behind a stack of heads: L-BFGS on all heads at once.

Preconditioned L-BFGS (Liu and Nocedal, "On the limited memory BFGS method for large scale
optimization", Mathematical Programming 45, 1989) starts from each head's own curvature: the Hessian
of class c is about h_c Cov + lam I, where h_c is the mean of p_c (1 - p_c). A step is accepted by
its slope alone, as values of the objective near its optimum differ by less than their rounding
(Hager and Zhang, "A new conjugate gradient method with guaranteed descent", SIAM Journal on
Optimization 16, 2005). All heads share X: the logits of the whole stack are one matrix product.
Most steps are taken in single precision, the last ones and the gradient norm in double.

While solving, each head's weighted mean centres the features; this makes the curvature nearly block
diagonal in W and b. Many heads share one eigenbasis of the pooled covariance; in it each head keeps
the diagonal of its own. Few heads get a Cholesky factor for each distinct pair of weights and
penalty.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]

MEMORY = 6  # steps that the curvature is learned from
SINGLE_TOL = 2e-5  # gradient norm from which on steps are taken in double precision
SINGLE_ROUNDS = 100  # most steps in single precision: features far from 0 leave it too few digits
ABSENT_LOGIT = 40.0  # a class without any weight lies this far below the smallest intercept


@dataclass(slots=True)
class Stack:
    """Unfinished heads; the first axis of every tensor is the head.

    Attributes:
        head: [K] index into the result.
        target: [K, C, N]. weight: [K, 1, N], rows sum to 1. lam: [K, 1, 1]. mean: [K, 1, D].
        absent: [K, C, 1] true for classes without weight.
        inverse: of the curvature in W: [K, D, D] or, `diagonal`, [K, C, D].
        flat: [K, C, 1] inverse of the curvature in the intercept.
        at: [K, C, D + 1] the last point accepted; in the last column the intercept for centred
            features. gradient: there.
        move, length: the step that is tried next. slope: of the objective along `move`.
        pairs: steps accepted, how each changed the gradient, and the inverse of their product
            ([K, 1, 1]; 0 for a head that took none then).
    """

    head: Tensor
    target: Tensor
    weight: Tensor
    lam: Tensor
    mean: Tensor
    absent: Tensor
    inverse: Tensor
    flat: Tensor
    at: Tensor
    gradient: Tensor
    move: Tensor
    length: Tensor
    slope: Tensor
    diagonal: bool
    pairs: tuple[tuple[Tensor, Tensor, Tensor], ...] = ()

    def map(self, change: Callable[[Tensor], Tensor]) -> Stack:
        """The stack with every tensor changed."""
        changed = copy.copy(self)
        for name in self.__slots__[: self.__slots__.index("diagonal")]:
            setattr(changed, name, change(getattr(self, name)))
        changed.pairs = tuple((change(s), change(y), change(r)) for s, y, r in self.pairs)
        return changed

    @property
    def trial(self) -> Tensor:
        """The point that is tried next."""
        return self.at + self.length * self.move


def gram(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    """Products of the columns, [D, D]. NumPy is twice as fast as torch here on some processors."""
    return np.asarray(rows.T @ rows)


def prepare(
    X: Tensor,
    Y: Floats,
    weights: Floats,
    lams: Floats,
    diagonal: bool,
    start: Floats | None,
) -> Stack:
    """Means, preconditioners and starting points of heads with weights that sum to 1."""
    import torch

    K, _, C = Y.shape
    w = torch.from_numpy(weights)
    # Broadcast arrays are read-only views: torch gets copies of them.
    lam = torch.from_numpy(np.array(lams))[:, None, None]
    target = torch.from_numpy(np.array(Y.transpose(0, 2, 1), order="C"))
    mean = (w @ X)[:, None]
    absent = (target * w[:, None]).sum(dim=2, keepdim=True) == 0
    at = torch.zeros(K, C, X.shape[1] + 1, dtype=X.dtype)
    if start is not None:
        at += torch.from_numpy(np.array(start.transpose(0, 2, 1), order="C"))
        at.masked_fill_(absent, 0.0)
        # w (x - mean) + b' equals w x + b for b' = b + w mean.
        at[:, :, -1:] += at[:, :, :-1] @ mean.transpose(1, 2)
    nothing, zero = torch.zeros_like(at), torch.zeros(K, 1, 1, dtype=X.dtype)
    stack = Stack(
        head=torch.arange(K),
        target=target,
        weight=w[:, None],
        lam=lam,
        mean=mean,
        absent=absent,
        inverse=zero,  # and `flat`: both need the curvature at the start
        flat=zero,
        at=at,
        gradient=nothing,
        move=nothing,
        length=zero,
        slope=zero,
        diagonal=diagonal,
    )
    p = _probabilities(X.T, stack, at)
    # A class that the start already tells well would get steps without bound.
    curvature = (p * (1 - p) * stack.weight).sum(2, keepdim=True).clamp(min=0.1 / C)
    stack.flat = 1 / curvature
    if diagonal:
        variance = ((w @ X.square())[:, None] - mean.square()).clamp(min=0)
        stack.inverse = 1 / (curvature * variance + lam)
    else:
        stack.inverse = _inverses(X, w, lam, float(curvature.mean()))
    return stack


def _inverses(X: Tensor, w: Tensor, lam: Tensor, curvature: float) -> Tensor:
    """Inverses [K, D, D] of curvature Cov_k + lam_k I; equal inverses are computed once."""
    import torch

    single = X.float()
    inverses: dict[tuple[bytes, float], Tensor] = {}
    for row, penalty in zip(w, lam.flatten().tolist(), strict=True):
        key = (row.numpy().tobytes(), penalty)
        if key not in inverses:
            spread = (single - (row @ X).float()) * (curvature * row).sqrt().float()[:, None]
            bound = torch.from_numpy(gram(spread.numpy()))
            # The trace exceeds every eigenvalue: its share is above single precision's rounding.
            bound.diagonal().add_(penalty + 1e-6 * float(bound.trace()))
            inverses[key] = torch.cholesky_inverse(torch.linalg.cholesky(bound)).double()
    keys = zip(w, lam.flatten().tolist(), strict=True)
    return torch.stack([inverses[row.numpy().tobytes(), penalty] for row, penalty in keys])


def solve(
    X: Tensor, stack: Stack, tol: float, max_iter: int
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Solve in single precision as far as it reaches, then in double.

    Returns:
        The weights [K, D + 1, C] for features as given, and the norms and numbers of gradients.
    """
    import torch

    single = stack.map(lambda t: t.float() if t.is_floating_point() else t)
    rounds = torch.full((len(stack.head),), min(max_iter - 1, SINGLE_ROUNDS))
    point, _, before = _minimise(X.float(), single, max(0.98 * tol, SINGLE_TOL), rounds)
    point = point.double()
    stack.at = torch.where(point.isfinite().all(2, keepdim=True), point, stack.at)
    point, grad_norm, after = _minimise(X, stack, tol, max_iter - before)
    # Absent classes lie far below the others.
    b = point[:, :, -1:] - point[:, :, :-1] @ stack.mean.transpose(1, 2)
    lowest = b.masked_fill(stack.absent, float("inf")).amin(dim=1, keepdim=True)
    b = torch.where(stack.absent, lowest - ABSENT_LOGIT, b)
    weights = torch.cat([point[:, :, :-1], b], dim=2).transpose(1, 2)
    return weights.numpy(), grad_norm.numpy(), (before + after).numpy()


def _minimise(X: Tensor, stack: Stack, tol: float, limit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Step until each head's gradient norm is at most `tol`, or its limit [K] is reached.

    Finished heads leave the stack in groups.

    Returns:
        Points [K, C, D + 1], and the norms and numbers of gradients.
    """
    import torch

    points = stack.at.clone()
    grad_norm = torch.full((len(points),), torch.inf, dtype=X.dtype)
    iterations = torch.zeros(len(points), dtype=torch.int64)
    open_ = torch.ones(len(points), dtype=torch.bool)
    transposed = X.T.contiguous()
    for iteration in range(1, int(limit.max()) + 1):
        point = stack.trial
        gradient, norm = _gradient(X, transposed, stack, point)
        done = (norm <= tol) | (iteration >= limit[stack.head])
        # A finished head is stepped on until the stack is packed: its first result is kept.
        fresh = done & open_[stack.head]
        index = stack.head[fresh]
        points[index], grad_norm[index] = point[fresh], norm[fresh]
        iterations[index], open_[index] = iteration, False
        if not open_.any():
            break
        _step(stack, point, gradient)
        alive = open_[stack.head]
        # Packing copies the whole stack: it pays once a quarter of the heads are finished.
        if 4 * int(alive.sum()) <= 3 * len(alive):
            stack = stack.map(lambda t, rows=alive: t[rows])  # type: ignore[misc]
    return points, grad_norm, iterations


def _probabilities(transposed: Tensor, stack: Stack, point: Tensor) -> Tensor:
    """Class probabilities [K, C, N] at a point; 0 for absent classes."""
    import torch

    K, C, _ = point.shape
    w = point[:, :, :-1].contiguous()
    # Centring moves into the intercept: centred features of K heads would be K copies of X.
    shift = point[:, :, -1:] - w @ stack.mean.transpose(1, 2)
    # Probability exactly 0: the data pull neither the weights nor the intercept of such a class.
    shift = shift.masked_fill(stack.absent, -float("inf"))
    logits = (w.view(K * C, -1) @ transposed).view(K, C, -1)
    return torch.softmax(logits.add_(shift), 1)


def _gradient(X: Tensor, transposed: Tensor, stack: Stack, point: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient [K, C, D + 1] for centred features, and its norm [K] for features as given."""
    import torch

    K, C, _ = point.shape
    residual = _probabilities(transposed, stack, point).sub_(stack.target).mul_(stack.weight)
    b = residual.sum(dim=2, keepdim=True)
    w = (residual.view(K * C, -1) @ X).view(K, C, -1).addcmul_(stack.lam, point[:, :, :-1])
    norm = (w.square().sum((1, 2)) + b.square().sum((1, 2))).sqrt()
    # The chain rule of the shift: in centred features the gradient in W loses b times mean.
    return torch.cat([w.addcmul_(b, stack.mean, value=-1), b], 2), norm


def _step(stack: Stack, point: Tensor, gradient: Tensor) -> None:
    """Accept the points that were tried, or shorten their steps; then choose the next steps."""
    import torch

    slope = _dot(gradient, stack.move)
    good = slope <= 0.5 * stack.slope.abs()
    # A point that is not accepted may be infinite: its step is 0, not a step times 0.
    point = torch.where(good, point, stack.at)
    gradient = torch.where(good, gradient, stack.gradient)
    step, change = point - stack.at, gradient - stack.gradient
    product = _dot(step, change)
    inverse = torch.where(product > 0, 1 / product, torch.zeros_like(product))
    if inverse.any():
        stack.pairs = (*stack.pairs, (step, change, inverse))[-MEMORY:]
    # The root of the line through both slopes; a slope that is not finite was far too long a step.
    shorter = (stack.slope / (stack.slope - slope)).nan_to_num(0.1).clamp(0.1, 0.7)
    stack.length = torch.where(good, torch.ones_like(shorter), stack.length * shorter)
    stack.at, stack.gradient = point, gradient
    stack.move = _direction(stack)
    stack.slope = _dot(stack.gradient, stack.move)


def _direction(stack: Stack) -> Tensor:
    """The two loops of L-BFGS: minus the gradient times the inverse curvature as learned."""
    import torch

    move, shares = stack.gradient.clone(), []
    for step, change, inverse in reversed(stack.pairs):
        shares.append(inverse * _dot(step, move))
        move.addcmul_(change, shares[-1], value=-1)
    w, b = move[:, :, :-1], move[:, :, -1:]
    w = w * stack.inverse if stack.diagonal else w @ stack.inverse
    move = torch.cat([w, b * stack.flat], 2)
    for (step, change, inverse), share in zip(stack.pairs, reversed(shares), strict=True):
        move.addcmul_(step, share - inverse * _dot(change, move))
    # Softmax does not feel a number added to all intercepts: their sum stays.
    present = (~stack.absent).to(move.dtype)
    move[:, :, -1:] -= (move[:, :, -1:] * present).sum(1, True) / present.sum(1, True)
    move[:, :, -1:] *= present
    return move.neg_()


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each head's tensors, [K, 1, 1]."""
    import torch

    product: Tensor = torch.linalg.vecdot(a.flatten(1), b.flatten(1))
    return product[:, None, None]
