"""The likelihood of recorded answers under the simulated crowd's model, by quadrature.

An annotator of skill theta ~ N(activity * x, sd), where x is the log number of the annotator's
answers less its mean over all answers, answers an item of error e ~ Beta(a, b) rightly with
probability sigmoid(logit(1 - e) + theta); a share of annotators are spammers. Given e, answers of
different annotators to an item are independent. Given theta, so are an annotator's answers to
different items. So the likelihood of an item's number of right answers is one integral, and so is
that of an annotator's. The sum of their logarithms is a composite log-likelihood (Lindsay 1988): it
is consistent and takes milliseconds. Without known truth, the split of an item's answers and an
annotator's agreements with the other answers take the place of right answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labeling.types import Floats, Ints

_U = np.linspace(-16.0, 16.0, 161)  # logit(1 - e)
_THETA = np.linspace(-8.0, 8.0, 161)  # logits of skill
_RIGHT = 1 / (1 + np.exp(-(_U[None, :] + _THETA[:, None])))  # [theta, e]
_LOG_E, _LOG_NOT_E = -np.logaddexp(0, _U), -np.logaddexp(0, -_U)
_MOST = 300.0  # most answers of an annotator that count: beyond, the model's error outweighs noise
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class FittedCrowd:
    """The fitted parameters.

    Attributes:
        a, b: parameters of the Beta distribution of item error.
        skill_sd: sd of skill among annotators with equally many answers, logits.
        spam: share of annotators who are spammers.
        distractor: share of wrong answers that go to the item's own distractor.
        activity: logits of skill per unit of the log number of an annotator's answers.
    """

    a: float
    b: float
    skill_sd: float
    spam: float
    distractor: float
    activity: float = 0.0


@dataclass(frozen=True, slots=True)
class AnswerChances:
    """Chances of right answers on a grid of item errors.

    Attributes:
        items: [E] weights of the item errors.
        honest: [E] chance of a right answer of an annotator who tries.
        right: [E] chance of a right answer of any annotator.
        skills: [T] weights of the skills, over answers.
    """

    items: Floats
    honest: Floats
    right: Floats
    skills: Floats


@dataclass(frozen=True, slots=True)
class Tallies:
    """Counts of the observed answers; equal items are one row.

    Attributes:
        classes: number of classes C.
        shares: [C] shares of the true classes (of the answers, with unknown truth).
        same: share of spammers who always give the same answer.
        right, answers, items: [U] `items` items have `right` right answers of `answers`. With
            unknown truth `right` is empty and `splits` takes its place.
        splits: [U, m] answers to an item by class, sorted from the largest count, the first m <= C.
        by_right, by_answers: [J] right answers and answers by annotator; with unknown truth
            `by_right` counts agreements with the other answers, in fractions. Empty without ids.
        busy: [J] log number of answers by annotator, less its mean over answers.
        spread: sd of this number over answers.
    """

    classes: int
    shares: Floats
    same: float
    right: Ints
    answers: Ints
    items: Ints
    splits: Ints
    by_right: Floats
    by_answers: Floats
    busy: Floats
    spread: float


def answer_chances(crowd: FittedCrowd, classes: int, spread: float = 0.0) -> AnswerChances:
    """The chances of right answers, by item error.

    Args:
        crowd: the parameters.
        classes: number of classes.
        spread: sd over answers of their annotators' log number of answers.
    """
    # A Beta density in logits has the exponents a and b, not a - 1 and b - 1: the Jacobian
    # e (1 - e) raises both.
    log_items = crowd.a * _LOG_E + crowd.b * _LOG_NOT_E
    items = np.exp(log_items - log_items.max())
    sd = float(np.hypot(crowd.skill_sd, crowd.activity * spread))
    skills = _skill_weights(np.zeros(1), sd)[0]
    honest = skills @ _RIGHT
    right = (1 - crowd.spam) * honest + crowd.spam / classes
    return AnswerChances(items / items.sum(), honest, right, skills)


def _skill_weights(mean: Floats, sd: float) -> Floats:
    """Weights [n, T] of the skills around each mean; rows sum to 1."""
    weights = np.exp(-0.5 * ((_THETA - mean[:, None]) / max(sd, 0.03)) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)


def item_weights(
    crowd: FittedCrowd, classes: int, right: Ints, answers: Ints
) -> tuple[Floats, Floats]:
    """Posterior of the error of items, given their numbers of right answers.

    Returns:
        [E] item errors, and [U, E] their weights; rows sum to 1.
    """
    chances = answer_chances(crowd, classes)
    log = np.log(chances.items + 1e-300) + _binomial(right, answers, chances.right)
    weights = np.exp(log - log.max(axis=1, keepdims=True))
    return 1 / (1 + np.exp(_U)), weights / weights.sum(axis=1, keepdims=True)


def spam_odds(crowd: FittedCrowd, tallies: Tallies) -> Floats:
    """Chance [J] that each annotator is a spammer."""
    chances = answer_chances(crowd, tallies.classes, tallies.spread)
    honest, spam = _by_kind(crowd, tallies, chances)
    return np.asarray(spam / (honest + spam + 1e-300), dtype=np.float64)


def maximise(tallies: Tallies, start: FittedCrowd, free: tuple[str, ...]) -> FittedCrowd:
    """The most likely parameters given the tallies; parameters not in `free` stay at the start.

    Weak priors around usual crowds (each worth about one observation) keep parameters within reason
    that the answers do not decide.
    """

    def loss(point: Floats) -> float:
        crowd = _crowd(point, start, free)
        return -log_likelihood(tallies, crowd) - _log_prior(crowd, free)

    first = np.array([_FORWARD[name](getattr(start, name)) for name in free])
    return _crowd(_descend(loss, first), start, free)


def log_likelihood(tallies: Tallies, crowd: FittedCrowd) -> float:
    """The composite log-likelihood."""
    chances = answer_chances(crowd, tallies.classes, tallies.spread)
    if len(tallies.right):
        by_item = np.exp(_binomial(tallies.right, tallies.answers, chances.right)) @ chances.items
    else:
        by_item = _split_likelihood(tallies, crowd, chances)
    total = float(tallies.items @ np.log(by_item + 1e-300))
    if len(tallies.by_right):
        honest, spam = _by_kind(crowd, tallies, chances)
        total += float(np.log(honest + spam + 1e-300).sum())
    return total


def _binomial(right: Ints | Floats, answers: Ints | Floats, chance: Floats) -> Floats:
    """Log [n, m] of chance^right (1 - chance)^wrong, for each row of `right` and each chance."""
    p = np.clip(chance, _TINY, 1 - _TINY)
    wrong = answers - right
    return np.asarray(right[:, None] * np.log(p) + wrong[:, None] * np.log1p(-p), dtype=np.float64)


def _by_kind(crowd: FittedCrowd, tallies: Tallies, chances: AnswerChances) -> tuple[Floats, Floats]:
    """Likelihood [J] of each annotator's record if the annotator tries, and if a spammer."""
    by_skill = _RIGHT @ chances.items
    blind, same = np.array([1 / tallies.classes]), tallies.shares
    if not len(tallies.right):
        # Two answers agree if both are right, or both are wrong and of the same class.
        second = crowd.distractor**2 + (1 - crowd.distractor**2) / (tallies.classes - 1)
        each = _RIGHT * chances.right + (1 - _RIGHT) * (1 - chances.right) * second
        by_skill = each @ chances.items
    # Records longer than `_MOST` are shortened in proportion: right answers may be fractions.
    scale = np.minimum(1.0, _MOST / np.maximum(tallies.by_answers, 1))
    right, answers = tallies.by_right * scale, tallies.by_answers * scale
    # Equally active annotators share their weights: one row serves for all.
    means = crowd.activity * tallies.busy if crowd.activity else np.zeros(1)
    weights = _skill_weights(means, crowd.skill_sd)
    honest = (np.exp(_binomial(right, answers, by_skill)) * weights).sum(axis=1)
    random = np.exp(_binomial(right, answers, blind))[:, 0]
    constant = np.exp(_binomial(right, answers, same)).mean(axis=1)
    spam = (1 - tallies.same) * random + tallies.same * constant
    return (1 - crowd.spam) * honest, crowd.spam * spam


