"""Bought labels to one model: cross-validation on the labels chooses penalty and kind of target.

One yardstick judges every candidate (kind of target, penalty): the cross entropy of its held-out
predictions against the raw answer shares, weighted by the number of answers. A weak Gaussian prior
on log10(penalty) is added to it, centred on features / (2 rows): the penalty of a Bayesian logistic
model whose standardised features together move a logit by about sqrt(2). With few labels the prior
keeps the choice from jumping between neighbouring plans. The chosen penalty is the minimum of the
parabola through the best grid point and its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from training.cross_validation import (
    CV_TOL,
    CvRow,
    Floats,
    Ints,
    Problem,
    choose,
    deal_folds,
    floored,
    search_penalties,
)
from training.heads import fit_heads, predict, softmax

GRID = tuple(10.0 ** (step / 2) for step in range(-4, 3))  # times the prior's centre
FINAL_TOL = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A fitted classifier on features.

    Attributes:
        weights: [D + 1, C] on standardised features, last row the intercept.
        mean, scale: [D] standardisation: (x - mean) / scale.
        floor: share of probability spread evenly over the classes, 1 / (N + 2): an event that N
            rows never showed is still possible (Laplace's rule of succession).
        target: kind of target chosen; "constant" for class shares only.
        lam: penalty chosen; 0 for a constant model.
        rows: number of training rows N.
        table: all candidates tried; empty for a constant model.
        grad_norm, iterations: of the final fit.
        temperature: by which logits are divided (`training.calibration`); None for not at all.
    """

    weights: Floats
    mean: Floats
    scale: Floats
    floor: float
    target: str
    lam: float
    rows: int
    table: tuple[CvRow, ...]
    grad_norm: float
    iterations: int
    temperature: float | None = None

    def logits(self, X: NDArray[np.floating]) -> Floats:
        """Logits [n, C] for features [n, D], before temperature and floor."""
        Z = _standardised(X, self.mean, self.scale)
        return np.asarray(Z @ self.weights[:-1] + self.weights[-1])

    def predict(self, X: NDArray[np.floating]) -> Floats:
        """Class probabilities [n, C] for features [n, D]."""
        return floored(softmax(self.logits(X) / (self.temperature or 1.0)), self.floor)


def hard(shares: Floats, rng: np.random.Generator) -> Floats:
    """One-hot targets of the largest share; ties are broken at random.

    Args:
        shares: [N, C] answer shares or posterior.
        rng: breaks ties, so that no class gains by its index.

    Returns:
        [N, C] with one 1 in each row.
    """
    tied = shares >= shares.max(axis=1, keepdims=True) - 1e-12
    best = np.where(tied, rng.random(shares.shape), -1.0).argmax(axis=1)
    return np.asarray(np.eye(shares.shape[1])[best])


