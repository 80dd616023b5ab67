"""The posterior of a learning curve, given measured errors.

The prior is Gaussian on all parameters. The likelihood is Gaussian on ln(e) around the curve, with
three sources of noise: the luck of a purchase, which its nested plans share; the choice of images,
which all plans share; and the luck of training. The mean of ln(e) lies below the logarithm of the
mean, by half the variance of the noise. That is left as it is: the posterior's mean of e adds half
the posterior's variance, and with both corrections accuracies were told too low (measured). The
posterior is sampled by elliptical slices (Murray, Adams and MacKay 2010) around its mode, many
chains at once. Usual curves, unusual ones, and curves that depart from a power law each get as many
chains as the evidence makes them probable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hpo.answer.estimates.learning_curve import (
    NO_KNOTS,
    SHAPE,
    Evidence,
    Knots,
    LearningCurve,
    log_errors,
    log_errors_and_slopes,
    reach,
)
from labeling.seeds import generator
from labeling.types import Floats

TRAINING_SD = 0.006  # of an accuracy, between trainings on the same labels
# Level, slope, exponent, asymptote, bend: as benchmarks.curves measures; the spreads are wider.
_MEAN = np.array([-1.6, np.log(0.8), 0.0, -0.75, 0.45, 0.0, 0.3, -0.3, -0.3])
_SD = np.array([1.5, 0.4, 0.7, 0.8, 0.4, 0.15, 0.4, 0.6, 0.4])
_OFFSETS = (0.03, 0.08, 0.16, 0.32)  # standard deviations of u that are compared
_WIDE = 3.0  # times the usual prior's standard deviations: for surfaces like none measured
_DEPARTURES = (0.15, 0.5)  # standard deviations of d that are compared with none
_UNUSUAL = 3.0  # nats that a wide prior or departures are less probable beforehand
_FEWEST = 6  # measurements before those are thought of
_SHARED_IMAGES = 0.6  # correlation of two models' errors on the same images
_CHAINS, _STEPS, _SHRINKS = 256, 40, 40
_WIDER = 1.3  # the mode's Gaussian is widened to start and steer the chains
_MODE_STEPS, _MODE_TRIES = 40, 12


_MOST_KEPT = 64  # curves, of 100 KB at most
_kept: dict[tuple[bytes, int], LearningCurve] = {}


def fit_once(evidence: Evidence, seed: int) -> LearningCurve:
    """The posterior as `fit` gives it, kept: a study asks again as it ends, and for each report.

    Args:
        evidence: what was measured.
        seed: of the study; it draws from the posterior.
    """
    key = evidence.digest, seed
    curve = _kept.pop(key, None) or fit(evidence, generator(seed, "learning curve"))
    curve.draws.flags.writeable = False  # several callers share them
    _kept[key] = curve
    while len(_kept) > _MOST_KEPT:
        _kept.pop(next(iter(_kept)), None)  # another thread may have been first
    return curve


def fit(evidence: Evidence, rng: np.random.Generator | None) -> LearningCurve:
    """The posterior given measured errors; without any, the prior.

    Args:
        evidence: what was measured.
        rng: draws from the posterior; None for its mode alone, in a tenth of the time.
    """
    offsets = _OFFSETS if rng is not None else _OFFSETS[1:2]
    usual = _likeliest([_mode(evidence, _Prior(sd)) for sd in offsets])
    if rng is None:
        return LearningCurve(usual.theta[None], evidence.chance, 0.0)
    modes = [usual]
    if len(evidence.error) > _FEWEST:
        others = [replace(usual.prior, wide=_WIDE)]
        others += [replace(usual.prior, departure=sd, knots=evidence.knots) for sd in _DEPARTURES]
        modes += [_mode(evidence, prior) for prior in others]
    drawn = [
        (_sample(evidence, mode, chains, rng), mode.prior.knots)
        for mode, chains in zip(modes, _chains(modes), strict=True)
        if chains
    ]
    knots = next((knots for _, knots in drawn if knots.count), NO_KNOTS)
    draws = np.concatenate([_with_departures(theta, own, knots) for theta, own in drawn])
    return LearningCurve(draws, evidence.chance, usual.prior.offset, knots)


def _chains(modes: Sequence[_Mode]) -> list[int]:
    """Chains for each prior, the usual one first: as probable as the evidence makes it.

    Were the likeliest prior taken alone, a forecast would jump by points where two are as likely.
    """
    logs = np.array([mode.log_evidence for mode in modes])
    logs[1:] -= _UNUSUAL
    upto = np.cumsum(np.exp(logs - logs.max()))
    ends = (_CHAINS * upto / upto[-1]).round().astype(np.int64)
    return [int(count) for count in np.diff(ends, prepend=0)]


def _with_departures(theta: Floats, own: Knots, knots: Knots) -> Floats:
    """Parameters with the departures of some knots: 0 where they were drawn without any."""
    if own.count == knots.count:
        return theta
    none = np.zeros((len(theta), knots.count))
    return np.column_stack([theta[:, :SHAPE], none, theta[:, SHAPE:]])


# --- noise ---


def _noise(evidence: Evidence, error: Floats) -> Floats:
    """[n, n] covariance of ln(measured error), at the errors that the curve expects."""
    # Relative noise grows as the error falls, so a curve far below all measurements would fit them.
    least = (evidence.error * evidence.images + 1) / (evidence.images + 2) / 2
    e = np.clip(error, least, 0.995)
    spread = np.sqrt((1 - e) / e / evidence.images)
    same_images = evidence.image_set[:, None] == evidence.image_set[None, :]
    own = (1 - _SHARED_IMAGES) / evidence.draws  # models average out, the images do not
    shared = _SHARED_IMAGES + np.diag(own)
    images = np.where(same_images, shared, 0.0) * np.outer(spread, spread)
    same_purchase = evidence.purchase[:, None] == evidence.purchase[None, :]
    fewer = np.minimum(evidence.answers[:, None], evidence.answers[None, :])
    more = np.maximum(evidence.answers[:, None], evidence.answers[None, :])
    luck = np.sqrt(evidence.luck) * reach(e, evidence.chance) / e
    # Nested answers: the variance of the larger part is in the smaller one's, too.
    nested = np.where(same_purchase, np.sqrt(fewer / more), 0.0) * np.outer(luck, luck)
    return np.asarray(images + nested + np.diag(TRAINING_SD**2 / evidence.draws / e**2))


def _observed(evidence: Evidence) -> Floats:
    least = 0.5 / evidence.images
    return np.asarray(np.log(np.clip(evidence.error, least, 1 - least)))


# --- the posterior ---


@dataclass(frozen=True, slots=True, eq=False)
class _Prior:
    """A prior that is compared with others.

    Attributes:
        offset: standard deviation of the conditions' offsets.
        wide: times the usual standard deviations of the curve's own parameters.
        departure: standard deviation of the departures.
        knots: of the departures.
    """

    offset: float
    wide: float = 1.0
    departure: float = 0.0
    knots: Knots = NO_KNOTS

    def sd(self, conditions: int) -> Floats:
        """[P] standard deviations of all parameters."""
        departures = np.full(self.knots.count, self.departure)
        return np.concatenate([self.wide * _SD, departures, np.full(conditions, self.offset)])


def _likeliest(modes: Sequence[_Mode]) -> _Mode:
    return max(modes, key=lambda mode: mode.log_evidence)


@dataclass(frozen=True, slots=True, eq=False)
class _Mode:
    """The mode of the posterior, and the Gaussian around it.

    Attributes:
        prior: whose posterior it is.
        theta: [P] parameters.
        covariance: [P, P] of the Gaussian.
        mean, precision: [P] the prior's.
        whiten: [n, n] inverse root of the noise at the mode.
        log_evidence: of the data under this prior, by the Gaussian.
    """

    prior: _Prior
    theta: Floats
    covariance: Floats
    mean: Floats
    precision: Floats
    whiten: Floats
    log_evidence: float


def _mode(evidence: Evidence, prior: _Prior) -> _Mode:
    """Find the mode by damped Gauss-Newton steps; the noise follows the curve."""
    conditions, knots = evidence.conditions, prior.knots
    mean = np.concatenate([_MEAN, np.zeros(knots.count + conditions)])
    precision = prior.sd(conditions) ** -2.0
    observed, theta, damping = _observed(evidence), mean.copy(), 1e-3
    for _ in range(_MODE_STEPS):
        logs, slopes = log_errors_and_slopes(theta, evidence, knots)
        noise = _noise(evidence, np.exp(logs))
        whiten = np.linalg.inv(np.linalg.cholesky(noise))
        residual, jacobian = whiten @ (observed - logs), whiten @ slopes
        curvature = jacobian.T @ jacobian + np.diag(precision)
        gradient = jacobian.T @ residual - precision * (theta - mean)
        now = float(residual @ residual + precision @ (theta - mean) ** 2)
        for _ in range(_MODE_TRIES):
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), gradient)
            ahead = theta + step
            there, _ = log_errors_and_slopes(ahead, evidence, knots)
            away = whiten @ (observed - there)
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
    return _Mode(prior, theta, covariance, mean, precision, whiten, log_evidence)


def _sample(evidence: Evidence, mode: _Mode, chains: int, rng: np.random.Generator) -> Floats:
    """[D, P] draws: elliptical slices about the mode, with the Gaussian there as their prior."""
    wide = _WIDER**2 * mode.covariance + 1e-12 * np.eye(len(mode.theta))
    root: Floats = np.asarray(np.linalg.cholesky(wide), dtype=np.float64)
    unroot = np.linalg.inv(root)
    knots = mode.prior.knots
    target = mode.whiten @ _observed(evidence)

    def log_ratio(theta: Floats) -> Floats:
        """Posterior over the Gaussian, up to a constant."""
        offsets = theta[:, SHAPE + knots.count :]
        logs = log_errors(theta, offsets, evidence.plans, evidence.chance, knots)
        residual = target[None] - logs @ mode.whiten.T
        prior = ((theta - mode.mean) ** 2) @ mode.precision
        steering = (((theta - mode.theta) @ unroot.T) ** 2).sum(axis=1)
        return np.asarray(-0.5 * ((residual**2).sum(axis=1) + prior - steering))

    theta = mode.theta + rng.standard_normal((chains, len(mode.theta))) @ root.T
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