def _split_likelihood(tallies: Tallies, crowd: FittedCrowd, chances: AnswerChances) -> Floats:
    """Likelihood [U] of the split of an item's answers, with unknown truth and distractor.

    Classes count as alike: only the numbers of answers per class matter. The truth and the
    distractor are each one of the named classes, or a class without answers.
    """
    others = max(tallies.classes - 1, 1)
    wrong = 1 - chances.right
    log_right = np.log(np.clip(chances.right, _TINY, 1))
    by_chance = (1 - crowd.distractor) / others
    log_own = np.log(np.clip(wrong * (crowd.distractor + by_chance), _TINY, 1))
    log_other = np.log(np.clip(wrong * by_chance, _TINY, 1))
    camps, total, kept = tallies.splits, tallies.answers, tallies.splits.shape[1]
    weight = np.ones(kept)
    # One further column, empty, stands for all classes that are not counted singly: its weight is
    # their number.
    if tallies.classes > kept:
        camps = np.c_[camps, np.zeros(len(camps), dtype=np.int64)]
        weight = np.r_[weight, tallies.classes - kept]
    likelihood = np.zeros(len(camps))
    for true in range(camps.shape[1]):
        for own in range(camps.shape[1]):
            if own == true:
                continue
            t, d = camps[:, true], camps[:, own]
            log = np.outer(t, log_right) + np.outer(d, log_own) + np.outer(total - t - d, log_other)
            likelihood += weight[true] * weight[own] * (np.exp(log) @ chances.items)
    return likelihood


