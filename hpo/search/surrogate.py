"""The surrogate of plans' accuracies: a Gaussian process on the logarithm of the error.

On that scale learning curves are nearly straight and noise is nearly even. Observed is

    ln(1 - accuracy) = basis . weights + residual + purchase effect + measurement noise

with Gaussian priors throughout: the basis carries the rule of thumb (more tasks beat more overlap,
an unchecked crowd errs more, price does little) as prior mean; the residual is Matern 5/2 over
log price, control share, log overlap, log tasks and exam (or, for own annotators, who sit none,
predictions shown), and over an indicator of each further group of own annotators; evaluations of
one purchase share its annotators, so a condition's effects covary as means over nested samples do:
by the variance of the larger (a Brownian kernel in the purchase's variance). An unchecked crowd's
purchase varies more.

The purchase effect is why this is written out: kept libraries (scikit-learn, Optuna) have no kernel
for a random effect per condition whose size falls with overlap, tasks and controls.
Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", equations 2.42, 5.8, 5.9.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from hpo.search.blocks import BLOCK, Kept, Rows, grow, recall
from labeling.types import Floats, Ints, LabelPlan

MOST_FITTED = 200  # evaluations behind one fit of the hyper-parameters

_REFERENCE_TASKS = 100.0
_UNCHECKED, _CHECKED, _LEAST = 0.35, 0.22, 0.04  # sd of 100 answers' purchase, of any purchase
_SHRINK = 0.38  # its fall with the number of answers: measured -0.3 to -0.4
_WIDTHS = np.array([math.log(8), 0.5, math.log(7), math.log(10), 1.0])  # usual ranges of inputs

# Prior of the basis weights: columns of `_basis`, per unit of natural logarithm.
_MEAN = np.array([-1.6, -0.47, -0.24, 0.15, -0.07, -0.03, 0.0, 0.05, 0.04])
_SD = np.array([0.80, 0.12, 0.10, 0.25, 0.25, 0.15, 0.05, 0.05, 0.04])

_GROUP_SD = 0.25  # of a group's weight: as of an unchecked crowd's
# Hyper-parameters, as logarithms: amplitude of the residual, five length scales (in usual ranges),
# scale of the purchase effects, scale of the measurement noise. Prior mean and sd.
_THETA: Floats = np.log(np.array([0.12, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.4]))
_THETA_SD = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.35, 0.35])


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Plans in columns.

    Attributes:
        unit: [n, 5 + groups] kernel coordinates, usual ranges scaled to 1.
        basis: [n, P] columns of the linear part.
        variance: [n] prior variance of one purchase's effect.
        condition: [n] a code of the plan's condition.
    """

    unit: Floats
    basis: Floats
    variance: Floats
    condition: Ints

    def at(self, index: NDArray[np.integer] | Sequence[int]) -> Inputs:
        """The plans at some places."""
        i = np.asarray(index, dtype=np.int64)
        return Inputs(self.unit[i], self.basis[i], self.variance[i], self.condition[i])


def encode(plans: Sequence[LabelPlan], suite_size: int, groups: Sequence[str] = ()) -> Inputs:
    """Plans as inputs.

    Args:
        plans: any plans.
        suite_size: tasks per suite, control tasks included.
        groups: of own annotators that the study may ask, without the first one.
    """
    raw = np.array(
        [[p.price.micros, _overlap(p), p.controls, p.tasks, p.exam or p.prelabel] for p in plans],
        dtype=np.float64,
    ).reshape(-1, 5)
    price, overlap = np.log(raw[:, 0] / 1e3), np.log(raw[:, 1])
    tasks, knob = np.log(raw[:, 3] / _REFERENCE_TASKS), raw[:, 4]
    exam = np.array([p.exam for p in plans], dtype=np.bool_)
    share = np.sqrt(raw[:, 2] / suite_size)  # the first control task is worth the most
    unchecked = ((raw[:, 2] == 0) & ~exam).astype(np.float64)
    constant = np.ones(len(raw))
    by = [np.array([p.group == group for p in plans], dtype=np.float64) for group in groups]
    basis = np.column_stack(
        [constant, tasks, overlap, unchecked, share, knob, price, tasks * overlap, tasks**2, *by]
    )
    at_100 = np.where(unchecked > 0, _UNCHECKED, _CHECKED)
    variance = (at_100 * np.exp(-_SHRINK * (tasks + overlap))) ** 2 + _LEAST**2
    widths = np.concatenate([_WIDTHS, np.ones(len(groups))])
    unit = np.column_stack([price, share, overlap, tasks, knob, *by]) / widths
    return Inputs(unit, basis, variance, np.array([_condition(p) for p in plans], dtype=np.int64))


