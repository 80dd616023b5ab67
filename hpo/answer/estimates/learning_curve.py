"""A Bayesian learning curve over annotation plans: the accuracy of any plan, with its uncertainty.

The error of a model trained on N tasks with k answers each, bought in condition c, is

    e = e0 s(z),   z = ln(exp(h) + exp(f)),   h = a + x'b + u_c - g ln(N k^r / N0)

with s the logistic function: a power law in the number of answers above an asymptote (Mahmood et
al. 2022, "How Much More Data Do I Need?"), on the scale of the odds e / (e0 - e), whose bottom is
the error e0 of guessing. The slope g and the overlap's exponent r in (0, 1) are positive, so more
tasks and more answers never forecast a worse model. Conditions differ by their features x (price,
control tasks, exam) and by an offset u_c of their own.

The prior is Gaussian on (a, ln g, logit r, f, b, u). The likelihood is Gaussian on ln(e) around the
curve, with three sources of noise: the luck of a purchase, which its nested plans share; the choice
of images, which all plans share; and the luck of training. The posterior is sampled by elliptical
slices (Murray, Adams and MacKay 2010) around its mode, many chains at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labeling.types import Floats, Ints

REFERENCE_TASKS = 300.0
_LEVEL, _SLOPE, _EXPONENT, _FLOOR, _FEATURES = 0, 1, 2, 3, slice(4, 8)
_MEAN = np.array([-1.0, np.log(0.55), -0.2, -2.5, 0.0, 0.3, -0.3, -0.3])
_SD = np.array([1.5, 0.5, 1.0, 1.4, 0.15, 0.4, 0.6, 0.4])
_OFFSETS = (0.03, 0.08, 0.16, 0.32)  # standard deviations of u that are compared
_TRAINING_SD = 0.006  # of an accuracy, between trainings on the same labels
_SHARED_IMAGES = 0.6  # correlation of two models' errors on the same images
_CHAINS, _STEPS, _SHRINKS = 256, 40, 40
_WIDER = 1.3  # the mode's Gaussian is widened to start and steer the chains
_MODE_STEPS, _MODE_TRIES = 40, 12


@dataclass(frozen=True, slots=True, eq=False)
class Plans:
    """Plans as the curve sees them.

    Attributes:
        tasks: [n] ln(tasks / 300).
        overlap: [n] ln(answers per task).
        features: [n, 4] ln(price / $0.001), no check at all, root of the share of control tasks,
            exam.
        condition: [n] code of the plan's condition, below the number of conditions; -1 for a
            condition that was never bought in.
    """

    tasks: Floats
    overlap: Floats
    features: Floats
    condition: Ints

    def __len__(self) -> int:
        return len(self.tasks)

    def at(self, index: Sequence[int] | Ints) -> Plans:
        """The plans at some places."""
        i = np.asarray(index, dtype=np.int64)
        return Plans(self.tasks[i], self.overlap[i], self.features[i], self.condition[i])


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Measured errors of plans.

    Attributes:
        plans: [n] the plans.
        error: [n] measured error, 1 - accuracy.
        images: [n] images that each was measured on, or as many as its noise amounts to.
        image_set: [n] code of those images.
        luck: [n] variance of the error between purchases of the plan.
        purchase: [n] code of the purchase whose annotators answered.
        answers: [n] answers behind each: of one purchase, the fewer are among the more.
        draws: [n] trainings averaged.
        chance: the error of guessing, e0.
    """

    plans: Plans
    error: Floats
    images: Floats
    image_set: Ints
    luck: Floats
    purchase: Ints
    answers: Ints
    draws: Ints
    chance: float

    @property
    def conditions(self) -> int:
        """Number of conditions bought in."""
        return int(self.plans.condition.max(initial=-1)) + 1


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """The posterior, as draws of the parameters.

    Attributes:
        draws: [D, P] parameters: level, ln slope, logit of the overlap's exponent, asymptote,
            four effects, one offset a condition.
        chance: the error of guessing.
        offset_sd: standard deviation of a condition's offset, of the largest evidence.
    """

    draws: Floats
    chance: float
    offset_sd: float

    @cached_property
    def _fresh_offset(self) -> Floats:
        """[D] the offset of a condition that was never bought in."""
        # The quantiles of a normal, dealt in a fixed order: the same draw in every process.
        count = len(self.draws)
        order = np.random.default_rng(count).permutation(count)
        from scipy.special import ndtri

        return np.asarray(self.offset_sd * ndtri((order + 0.5) / count), dtype=np.float64)

    def accuracy(self, plans: Plans) -> Floats:
        """[D, n] draws of the accuracy that plans have on average over purchases."""
        offsets = np.column_stack([self.draws[:, _FEATURES.stop :], self._fresh_offset])
        return 1 - _errors(self.draws, offsets, plans, self.chance)


