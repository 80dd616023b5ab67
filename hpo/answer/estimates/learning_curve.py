"""A Bayesian learning curve over annotation plans: the accuracy of any plan, with its uncertainty.

The error of a model trained on N tasks with k answers each, bought in condition c, is

    e = e0 (1 + exp(-p z))^(-1/p),   z = ln(exp(h) + exp(a + f)) + d(N) + d(k),
    h = a + x'b + u_c - g ln(N k^r / N0)

a power law in the number of answers above an asymptote (Mahmood et al. 2022, "How Much More Data Do
I Need?"), whose bottom is the error e0 of guessing. The bend p says how sharply guessing bounds it:
by p = 1 the odds e / (e0 - e) follow the power law, by a large p the error itself. The asymptote is
a share exp(f) of the power law at N0 tasks: easy and hard questions saturate alike, at some times
N0. The slope g and the overlap's exponent r in (0, 1) are positive, so more tasks and more answers
never forecast a worse model. Conditions differ by their features x (price, control tasks, exam) and
by an offset u_c of their own. Where the evidence speaks for it, the curve departs from a power law:
by d, linear between the measured numbers of tasks and of answers a task, and constant beyond them.

The posterior of the parameters (a, ln g, logit r, f, ln p, b, d, u) is made in `posterior`.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from labeling.types import Floats, Ints

REFERENCE_TASKS = 300.0
SHAPE = 9  # parameters before the departures and offsets
_LEVEL, _SLOPE, _EXPONENT, _FLOOR, _BEND, _FEATURES = 0, 1, 2, 3, 4, slice(5, SHAPE)
_KNOTS = 8  # the most numbers of tasks, and of answers a task, between which d is linear
_CLOSE = 1e-6
_LEAST_ERROR = 0.02  # below it an error tells nothing about luck
_LEAST_AWAY = 0.1  # nor does an error that is closer to guessing's


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
class Knots:
    """Where the curve's departure from a power law bends.

    Attributes:
        tasks, overlap: rising values of `Plans.tasks` and of `Plans.overlap`; none for no
            departure.
    """

    tasks: Floats
    overlap: Floats

    @property
    def count(self) -> int:
        """Number of parameters: of each kind, what differs from its first knot."""
        return max(0, len(self.tasks) - 1) + max(0, len(self.overlap) - 1)

    def hats(self, tasks: Floats, overlap: Floats) -> Floats:
        """[n, count] weights of the parameters in d."""
        return np.column_stack([_hats(tasks, self.tasks), _hats(overlap, self.overlap)])


NO_KNOTS = Knots(np.zeros(0), np.zeros(0))


def _hats(at: Floats, knots: Floats) -> Floats:
    """[n, knots - 1] weights of linear interpolation between knots; the first one's value is 0."""
    if len(knots) < 2:
        return np.zeros((len(at), 0))
    units = np.eye(len(knots))
    return np.column_stack([np.interp(at, knots, unit) for unit in units[1:]])


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Measured errors of plans.

    Attributes:
        plans: [n] the plans.
        error: [n] measured error, 1 - accuracy.
        images: [n] images that each was measured on, or as many as its noise amounts to.
        image_set: [n] code of those images.
        luck: [n] variance between purchases of the plan, of the error's log odds against guessing.
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
    def digest(self) -> bytes:
        """Content hash."""
        content = hashlib.blake2b(repr((self.chance, len(self.plans))).encode(), digest_size=16)
        for columns in (self.plans, self):
            for name in columns.__dataclass_fields__:
                if isinstance(values := getattr(columns, name), np.ndarray):
                    content.update(np.ascontiguousarray(values).tobytes())
        return content.digest()

    @property
    def conditions(self) -> int:
        """Number of conditions bought in."""
        return int(self.plans.condition.max(initial=-1)) + 1

    @property
    def knots(self) -> Knots:
        """Measured numbers of tasks, and of answers a task; at most `_KNOTS` of each."""
        return Knots(_spread(self.plans.tasks), _spread(self.plans.overlap))