def _overlap(plan: LabelPlan) -> float:
    """Answers per task; of a rule of dynamic overlap the middle of its least and most."""
    if plan.dynamic is None:
        return float(plan.overlap)
    return math.sqrt(plan.dynamic.least * plan.dynamic.most)


def _condition(plan: LabelPlan) -> int:
    """A code of what a plan's condition does not share with the study's others."""
    text = f"{plan.price.micros}/{plan.controls}/{plan.exam}/{plan.dynamic}"
    text += ("/prelabel" if plan.prelabel else "") + (f"/by {plan.group}" if plan.group else "")
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big")


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """A block of evaluations in the factored system.

    Attributes:
        rows: of the factor.
        away: solved differences to the prior mean.
        jitter: added to the diagonal; that of the first block holds for all.
        key: hash of everything up to this block.
    """

    rows: Rows
    away: Floats
    jitter: float
    key: bytes


@dataclass(frozen=True, slots=True, eq=False)
class _Lessons:
    """What a block, with those before it, says of m plans.

    Attributes:
        seen, bought: [k, m] solved covariances of the block's evaluations with the plans: of the
            signal, of the purchases.
        sums: [4, m] over all evaluations up to the block's: seen times away, seen squared, seen and
            bought squared, seen times both.
    """

    seen: Floats
    bought: Floats
    sums: Floats


@dataclass(slots=True, eq=False)
class Memory:
    """Solved blocks of evaluations, for the next posterior of the same study.

    Attributes:
        plans: the plans that every decision looks at.
    """

    plans: Inputs
    blocks: Kept[_Block] = field(default_factory=list)
    lessons: Kept[_Lessons] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Surrogate:
    """The posterior given evaluations.

    Attributes:
        inputs: the n evaluated plans.
        log_error: [n] observed ln(1 - accuracy).
        items: images behind each accuracy.
        theta: hyper-parameters as logarithms.
        memory: of earlier posteriors; None for none.
    """

    inputs: Inputs
    log_error: Floats
    items: int
    theta: Floats
    memory: Memory | None = None

    @cached_property
    def _parts(self) -> list[tuple[Inputs, Floats]]:
        """Inputs and log errors by blocks."""
        n = len(self.log_error)
        places = [range(at, min(at + BLOCK, n)) for at in range(0, max(n, 1), BLOCK)]
        return [(self.inputs.at(rows), self.log_error[list(rows)]) for rows in places]

    @cached_property
    def _blocks(self) -> list[_Block]:
        kept = [] if self.memory is None else self.memory.blocks
        blocks: list[_Block] = []
        key = _hash(self.theta, np.array(self.items))
        for place, (inputs, z) in enumerate(self._parts):
            key = _hash(key, inputs.unit, inputs.basis, inputs.variance, inputs.condition, z)
            make = partial(self._block, place, list(blocks), key)
            blocks.append(recall(kept, place, key, len(z), make))
        return blocks

    def _block(self, place: int, earlier: list[_Block], key: bytes) -> _Block:
        inputs, z = self._parts[place]
        within = self._covariance(inputs, inputs) + np.diag(_noise(z, self.items, self.theta))
        jitter = earlier[0].jitter if earlier else _jitter(within)
        cross = [self._covariance(inputs, other) for other, _ in self._parts[:place]]
        rows = grow([b.rows for b in earlier], cross, within + jitter * np.eye(len(z)))
        away = rows.solve(z - _prior_mean(inputs), [b.away for b in earlier])
        return _Block(rows, away, jitter, key)

    def _covariance(self, a: Inputs, b: Inputs) -> Floats:
        return _signal(a, b, self.theta) + _purchase(a, b, self.theta)

    def _lessons(self, at: Inputs) -> list[_Lessons]:
        memory = self.memory
        kept = memory.lessons if memory is not None and at is memory.plans else []
        lessons: list[_Lessons] = []
        for place, block in enumerate(self._blocks):
            make = partial(self._lesson, place, list(lessons), at)
            lessons.append(recall(kept, place, block.key, len(block.away), make))
        return lessons

    def _lesson(self, place: int, earlier: list[_Lessons], at: Inputs) -> _Lessons:
        block, (inputs, _) = self._blocks[place], self._parts[place]
        seen = block.rows.solve(_signal(inputs, at, self.theta), [e.seen for e in earlier])
        bought = block.rows.solve(_purchase(inputs, at, self.theta), [e.bought for e in earlier])
        noisy = seen + bought
        squares = (seen**2).sum(axis=0), (noisy**2).sum(axis=0), (seen * noisy).sum(axis=0)
        sums = np.stack([seen.T @ block.away, *squares])
        return _Lessons(seen, bought, earlier[-1].sums + sums if earlier else sums)

    def purchase_sd(self, at: Inputs) -> Floats:
        """[m] standard deviation of one purchase's effect on ln(1 - accuracy)."""
        return np.asarray(np.exp(self.theta[6]) * np.sqrt(at.variance))

    def predict(self, at: Inputs) -> tuple[Floats, Floats, Floats]:
        """What plans give on average over purchases, and how much buying one would teach.

        Returns:
            mean: [m] of ln(1 - accuracy).
            sd: [m] its standard deviation.
            lesson: [m] the standard deviation of the mean after buying and evaluating the plan:
                cov(f, y) / sd(y) of its mean f and its next observation y.
        """
        pulled, seen, noisy, both = self._lessons(at)[-1].sums
        mean = _prior_mean(at) + pulled
        prior = _signal_variance(at, self.theta)
        variance = np.maximum(prior - seen, 1e-9)
        fresh = (
            prior + at.variance * np.exp(2 * self.theta[6]) + _noise(mean, self.items, self.theta)
        )
        of_next = np.maximum(fresh - noisy, 1e-9)
        shared = np.maximum(prior - both, 0.0)
        return mean, np.sqrt(variance), shared / np.sqrt(of_next)