# --- parameters on the whole line, their priors, and the descent ---


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _log(value: float) -> float:
    return float(np.log(value))


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


_FORWARD: dict[str, Callable[[float], float]] = {
    "a": _log,
    "b": _log,
    "skill_sd": _log,
    "spam": _logit,
    "distractor": _logit,
    "activity": float,
}


_BACK: dict[Callable[[float], float], Callable[[float], float]] = {
    _log: lambda x: float(np.exp(x)),
    _logit: _sigmoid,
    float: float,
}


def _crowd(point: Floats, start: FittedCrowd, free: tuple[str, ...]) -> FittedCrowd:
    values = {name: getattr(start, name) for name in _FORWARD}
    # The simplex may stray: within bounds the shares stay off 0 and 1 and all logarithms finite.
    bounded = np.clip(point, -7, 7).tolist()
    for name, value in zip(free, bounded, strict=True):
        values[name] = _BACK[_FORWARD[name]](value)
    return FittedCrowd(**values)


def _log_prior(crowd: FittedCrowd, free: tuple[str, ...]) -> float:
    """Normal priors: size 7.5, error .18, skill sd .8, spam .1, distractor .55, activity 0."""
    mean = min(max(crowd.a / (crowd.a + crowd.b), 1e-6), 1 - 1e-6)
    terms = [(np.log((crowd.a + crowd.b) / 7.5), 1.0), (_logit(mean) - _logit(0.18), 1.0)]
    if "skill_sd" in free:
        terms.append((np.log(crowd.skill_sd / 0.8), 0.7))
    if "spam" in free:
        terms.append((_logit(min(max(crowd.spam, 1e-6), 1 - 1e-6)) - _logit(0.1), 1.5))
    if "distractor" in free:
        terms.append((_logit(min(max(crowd.distractor, 1e-6), 1 - 1e-6)) - _logit(0.55), 0.7))
    if "activity" in free:
        terms.append((crowd.activity, 0.5))
    return float(sum(-0.5 * (value / width) ** 2 for value, width in terms))


def _descend(loss: Callable[[Floats], float], start: Floats) -> Floats:
    """The simplex method of Nelder and Mead (1965), which needs no gradient."""
    n = len(start)
    points = np.vstack([start, start + 0.4 * np.eye(n)])
    values = np.array([loss(point) for point in points])
    for _ in range(250 * n):
        order = np.argsort(values, kind="stable")
        points, values = points[order], values[order]
        if values[-1] - values[0] < 1e-4 and np.ptp(points, axis=0).max() < 1e-2:
            break
        _step(loss, points, values)
    return np.asarray(points[values.argmin()], dtype=np.float64)


def _step(loss: Callable[[Floats], float], points: Floats, values: Floats) -> None:
    """Replace the worst point by a reflected, expanded or contracted point, or shrink all."""
    centre = points[:-1].mean(axis=0)
    away = centre - points[-1]
    reflected = loss(centre + away)
    reach = 1.0
    best = reflected
    if reflected < values[0]:
        stretched = loss(centre + 2 * away)
        if stretched < reflected:
            reach, best = 2.0, stretched
    elif reflected >= values[-2]:
        reach = 0.5 if reflected < values[-1] else -0.5
        best = loss(centre + reach * away)
        if best >= min(reflected, values[-1]):
            points[1:] = points[0] + 0.5 * (points[1:] - points[0])
            values[1:] = [loss(point) for point in points[1:]]
            return
    points[-1] = centre + reach * away
    values[-1] = best