def fit(evidence: Evidence, rng: np.random.Generator) -> LearningCurve:
    """The posterior given measured errors; without any, the prior.

    Args:
        evidence: what was measured.
        rng: draws from the posterior.
    """
    modes = [_mode(evidence, sd) for sd in _OFFSETS]
    best = max(range(len(modes)), key=lambda i: modes[i].log_evidence)
    return LearningCurve(_sample(evidence, modes[best], rng), evidence.chance, _OFFSETS[best])


# --- the curve ---


def _errors(theta: Floats, offsets: Floats, plans: Plans, chance: float) -> Floats:
    """[D, n] errors of plans for draws of parameters [D, P] and offsets [D, conditions]."""
    linear, floor = _linear(theta, offsets, plans), theta[:, _FLOOR, None]
    return np.asarray(chance / (1 + np.exp(-np.logaddexp(linear, floor))))


def _linear(theta: Floats, offsets: Floats, plans: Plans) -> Floats:
    slope, exponent = np.exp(theta[:, _SLOPE]), _logistic(theta[:, _EXPONENT])
    grown = plans.tasks[None] + exponent[:, None] * plans.overlap[None]
    return np.asarray(
        theta[:, _LEVEL, None]
        + theta[:, _FEATURES] @ plans.features.T
        + offsets[:, plans.condition]
        - slope[:, None] * grown
    )


def _logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def _one_hot(condition: Ints, conditions: int) -> Floats:
    return np.asarray(condition[:, None] == np.arange(conditions)[None, :], dtype=np.float64)


def _errors_and_slopes(theta: Floats, evidence: Evidence) -> tuple[Floats, Floats]:
    """[n] errors at one vector of parameters, and [n, P] derivatives of their logarithms."""
    plans, chance = evidence.plans, evidence.chance
    offsets = theta[None, _FEATURES.stop :]
    linear = _linear(theta[None], offsets, plans)[0]
    z = np.logaddexp(linear, theta[_FLOOR])
    error: Floats = np.asarray(chance / (1 + np.exp(-z)), dtype=np.float64)
    share = np.exp(linear - z)  # of the curve above its asymptote
    slope, exponent = np.exp(theta[_SLOPE]), float(_logistic(theta[_EXPONENT]))
    columns = np.column_stack(
        [
            share,
            -share * slope * (plans.tasks + exponent * plans.overlap),
            -share * slope * plans.overlap * exponent * (1 - exponent),
            1 - share,
            share[:, None] * plans.features,
            share[:, None] * _one_hot(plans.condition, evidence.conditions),
        ]
    )
    return error, columns * (1 - error / chance)[:, None]


# --- noise ---


def _noise(evidence: Evidence, error: Floats) -> Floats:
    """[n, n] covariance of ln(measured error), at the errors that the curve expects."""
    e = np.clip(error, 0.5 / evidence.images, 0.995)
    spread = np.sqrt((1 - e) / e / evidence.images)
    same_images = evidence.image_set[:, None] == evidence.image_set[None, :]
    shared = np.where(np.eye(len(e), dtype=np.bool_), 1.0, _SHARED_IMAGES)
    images = np.where(same_images, shared, 0.0) * np.outer(spread, spread)
    same_purchase = evidence.purchase[:, None] == evidence.purchase[None, :]
    fewer = np.minimum(evidence.answers[:, None], evidence.answers[None, :])
    more = np.maximum(evidence.answers[:, None], evidence.answers[None, :])
    luck = np.sqrt(evidence.luck) / e
    # Nested answers: the variance of the larger part is in the smaller one's, too.
    nested = np.where(same_purchase, np.sqrt(fewer / more), 0.0) * np.outer(luck, luck)
    return np.asarray(images + nested + np.diag(_TRAINING_SD**2 / evidence.draws / e**2))


def _observed(evidence: Evidence) -> Floats:
    least = 0.5 / evidence.images
    return np.asarray(np.log(np.clip(evidence.error, least, 1 - least)))


# --- the posterior ---


@dataclass(frozen=True, slots=True, eq=False)
class _Mode:
    """The mode of the posterior, and the Gaussian around it.

    Attributes:
        theta: [P] parameters.
        covariance: [P, P] of the Gaussian.
        mean, precision: [P] the prior's.
        whiten: [n, n] inverse root of the noise at the mode.
        shift: [n] how far noise moves the mean of ln(error) below the logarithm of its mean.
        log_evidence: of the data under this prior, by the Gaussian.
    """

    theta: Floats
    covariance: Floats
    mean: Floats
    precision: Floats
    whiten: Floats
    shift: Floats
    log_evidence: float