def _hash(*parts: bytes | NDArray[np.generic]) -> bytes:
    content = hashlib.blake2b(digest_size=16)
    for part in parts:
        content.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    return content.digest()


def to_log_error(accuracy: Floats, items: int) -> Floats:
    """ln(1 - accuracy), the error kept above half an image and below certain."""
    error = np.clip(1 - np.asarray(accuracy, dtype=np.float64), 0.5 / items, 1 - 0.5 / items)
    return np.asarray(np.log(error))


def fit(inputs: Inputs, log_error: Floats, items: int) -> Floats:
    """Hyper-parameters of the largest posterior density, on at most MOST_FITTED evaluations.

    Returns:
        theta, always found from the prior's mean: the same evaluations give the same values.
    """
    from scipy.optimize import minimize

    if len(log_error) < 4:
        return _THETA
    chosen = np.unique(
        np.linspace(0, len(log_error) - 1, min(len(log_error), MOST_FITTED)).astype(np.int64)
    )
    optimum = minimize(
        _objective,
        _THETA,
        args=(_problem(inputs.at(chosen), log_error[chosen], items),),
        jac=True,
        method="L-BFGS-B",
        bounds=[(t - 3 * s, t + 3 * s) for t, s in zip(_THETA, _THETA_SD, strict=True)],
        options={"maxiter": 12, "maxfun": 16},
    )
    theta: Floats = np.asarray(optimum.x, dtype=np.float64).round(6)
    return theta


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """The parts of a fit that do not depend on the hyper-parameters.

    Attributes:
        gaps: [5, n, n] squared distances. linear, purchase: [n, n] covariances, purchase at
            scale 1. noise: [n] variances at scale 1. away: [n] observed minus prior mean.
    """

    gaps: Floats
    linear: Floats
    purchase: Floats
    noise: Floats
    away: Floats


def _problem(inputs: Inputs, z: Floats, items: int) -> _Problem:
    unit = np.zeros(8)
    return _Problem(
        _gaps(inputs.unit),
        (inputs.basis * _basis_sd(inputs) ** 2) @ inputs.basis.T,
        _purchase(inputs, inputs, unit),
        _noise(z, items, unit),
        z - _prior_mean(inputs),
    )


