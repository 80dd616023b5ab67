"""The method behind a stack of heads: L-BFGS on all heads at once.

Preconditioned L-BFGS (Liu and Nocedal, "On the limited memory BFGS method for large scale
optimization", Mathematical Programming 45, 1989) starts from each head's own curvature: the Hessian
of class c is about h_c Cov + lam I, where h_c is the mean of p_c (1 - p_c). A step is accepted by
its slope alone, as values of the objective near its optimum differ by less than their rounding
(Hager and Zhang, "A new conjugate gradient method with guaranteed descent", SIAM Journal on
Optimization 16, 2005). All heads share X: the logits of the whole stack are one matrix product.
Most steps are taken in single precision, the last ones and the gradient norm in double.

While solving, each head's weighted mean centres the features; this makes the curvature nearly block
diagonal in W and b. All heads share the eigenbasis of the rows (`rows`); in it each head keeps the
diagonal of its own covariance.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.heads.rows import RotatedRows

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]

MEMORY = 6  # steps that the curvature is learned from
SINGLE_TOL = 2e-5  # gradient norm from which on steps are taken in double precision
SINGLE_ROUNDS = 100  # most steps in single precision: features far from 0 leave it too few digits
SINGLE_ENOUGH = 10 * SINGLE_TOL  # a tolerance that steps in single precision alone are trusted to
ABSENT_LOGIT = 40.0  # a class without any weight lies this far below the smallest intercept


@dataclass(slots=True)
class Stack:
    """Unfinished heads; the first axis of every tensor is the head.

    Attributes:
        head: [K] index into the result.
        target: [K, C, N]. weight: [K, 1, N], rows sum to 1. lam: [K, 1, 1]. mean: [K, 1, D].
        absent: [K, C, 1] true for classes without weight.
        inverse: [K, C, D] of the curvature in W, its diagonal.
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
    pairs: tuple[tuple[Tensor, Tensor, Tensor], ...] = ()

    def map(self, change: Callable[[Tensor], Tensor]) -> Stack:
        """The stack with every tensor changed."""
        changed = copy.copy(self)
        for name in self.__slots__[: self.__slots__.index("pairs")]:
            setattr(changed, name, change(getattr(self, name)))
        changed.pairs = tuple((change(s), change(y), change(r)) for s, y, r in self.pairs)
        return changed

    @property
    def trial(self) -> Tensor:
        """The point that is tried next."""
        return self.at + self.length * self.move