def _spread(values: Floats) -> Floats:
    different = np.unique(values.round(6))
    if len(different) <= _KNOTS:
        return different
    places = np.linspace(0, len(different) - 1, _KNOTS).round().astype(np.int64)
    return np.asarray(different[places])


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """The posterior, as draws of the parameters.

    Attributes:
        draws: [D, P] parameters: level, ln slope, logit of the overlap's exponent, ln of the
            asymptote's share, ln bend, four effects, departures, one offset a condition.
        chance: the error of guessing.
        offset_sd: standard deviation of a condition's offset, of the largest evidence.
        knots: of the departures.
    """

    draws: Floats
    chance: float
    offset_sd: float
    knots: Knots = NO_KNOTS

    @cached_property
    def _fresh_offset(self) -> Floats:
        """[D] the offset of a condition that was never bought in."""
        from scipy.special import ndtri

        # The quantiles of a normal, dealt in a fixed order: the same in every process.
        count = len(self.draws)
        order = np.random.default_rng(count).permutation(count)
        return np.asarray(self.offset_sd * ndtri((order + 0.5) / count), dtype=np.float64)

    def accuracy(self, plans: Plans) -> Floats:
        """[D, n] draws of the accuracy that plans have on average over purchases."""
        least = self._errors(plans)
        departing = np.flatnonzero(_departures(self.draws, self.knots).any(axis=1))
        if not len(departing):
            return 1 - least
        # A departure may bend upwards: more of the same is never worse than what it contains.
        bends = [*self.knots.tasks, np.inf], [*self.knots.overlap, np.inf]  # inf: the plan's own
        for tasks, overlap in itertools.product(*bends):
            more_tasks = (tasks == np.inf) | (plans.tasks > tasks - _CLOSE)
            inside = more_tasks & ((overlap == np.inf) | (plans.overlap > overlap - _CLOSE))
            if inside.any():
                some = plans.at(np.flatnonzero(inside))
                smaller = replace(
                    some,
                    tasks=np.minimum(some.tasks, tasks),
                    overlap=np.minimum(some.overlap, overlap),
                )
                at = np.ix_(departing, inside)
                least[at] = np.minimum(least[at], self._errors(smaller, departing))
        return 1 - least

    def _errors(self, plans: Plans, rows: Ints | None = None) -> Floats:
        some = slice(None) if rows is None else rows
        offsets = self.draws[some, SHAPE + self.knots.count :]
        offsets = np.column_stack([offsets, self._fresh_offset[some]])
        logs = log_errors(self.draws[some], offsets, plans, self.chance, self.knots)
        return np.asarray(np.exp(logs))


# --- the curve ---


def reach(error: Floats, chance: float) -> Floats:
    """How far an error moves with its log odds against guessing, by little luck."""
    away = np.maximum(1 - error / chance, _LEAST_AWAY)
    return np.asarray(np.maximum(error, _LEAST_ERROR) * away)


def log_errors(theta: Floats, offsets: Floats, plans: Plans, chance: float, knots: Knots) -> Floats:
    """Logarithms of plans' errors for draws of the parameters; of a steep draw's, too.

    Args:
        theta: [D, P] parameters.
        offsets: [D, conditions] the conditions' offsets, the last one of a condition never bought
            in.
        plans: [n] plans.
        chance: the error of guessing.
        knots: of the departures.

    Returns:
        [D, n] ln(error).
    """
    z = np.logaddexp(_linear(theta, offsets, plans), _asymptote(theta)[:, None])
    if knots.count:
        z = z + _departures(theta, knots) @ knots.hats(plans.tasks, plans.overlap).T
    bend = np.exp(theta[:, _BEND, None])
    return np.asarray(np.log(chance) - np.logaddexp(0, -bend * z) / bend)


def _departures(theta: Floats, knots: Knots) -> Floats:
    return theta[..., SHAPE : SHAPE + knots.count]


def _asymptote(theta: Floats) -> Floats:
    return np.asarray(theta[..., _LEVEL] + theta[..., _FLOOR])


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


def log_errors_and_slopes(theta: Floats, evidence: Evidence, knots: Knots) -> tuple[Floats, Floats]:
    """[n] ln(error) at one vector of parameters, and their [n, P] derivatives."""
    plans = evidence.plans
    offsets = theta[None, SHAPE + knots.count :]
    hats = knots.hats(plans.tasks, plans.overlap)
    linear = _linear(theta[None], offsets, plans)[0]
    z = np.logaddexp(linear, _asymptote(theta))
    share = np.exp(linear - z)  # of the curve above its asymptote
    z = z + hats @ _departures(theta, knots)
    bend = np.exp(theta[_BEND])
    below = np.logaddexp(0, -bend * z) / bend  # ln of guessing's error over this one
    logs: Floats = np.asarray(np.log(evidence.chance) - below, dtype=np.float64)
    free = -np.expm1(-bend * below)  # how little guessing bounds it
    slope, exponent = np.exp(theta[_SLOPE]), float(_logistic(theta[_EXPONENT]))
    columns = np.column_stack(
        [
            np.ones(len(plans)),
            -share * slope * (plans.tasks + exponent * plans.overlap),
            -share * slope * plans.overlap * exponent * (1 - exponent),
            1 - share,
            np.zeros(len(plans)),
            share[:, None] * plans.features,
            hats,
            share[:, None] * _one_hot(plans.condition, evidence.conditions),
        ]
    )
    slopes = columns * free[:, None]
    slopes[:, _BEND] = below + z * free
    return logs, slopes
