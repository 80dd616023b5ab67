"""Cross-validation on the bought labels alone: it chooses a head's penalty and kind of target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.heads import fit_heads, softmax

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRIOR_DECADES = 0.75  # standard deviation of the prior on log10(penalty)


# Gradient norm at which a head of the cross-validation is finished. It is looser than that of the
# final fit: losses are only compared with each other.
CV_TOL = 3e-4


@dataclass(frozen=True, slots=True)
class CvRow:
    """One candidate of the cross-validation.

    Attributes:
        target: kind of target. lam: penalty.
        loss: held-out cross entropy against the raw answer shares, nats per answer.
        error: its standard error over rows.
        penalised: loss plus the prior's share; the choice minimises it.
    """

    target: str
    lam: float
    loss: float
    error: float
    penalised: float


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """The data that all candidates of a cross-validation share.

    Attributes:
        Z: [N, D] standardised features. judge: [N, C] raw answer shares.
        weight: [N] sample weights. answers: [N] the yardstick's weights. fold: [N] fold index.
        centre: centre of the prior on the penalty.
    """

    Z: Floats
    judge: Floats
    weight: Floats
    answers: Floats
    fold: Ints
    centre: float


def floored(probabilities: Floats, floor: float) -> Floats:
    """Probabilities mixed with a small share of the uniform distribution: none is 0."""
    return np.asarray((1 - floor) * probabilities + floor / probabilities.shape[-1])


def unfloored(probabilities: Floats, floor: float) -> Floats:
    """The probabilities that `floored` was given, to within rounding."""
    return np.asarray((probabilities - floor / probabilities.shape[-1]) / (1 - floor))


def deal_folds(judge: Floats, folds: int, rng: np.random.Generator) -> Ints:
    """Fold of each row: the rows of each class (by largest share) are dealt evenly, at random."""
    # Rows sorted by class, at random inside a class, are dealt in turn. So each fold gets its part
    # of a class, and a class of two rows or more is never missing from the rows trained on.
    order = np.lexsort((rng.random(len(judge)), judge.argmax(axis=1)))
    fold = np.empty(len(judge), dtype=np.int64)
    fold[order] = np.arange(len(judge)) % folds
    return fold


def search_penalties(
    problem: Problem, kinds: Mapping[str, Floats], grid: Floats, threads: int
) -> tuple[CvRow, ...]:
    """Try the three penalties in the middle, then further ones while one at the edge is best.

    Smaller ones are tried while the smallest is the best of all: they take many more iterations.
    Larger ones are tried while the largest is the best for any kind of target.
    """
    first, names = (len(grid) - 1) // 2, tuple(kinds)
    last = min(first + 3, len(grid))
    losses = _cross_validate(problem, kinds, grid[first:last], threads)
    while True:
        table = _table(problem, names, grid[first:last], losses)
        penalised = np.array([row.penalised for row in table]).reshape(len(names), -1)
        if last < len(grid) and (penalised.argmin(axis=1) == last - first - 1).any():
            further = _cross_validate(problem, kinds, grid[last : last + 1], threads)
            losses, last = np.concatenate([losses, further], axis=1), last + 1
        elif first > 0 and penalised.argmin() % (last - first) == 0:
            first -= 1
            further = _cross_validate(problem, kinds, grid[first : first + 1], threads)
            losses = np.concatenate([further, losses], axis=1)
        else:
            return table


def _cross_validate(
    problem: Problem, kinds: Mapping[str, Floats], grid: Floats, threads: int
) -> Floats:
    """Held-out cross entropy of every row: [targets, penalties, N]."""
    Z, judge, fold = problem.Z, problem.judge, problem.fold
    T, (N, C), L = len(kinds), judge.shape, len(grid)
    # A fold may hold all rows of positive weight; the rest then cannot train a head.
    kept = [f for f in range(int(fold.max()) + 1) if problem.weight[fold != f].sum() > 0]
    masks = np.stack([problem.weight * (fold != f) for f in kept])
    targets, F = np.stack(list(kinds.values())), len(kept)
    heads = fit_heads(
        Z,
        np.broadcast_to(targets[None, None], (F, L, T, N, C)).reshape(F * L * T, N, C),
        np.broadcast_to(masks[:, None, None], (F, L, T, N)).reshape(F * L * T, N),
        np.broadcast_to(grid[None, :, None], (F, L, T)).ravel(),
        tol=CV_TOL,
        threads=threads,
    )
    weights = heads.weights.reshape(F, L * T, Z.shape[1] + 1, C)
    # log C is the loss of a uniform guess: it stays where a fold leaves no rows to train on.
    losses = np.full((T, L, N), np.log(C))
    for f, stack in zip(kept, weights, strict=True):
        out = fold == f
        # The same floor as the final model's: without it one confident miss outweighs all rows.
        p = floored(softmax(Z[out] @ stack[:, :-1] + stack[:, -1:]), 1 / (N + 2))
        loss = -(judge[out] * np.log(p)).sum(axis=2)
        losses[:, :, out] = loss.reshape(L, T, -1).transpose(1, 0, 2)
    return losses


def _table(
    problem: Problem, names: tuple[str, ...], grid: Floats, losses: Floats
) -> tuple[CvRow, ...]:
    """Mean losses with standard errors and the prior's share, targets in blocks of penalties."""
    share = problem.answers / problem.answers.sum()
    decades = np.log10(grid / problem.centre)
    # A log prior counts once, but the losses are means over rows: hence the division by the rows.
    prior = (decades / PRIOR_DECADES) ** 2 / 2 / len(share)
    rows = []
    for name, block in zip(names, losses, strict=True):
        for lam, line, extra in zip(grid, block, prior, strict=True):
            loss = float(share @ line)
            error = float(np.sqrt(share**2 @ (line - loss) ** 2))
            rows.append(CvRow(name, float(lam), loss, error, loss + float(extra)))
    return tuple(rows)


def choose(table: tuple[CvRow, ...]) -> tuple[str, float]:
    """Kind of target with the smallest penalised loss, and the penalty at its parabola's bottom."""
    best = min(range(len(table)), key=lambda i: table[i].penalised)
    row, three = table[best], table[max(0, best - 1) : best + 2]
    # The table is blocks of penalties, one per kind: a neighbour of another kind marks the edge of
    # the grid, where no parabola brackets the minimum.
    if len(three) < 3 or len({r.target for r in three}) > 1:
        return row.target, row.lam
    at = np.log([r.lam for r in three])
    value = np.array([r.penalised for r in three])
    slope, curve = np.polyfit(at - at[1], value, 2)[1], np.polyfit(at - at[1], value, 2)[0]
    if curve <= 0:
        return row.target, row.lam
    # Rounding can push the bottom of a flat parabola beyond the three points that it was fitted to.
    bottom = np.clip(-slope / (2 * curve), at[0] - at[1], at[2] - at[1])
    return row.target, float(row.lam * np.exp(bottom))