def train(
    X: NDArray[np.floating],
    targets: Mapping[str, Floats],
    judge: Floats,
    confidence: Floats,
    rng: np.random.Generator,
    *,
    answers: NDArray[np.floating] | Ints | None = None,
    lambdas: Sequence[float] | None = None,
    folds: int = 5,
    scale: NDArray[np.floating] | None = None,
    threads: int = 1,
) -> Model:
    """Choose penalty and target by cross-validation on the bought labels, then fit on all of them.

    Args:
        X: [N, D] features of the labelled rows.
        targets: kinds of target, each [N, C] with rows summing to 1; only the first of several
            equal kinds is tried.
        judge: [N, C] raw answer shares, the yardstick for all kinds.
        confidence: [N] sample weights of the rows.
        rng: deals the folds.
        answers: [N] answers behind each row, the yardstick's weights; None takes `confidence`.
        lambdas: increasing penalties to try; None for seven half decades around the prior's centre.
            The three in the middle are tried, and others one by one while one at the edge is best.
        folds: number of folds; fewer when there are fewer rows.
        scale: [m, D] rows to take mean and spread from, such as all unlabelled features of the
            pool; None for X.
        threads: torch threads.

    Returns:
        The model. With fewer than two rows of any weight, or answers of one class only, a constant
        model that predicts the (smoothed) class shares.

    Raises:
        InputError: shapes that do not fit or values that are not finite.
    """
    counts = np.asarray(confidence if answers is None else answers, dtype=np.float64)
    weight = np.asarray(confidence, dtype=np.float64)
    _check(X, targets, judge, weight, counts)
    mean, spread = _moments(X if scale is None else scale)
    seen = np.count_nonzero(counts @ judge)
    if seen < 2 or np.count_nonzero(weight) < 2:
        return _constant(judge, counts, mean, spread)
    Z = _standardised(X, mean, spread)
    problem = Problem(
        Z,
        judge,
        weight,
        counts,
        deal_folds(judge, min(folds, len(Z)), rng),
        Z.shape[1] / 2 / len(Z),
    )
    grid = np.array([problem.centre * step for step in GRID] if lambdas is None else lambdas)
    table = search_penalties(problem, _distinct(targets), grid, threads)
    target, lam = choose(table)
    heads = fit_heads(Z, targets[target], weight, lam, tol=FINAL_TOL, threads=threads)
    return Model(
        weights=heads.weights[0],
        mean=mean,
        scale=spread,
        floor=1 / (len(Z) + 2),
        target=target,
        lam=lam,
        rows=len(Z),
        table=table,
        grad_norm=float(heads.grad_norm[0]),
        iterations=int(heads.iterations[0]),
    )


def bootstrap(
    model: Model,
    X: NDArray[np.floating],
    target: Floats,
    confidence: Floats,
    X_eval: NDArray[np.floating],
    draws: int,
    rng: np.random.Generator,
    threads: int = 1,
) -> Floats:
    """Probabilities of heads refitted on resampled training rows.

    Penalty, kind of target and standardisation stay the model's.

    Args:
        model: the result of `train`.
        X: [N, D] the features that the model was trained on.
        target: [N, C] the targets of kind `model.target`.
        confidence: [N] the sample weights of that training.
        X_eval: [n, D] rows to predict.
        draws: number of resamples.
        rng: draws the resamples.
        threads: torch threads.

    Returns:
        [draws, n, C]. For a constant model all draws are equal.
    """
    n = len(X)
    # A constant model may have no rows at all, from which a multinomial cannot draw.
    if model.lam == 0:
        return refit(model, X, target, np.ones((draws, n)), X_eval)
    times = rng.multinomial(n, np.full(n, 1 / n), size=draws)
    weights = times * np.asarray(confidence, dtype=np.float64)[None]
    # If most rows have confidence 0, a resample may hold only those; a head without weight has no
    # optimum, so such a draw takes the original rows.
    empty = weights.sum(axis=1) == 0
    weights[empty] = confidence
    return refit(model, X, target, weights, X_eval, threads)


def refit(
    model: Model,
    X: NDArray[np.floating],
    targets: Floats,
    weights: Floats,
    X_eval: NDArray[np.floating],
    threads: int = 1,
) -> Floats:
    """Probabilities of heads fitted again, to other targets or weights of the same rows.

    Penalty and standardisation stay the model's; a temperature does not apply to other heads.

    Args:
        model: the result of `train`.
        X: [N, D] the features that the model was trained on.
        targets: [N, C], or [draws, N, C] with one set for each head.
        weights: [draws, N] sample weights; each draw has a positive weight.
        X_eval: [n, D] rows to predict.
        threads: torch threads.

    Returns:
        [draws, n, C]. For a constant model all draws are equal.
    """
    if model.lam == 0:
        return np.repeat(model.predict(X_eval)[None], len(weights), axis=0)
    Z = _standardised(X, model.mean, model.scale)
    # The loose tolerance is enough: resampling moves a head far more than the last iterations do.
    heads = fit_heads(
        Z, targets, weights, model.lam, tol=CV_TOL, start=model.weights, threads=threads
    )
    Z_eval = _standardised(X_eval, model.mean, model.scale)
    return floored(predict(heads, Z_eval), model.floor)