def solve(
    rows: RotatedRows,
    Y: Floats,
    weights: Floats,
    lams: Floats,
    tol: float,
    max_iter: int,
    start: Floats | None,
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Solve in single precision as far as it reaches, then in double.

    Args:
        rows: features in their basis.
        Y: [K, N, C] targets.
        weights: [K, N] weights; rows sum to 1.
        lams: [K] penalties.
        tol: gradient norm of a finished head.
        max_iter: limit of gradient evaluations.
        start: [K, D + 1, C] in the basis; None for zero.

    Returns:
        The weights [K, D + 1, C] in the basis, and the norms and numbers of gradients.
    """
    import torch

    stack = _prepare(rows.single, Y, weights, lams, start)
    limit = torch.full((len(lams),), min(max_iter - 1, SINGLE_ROUNDS))
    target = max(0.98 * tol, SINGLE_TOL)
    point, grad_norm, before = _minimise(rows.single, stack, target, limit)
    if tol >= SINGLE_ENOUGH and rows.near_zero and bool((grad_norm <= tol).all()):
        return _finished(point.double(), stack), grad_norm.double().numpy(), before.numpy()
    found = _finished(point.double(), stack)
    # Heads that ran out of digits start again; those that began near enough keep their start's.
    again = ~np.isfinite(found).all(axis=(1, 2)) | (before == 1).numpy()
    found[again] = 0.0 if start is None else start[again]
    stack = _prepare(rows.double, Y, weights, lams, found)
    point, grad_norm, after = _minimise(rows.double, stack, tol, max_iter - before)
    return _finished(point, stack), grad_norm.numpy(), (before + after).numpy()


def _prepare(X: Tensor, Y: Floats, weights: Floats, lams: Floats, start: Floats | None) -> Stack:
    """Means, preconditioners and starting points of heads, in the precision of the features."""
    import torch

    K, _, C = Y.shape
    number = np.float32 if X.dtype == torch.float32 else np.float64
    # Broadcast arrays are read-only views: torch gets copies of them.
    w = torch.from_numpy(np.array(weights, dtype=number))
    lam = torch.from_numpy(np.array(lams, dtype=number))[:, None, None]
    target = torch.from_numpy(np.array(Y.transpose(0, 2, 1), dtype=number, order="C"))
    mean = (w @ X)[:, None]
    absent = (target * w[:, None]).sum(dim=2, keepdim=True) == 0
    at = torch.zeros(K, C, X.shape[1] + 1, dtype=X.dtype)
    if start is not None:
        at += torch.from_numpy(np.array(start.transpose(0, 2, 1), dtype=number, order="C"))
        _balanced(at, absent)
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
    )
    # At zero every row has the same probabilities: one row tells them.
    seen = X.new_zeros(1, X.shape[1]) if start is None else X
    p = _probabilities(seen, stack, at)
    curvature = p * (1 - p)
    if start is not None:
        curvature = (curvature * stack.weight).sum(2, keepdim=True)
    # A class that the start already tells well would get steps without bound.
    curvature = curvature.clamp(min=0.1 / C)
    variance = ((w @ X.square())[:, None] - mean.square()).clamp(min=0)
    stack.flat = 1 / curvature
    stack.inverse = 1 / (curvature * variance + lam)
    return stack


def _finished(point: Tensor, stack: Stack) -> Floats:
    """Weights [K, D + 1, C] of points; absent classes lie far below the others."""
    import torch

    b = point[:, :, -1:] - point[:, :, :-1] @ stack.mean.to(point.dtype).transpose(1, 2)
    lowest = b.masked_fill(stack.absent, float("inf")).amin(dim=1, keepdim=True)
    b = torch.where(stack.absent, lowest - ABSENT_LOGIT, b)
    return np.asarray(torch.cat([point[:, :, :-1], b], dim=2).transpose(1, 2).numpy())


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
    for iteration in range(1, int(limit.max()) + 1):
        point = stack.trial
        gradient, norm = _gradient(X, stack, point)
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


def _probabilities(X: Tensor, stack: Stack, point: Tensor) -> Tensor:
    """Class probabilities [K, C, N] at a point; 0 for absent classes."""
    import torch

    K, C, _ = point.shape
    w = point[:, :, :-1].contiguous()
    # Centring moves into the intercept: centred features of K heads would be K copies of X.
    shift = point[:, :, -1:] - w @ stack.mean.transpose(1, 2)
    # Probability exactly 0: the data pull neither the weights nor the intercept of such a class.
    shift = shift.masked_fill(stack.absent, -float("inf"))
    logits = (w.view(K * C, -1) @ X.T).view(K, C, -1)
    return torch.softmax(logits.add_(shift), 1)


def _gradient(X: Tensor, stack: Stack, point: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient [K, C, D + 1] for centred features, and its norm [K] for features as given."""
    import torch

    K, C, _ = point.shape
    residual = _probabilities(X, stack, point).sub_(stack.target).mul_(stack.weight)
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
    move = torch.cat([w * stack.inverse, b * stack.flat], 2)
    for (step, change, inverse), share in zip(stack.pairs, reversed(shares), strict=True):
        move.addcmul_(step, share - inverse * _dot(change, move))
    return _balanced(move, stack.absent).neg_()


def _balanced(point: Tensor, absent: Tensor) -> Tensor:
    """A point without what all classes share, in place; 0 for absent classes.

    Softmax does not feel it, and the optimum has none: along it the curvature is the penalty alone,
    far below the preconditioner's, so that whatever a step put there would take long to leave.
    """
    present = (~absent).to(point.dtype)
    point.mul_(present).sub_(point.sum(1, True) / present.sum(1, True) * present)
    return point


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each head's tensors, [K, 1, 1]."""
    import torch

    product: Tensor = torch.linalg.vecdot(a.flatten(1), b.flatten(1))
    return product[:, None, None]