def _objective(theta: Floats, problem: _Problem) -> tuple[float, Floats]:
    """Negative log posterior density and its gradient."""
    from scipy.linalg import cho_solve

    scaled = problem.gaps * np.exp(-2 * theta[1:6])[:, None, None]
    residual, slope = _matern(scaled.sum(axis=0), theta)
    purchase = np.exp(2 * theta[6]) * problem.purchase
    noise = np.exp(2 * theta[7]) * problem.noise
    factor = _cholesky(problem.linear + residual + purchase + np.diag(noise))
    inverse = cho_solve((factor, True), np.eye(len(noise)), check_finite=False)
    alpha = inverse @ problem.away
    off = (theta - _THETA) / _THETA_SD
    value = 0.5 * problem.away @ alpha + np.log(np.diag(factor)).sum() + 0.5 * float(off @ off)
    outer = 0.5 * (inverse - np.outer(alpha, alpha))
    gradient = np.array(
        [
            2 * np.vdot(outer, residual),
            *(scaled.reshape(5, -1) @ (outer * slope).ravel()),
            2 * np.vdot(outer, purchase),
            2 * np.diag(outer) @ noise,
        ]
    )
    return float(value), gradient + off / _THETA_SD


def _matern(squared: Floats, theta: Floats) -> tuple[Floats, Floats]:
    """Matern 5/2 residual at scaled squared distances, and its slope.

    The derivative by the logarithm of length d is the slope times d's share of the distance.
    """
    r = np.sqrt(5 * squared)
    decay = np.exp(2 * theta[0]) * np.exp(-r)
    return decay * (1 + r + r**2 / 3), decay * (1 + r) * 5 / 3


def _gaps(unit: Floats) -> Floats:
    """[5, n, n] squared distances: groups share the length of exam and prelabel."""
    gaps = np.stack([(column[:, None] - column[None, :]) ** 2 for column in unit.T])
    return np.concatenate([gaps[:4], gaps[4:].sum(axis=0, keepdims=True)])


def _prior_mean(inputs: Inputs) -> Floats:
    """[n] before any evaluation; no group is better than another."""
    return np.asarray(inputs.basis[:, : len(_MEAN)] @ _MEAN)


def _basis_sd(inputs: Inputs) -> Floats:
    """Of the basis weights before any evaluation, those of groups at the end."""
    return np.concatenate([_SD, np.full(inputs.basis.shape[1] - len(_SD), _GROUP_SD)])


def _signal(a: Inputs, b: Inputs, theta: Floats) -> Floats:
    lengths = np.exp(theta[1:6])[np.minimum(np.arange(a.unit.shape[1]), 4)]
    x, y = a.unit / lengths, b.unit / lengths
    squared = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)[None, :] - 2 * x @ y.T
    residual, _ = _matern(np.maximum(squared, 0.0), theta)
    return np.asarray((a.basis * _basis_sd(a) ** 2) @ b.basis.T + residual)


def _signal_variance(at: Inputs, theta: Floats) -> Floats:
    return np.asarray((at.basis**2) @ _basis_sd(at) ** 2 + np.exp(2 * theta[0]))


def _purchase(a: Inputs, b: Inputs, theta: Floats) -> Floats:
    same = a.condition[:, None] == b.condition[None, :]
    shared = np.minimum(a.variance[:, None], b.variance[None, :])
    return np.where(same, np.exp(2 * theta[6]) * shared, 0.0)


def _noise(log_error: Floats, items: int, theta: Floats) -> Floats:
    """Variance of measuring on few images, of which models that differ little share the most."""
    error = np.clip(np.exp(log_error), 0.5 / items, 0.9)
    return np.asarray(np.exp(2 * theta[7]) * (1 - error) / (error * items))


def _jitter(matrix: Floats) -> float:
    return 1e-8 * float(np.trace(matrix)) / max(1, len(matrix)) + 1e-9


def _cholesky(matrix: Floats) -> Floats:
    return np.asarray(np.linalg.cholesky(matrix + _jitter(matrix) * np.eye(len(matrix))))