def fit_again(model: Model, X: NDArray[np.floating], target: Floats, confidence: Floats) -> Model:
    """The head fitted to other rows; penalty and standardisation stay the model's.

    Args:
        model: the result of `train`.
        X: [N, D] features, such as some of those that the model was trained on.
        target: [N, C] their targets, of kind `model.target`.
        confidence: [N] their sample weights.

    Returns:
        The head, without a temperature; a constant model, or one without weight, as it is.
    """
    if model.lam == 0 or not np.count_nonzero(confidence):
        return model
    Z = _standardised(X, model.mean, model.scale)
    heads = fit_heads(Z, target, confidence, model.lam, tol=CV_TOL, start=model.weights)
    return replace(
        model,
        weights=heads.weights[0],
        floor=1 / (len(Z) + 2),
        rows=len(Z),
        grad_norm=float(heads.grad_norm[0]),
        iterations=int(heads.iterations[0]),
        temperature=None,
    )


def save(model: Model, path: Path) -> None:
    """Write weights, mean and scale as safetensors, the choices as its text metadata."""
    from safetensors.numpy import save_file

    arrays = {"weights": model.weights, "mean": model.mean, "scale": model.scale}
    meta = {"target": model.target, "lam": repr(model.lam), "floor": repr(model.floor)}
    if model.temperature is not None:
        meta["temperature"] = repr(model.temperature)
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, path, metadata=meta)


def _check(
    X: NDArray[np.floating],
    targets: Mapping[str, Floats],
    judge: Floats,
    weight: Floats,
    counts: Floats,
) -> None:
    """Refuse arrays that do not fit together; the message names the array."""
    if X.ndim != 2:
        raise InputError(f"features must be [rows, dimensions], not {X.shape}")
    if not targets:
        raise InputError("no kind of target was given")
    named = {f"target {name!r}": value for name, value in targets.items()}
    for name, value in {**named, "judge": judge}.items():
        if value.shape != (len(X), judge.shape[-1]) or not np.isfinite(value).all():
            raise InputError(
                f"{name} must be finite and [{len(X)}, {judge.shape[-1]}], is {value.shape}"
            )
    for name, value in {"confidence": weight, "answers": counts}.items():
        if value.shape != (len(X),) or not np.isfinite(value).all() or (value < 0).any():
            raise InputError(f"{name} must be [{len(X)}] finite numbers, none negative")
    if not np.isfinite(X).all():
        raise InputError("features must be finite numbers")


def _distinct(targets: Mapping[str, Floats]) -> dict[str, Floats]:
    """The kinds of target that differ; at overlap 1, shares and hard targets are the same."""
    kinds: dict[str, Floats] = {}
    for name, target in targets.items():
        if not any(np.array_equal(target, other) for other in kinds.values()):
            kinds[name] = np.asarray(target, dtype=np.float64)
    return kinds


def _moments(X: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Mean and spread of the columns.

    The spread is at least a tenth of the columns' root mean square spread. Without this bound a
    pixel lit in one image of a thousand becomes that image's largest feature.
    """
    if len(X) == 0:
        return np.zeros(X.shape[1]), np.ones(X.shape[1])
    values = np.asarray(X, dtype=np.float64)
    mean, spread = values.mean(axis=0), values.std(axis=0)
    typical = float(np.sqrt(np.mean(spread**2)))
    return mean, np.maximum(spread, 0.1 * typical if typical > 0 else 1.0)


def _standardised(X: NDArray[np.floating], mean: Floats, scale: Floats) -> Floats:
    return np.asarray((np.asarray(X, dtype=np.float64) - mean) / scale)


def _constant(judge: Floats, counts: Floats, mean: Floats, scale: Floats) -> Model:
    """Predict the class shares, smoothed by one answer spread evenly over the classes."""
    C = judge.shape[1]
    # The added answer keeps every log share finite, also for a class without answers.
    shares = (counts @ judge + 1 / C) / (counts.sum() + 1)
    weights = np.zeros((len(mean) + 1, C))
    weights[-1] = np.log(shares)
    return Model(weights, mean, scale, 0.0, "constant", 0.0, len(judge), (), 0.0, 0)