def _mode(evidence: Evidence, offset_sd: float) -> _Mode:
    """Find the mode by damped Gauss-Newton steps; the noise follows the curve."""
    conditions = evidence.conditions
    mean = np.concatenate([_MEAN, np.zeros(conditions)])
    precision = np.concatenate([_SD, np.full(conditions, offset_sd)]) ** -2.0
    observed, theta, damping = _observed(evidence), mean.copy(), 1e-3
    for _ in range(_MODE_STEPS):
        error, slopes = _errors_and_slopes(theta, evidence)
        noise = _noise(evidence, error)
        shift = np.diag(noise) / 2
        whiten = np.linalg.inv(np.linalg.cholesky(noise))
        residual, jacobian = whiten @ (observed + shift - np.log(error)), whiten @ slopes
        curvature = jacobian.T @ jacobian + np.diag(precision)
        gradient = jacobian.T @ residual - precision * (theta - mean)
        now = float(residual @ residual + precision @ (theta - mean) ** 2)
        for _ in range(_MODE_TRIES):
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), gradient)
            ahead = theta + step
            there, _ = _errors_and_slopes(ahead, evidence)
            away = whiten @ (observed + shift - np.log(there))
            if float(away @ away + precision @ (ahead - mean) ** 2) <= now:
                damping = max(damping / 5, 1e-6)
                break
            damping *= 5
        theta = ahead
        if float(np.abs(step).max()) < 1e-5:
            break
    log_evidence = (
        -0.5 * now
        + float(np.log(np.diag(whiten)).sum())
        - 0.5 * float(np.linalg.slogdet(curvature)[1])
        + 0.5 * float(np.log(precision).sum())
    )
    covariance: Floats = np.asarray(np.linalg.inv(curvature), dtype=np.float64)
    return _Mode(theta, covariance, mean, precision, whiten, shift, log_evidence)


def _sample(evidence: Evidence, mode: _Mode, rng: np.random.Generator) -> Floats:
    """[D, P] draws: elliptical slices about the mode, with the Gaussian there as their prior."""
    wide = _WIDER**2 * mode.covariance + 1e-12 * np.eye(len(mode.theta))
    root: Floats = np.asarray(np.linalg.cholesky(wide), dtype=np.float64)
    unroot = np.linalg.inv(root)
    target = mode.whiten @ (_observed(evidence) + mode.shift)

    def log_ratio(theta: Floats) -> Floats:
        """Posterior over the Gaussian, up to a constant."""
        offsets = theta[:, _FEATURES.stop :]
        logs = np.log(_errors(theta, offsets, evidence.plans, evidence.chance))
        residual = target[None] - logs @ mode.whiten.T
        prior = ((theta - mode.mean) ** 2) @ mode.precision
        steering = (((theta - mode.theta) @ unroot.T) ** 2).sum(axis=1)
        return np.asarray(-0.5 * ((residual**2).sum(axis=1) + prior - steering))

    theta = mode.theta + rng.standard_normal((_CHAINS, len(mode.theta))) @ root.T
    level = log_ratio(theta)
    for _ in range(_STEPS):
        theta, level = _slice(theta, level, mode.theta, root, log_ratio, rng)
    return theta


def _slice(
    theta: Floats,
    level: Floats,
    centre: Floats,
    root: Floats,
    log_ratio: Callable[[Floats], Floats],
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """One step of every chain: a point on a random ellipse that is above a random level."""
    chains = len(theta)
    away, other = theta - centre, rng.standard_normal(theta.shape) @ root.T
    threshold = level + np.log(rng.random(chains))
    angle = rng.random(chains) * 2 * np.pi
    low, high = angle - 2 * np.pi, angle.copy()
    new, ratio = theta.copy(), level.copy()
    waiting = np.arange(chains)
    for _ in range(_SHRINKS):
        turn = angle[waiting][:, None]
        tried = centre + away[waiting] * np.cos(turn) + other[waiting] * np.sin(turn)
        there = log_ratio(tried)
        inside = there > threshold[waiting]
        new[waiting[inside]], ratio[waiting[inside]] = tried[inside], there[inside]
        waiting = waiting[~inside]
        if not len(waiting):
            break
        # Shrink the bracket towards the present state, which is inside by construction.
        below = angle[waiting] < 0
        low[waiting[below]] = angle[waiting[below]]
        high[waiting[~below]] = angle[waiting[~below]]
        span = high[waiting] - low[waiting]
        angle[waiting] = low[waiting] + span * rng.random(len(waiting))
    return new, ratio
