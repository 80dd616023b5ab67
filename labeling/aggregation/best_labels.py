"""Best labels: people's answers and a model's predictions, combined image by image.

An image's best label is the softmax of ln(answers) + t ln(model): the model's probabilities, raised
to a power t, are the prior of the true class, and the answers are its evidence (the one-coin model
of `labeling.aggregation.methods`). A crowd errs more on some images than on others, in two ways: an
answer's log-odds of being right grow by b with the image's surety by the model; and a share h of
the images is hard, so that answers to them tell little. People mistake an image for one class more
often than for others: a share a of its wrong answers is alike and names one class, the rest any
class. So answers that agree are no proof.

Nothing of this is assumed: power t, the crowd's skill p, slope b, shares h and a. Each choice of
them has a likelihood, that of all answers with true classes, hard images and the classes of alike
answers summed out. The likeliest a is taken. With weak priors the choices of the other four get
weights, by which the posteriors are averaged. So the model counts as much as its predictions agree
with the answers. No true label is read but those of control tasks, by which annotators' skills
differ, or by their agreement (`labeling.aggregation.agreed`).

Mistakes that people and model share cannot be seen in the answers. Their number is a property of
the market (`shared_mistakes`): the probabilities are softened so that the wrong labels expected are
that many times as many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from labeling.aggregation.agreed import Agreed, rows_of
from labeling.aggregation.skills import skills_given
from labeling.types import Answers, Floats, Ints, LabelSet

LEAST_POWER = 1.2
"""Power of the model below which it does not change labels: there it was measured to harm them."""

_POWERS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
_POWER_SD = 0.7  # of ln t around 0
_SKILL, _SKILL_SD = 0.8, 0.12  # typical of screened crowds
_SKILLS, _NEAR = 14, 9  # values tried: of all, then of those that may be true
_LEAST_LIKELY = 8.0  # nats below the most probable skill that another may be
_SLOPES, _SLOPE_LIKELY, _SLOPE_SD = (0.0, 0.3, 0.9), (0.3,), 0.7
_HARD, _HARD_SD = (0.0, 0.06, 0.2), 0.2  # shares of hard images tried
_ALIKES = (0.0, 0.25, 0.5, 0.75)  # shares of alike wrong answers tried
_ALIKE, _ALIKE_SD = 0.5, 0.2  # two wrong answers of CIFAR-10N agree as often as with 0.5
_HARD_SKILL = 0.2  # of a hard image: the part of the skill above chance that is left
_MISSPECIFIED = 0.3  # standard deviation of the estimated share of wrong labels, relative
_SOFTENINGS = 1 / np.linspace(1.0, 4.0, 61)  # powers of a posterior tried
_SMALL, _LEAST = 1e-12, 1e-300
_LEAST_WEIGHT = 1e-3  # of a choice that is averaged over

_Skills = Callable[[float], Floats]  # of annotators, given the crowd's skill


@dataclass(frozen=True, slots=True, eq=False)
class BestLabels:
    """Labels that combine answers and a model, row by row beside a label set.

    Attributes:
        posterior: [N, C] probability of each class; rows sum to 1. Where the model does not count,
            the probabilities of the answers alone.
        combined: [N, C] probabilities of answers and model together, also where the model does not
            count.
        prior: [N, C] log of the model's probabilities raised to the power.
        power: the model's power t, the weighted geometric mean.
        counts: whether the model counts: t is at least `LEAST_POWER`.
        skill: the crowd's skill p, the weighted mean.
        changed: share of the labels that the model changed.
        accuracy: estimated share of right labels among the best.
        accuracy_sd: its standard deviation.
        answers_accuracy: estimated share of right labels among those of the answers alone.
    """

    posterior: Floats
    combined: Floats
    prior: Floats
    power: float
    counts: bool
    skill: float
    changed: float
    accuracy: float
    accuracy_sd: float
    answers_accuracy: float


def best_labels(
    labels: LabelSet,
    answers: Answers,
    control_truth: Mapping[int, int],
    model: Floats,
    shared_mistakes: float,
    agreed: Agreed | None = None,
) -> BestLabels:
    """Combine a label set with a model's predictions.

    Args:
        labels: labels of the answers alone, of one image at least.
        answers: the answers behind them, control answers included.
        control_truth: true class of each control task, by row.
        model: [N, C] probabilities of each labelled image from a model that has not learned its
            label.
        shared_mistakes: wrong labels there are for each that is expected where people and model err
            independently; at least 1.
        agreed: skills by agreement, by which annotators differ; None for those by control tasks.

    Returns:
        The best labels.
    """
    given, row = rows_of(labels, answers)

    def skills(pooled: float) -> Floats:
        if agreed is not None:
            return agreed.skills(pooled)
        return skills_given(answers, control_truth, pooled)

    choices = _choices(given, row, skills, model)
    power = float(np.exp(sum(c.weight * np.log(c.power) for c in choices)))
    averaged = np.sum([c.weight * c.posterior for c in choices], axis=0)
    combined = _softened(averaged, shared_mistakes)
    counts, people = power >= LEAST_POWER, labels.posterior.argmax(axis=1)
    best = combined if counts else labels.posterior
    said, rows = best.argmax(axis=1), np.arange(len(best))
    wrong = float(1 - combined.max(axis=1).mean())
    spread = shared_mistakes * _spread(choices, averaged.argmax(axis=1))
    return BestLabels(
        best,
        combined,
        np.ascontiguousarray(_normal(power * np.log(np.maximum(model, _SMALL)).T).T),
        power,
        counts,
        float(sum(c.weight * c.skill for c in choices)),
        float(np.mean(said != people)),
        float(combined[rows, said].mean()),
        float(np.hypot(spread, _MISSPECIFIED * wrong)),
        float(combined[rows, people].mean()),
    )


def with_prior(posterior: Floats, prior: Floats) -> Floats:
    """Probabilities [N, C] of answers, with a model's [N, C] log probabilities added to them."""
    return _shares((np.log(np.maximum(posterior, _SMALL)) + prior).T)


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """A choice of the four parameters: its weight, and the labels' posterior given it."""

    weight: float
    power: float
    skill: float
    posterior: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Tried:
    """Crowds that are tried: skills and slopes."""

    skills: Floats
    slopes: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Images:
    """Images and their answers. Scores are [C, N]: NumPy adds long rows faster than short ones.

    Attributes:
        label, annotator, row: [A] class, annotator and image of each answer.
        surety: [N] of the model.
        count, classes: numbers N and C.
    """

    label: Ints
    annotator: Ints
    row: Ints
    surety: Floats
    count: int
    classes: int

    def scores(self, right: Floats) -> Floats:
        """[C, N] log likelihood of the answers by true class, where no wrong answers are alike.

        Args:
            right: [A] probability that each answer is right, from chance to below 1.
        """
        wrong = np.log((1 - right) / (self.classes - 1))
        gained = self._by_class(np.log(right) - wrong)
        return gained + np.bincount(self.row, weights=wrong, minlength=self.count)

    def alike(self, share: float) -> Floats:
        """[C, N] what is added to it where a share of an image's wrong answers is alike.

        Which class they name is not known: each wrong one is as probable.
        """
        others, answers = self.classes - 1, self._by_class(None)
        wrong = answers.sum(axis=0) - answers
        top = answers.max(axis=0)
        each = np.log1p(share * others / (1 - share))
        odds = np.exp((answers - top) * each)
        either = odds.sum(axis=0) - odds
        images, first = np.arange(self.count), answers.argmax(axis=0)
        odds[first, images] = 0.0  # summed without it: it may be larger than the rest by far
        either[first, images] = odds.sum(axis=0)
        return np.asarray(wrong * np.log1p(-share) + top * each + np.log(either / others))

    def _by_class(self, weights: Floats | None) -> Floats:
        at = self.label * self.count + self.row
        told = np.bincount(at, weights=weights, minlength=self.count * self.classes)
        return np.asarray(told.reshape(self.classes, self.count), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """[C, N] scores with their exponentials, which many sums of products are made of.

    Attributes:
        top: [N] an image's largest score. above: [C, N] exponentials of the scores less that.
    """

    scores: Floats
    top: Floats
    above: Floats

    @classmethod
    def of(cls, scores: Floats) -> _Scores:
        """The scores with their exponentials."""
        top = scores.max(axis=0)
        return cls(scores, top, np.exp(scores - top))

    def log_sum(self, other: _Scores) -> Floats:
        """[N] log of the sum over classes of exponentials of both scores' sums."""
        # Scores that exclude each other in every class give the least number, not 0.
        product = np.maximum(np.einsum("cn,cn->n", self.above, other.above), _LEAST)
        return np.asarray(np.log(product) + self.top + other.top)


@dataclass(frozen=True, slots=True, eq=False)
class _Crowd:
    """A crowd tried: its skill, its distance from the priors, and log likelihoods of answers.

    Attributes:
        easy, hard: of images that are not hard, and of hard ones.
    """

    skill: float
    far: float
    easy: _Scores
    hard: _Scores

    def evidence(self, prior: _Scores) -> Iterator[tuple[float, float]]:
        """Log likelihood of all answers and distance from the priors, by share of hard images."""
        easy, hard = self.easy.log_sum(prior), self.hard.log_sum(prior)
        for share in _HARD:
            yield float(_mixed(easy, hard, share).sum()), self.far + (share / _HARD_SD) ** 2

    def mixed(self, share: float) -> Floats:
        """[C, N] log likelihoods where a share of the images is hard."""
        return _mixed(self.easy.scores, self.hard.scores, share)


def _mixed(easy: Floats, hard: Floats, share: float) -> Floats:
    if not share:
        return easy
    return np.asarray(np.logaddexp(np.log(1 - share) + easy, np.log(share) + hard))


def _choices(given: Answers, row: Ints, skills: _Skills, model: Floats) -> list[_Choice]:
    """The choices that carry weight."""
    images = _Images(given.label, given.annotator, row, _surety(model), *model.shape)
    logs = np.log(np.maximum(model.T, _SMALL))
    priors = [_normal(t * logs) for t in _POWERS]
    likely, alike = _likely(images, skills, priors[2])
    added = [_Scores.of(images.alike(alike) + prior) for prior in priors]
    tried, evidence = [], []
    for crowd in _crowds(images, skills, likely):
        for power, both in zip(_POWERS, added, strict=True):
            of_power = (np.log(power) / _POWER_SD) ** 2
            for share, (told, far) in zip(_HARD, crowd.evidence(both), strict=True):
                tried.append((power, crowd, share, both))
                evidence.append(told - (far + of_power) / 2)
    weight = np.exp(np.array(evidence) - max(evidence))
    weight[weight < _LEAST_WEIGHT * weight.sum()] = 0.0
    weight /= weight.sum()
    return [
        _Choice(float(w), power, crowd.skill, _shares(crowd.mixed(share) + both.scores))
        for w, (power, crowd, share, both) in zip(weight, tried, strict=True)
        if w
    ]


def _likely(images: _Images, skills: _Skills, prior: Floats) -> tuple[_Tried, float]:
    """The crowds that may be true, and the likeliest share of alike wrong answers."""
    every = np.linspace(1 / images.classes + 0.02, 0.99, _SKILLS)
    told = _evidence(images, skills, _Tried(every, _SLOPE_LIKELY), prior, (_ALIKE,))[:, 0]
    near, step = every[told >= told.max() - _LEAST_LIKELY], every[1] - every[0]
    ends = max(near[0] - step, every[0]), min(near[-1] + step, every[-1])
    near = np.linspace(*ends, _NEAR)
    told = _evidence(images, skills, _Tried(near, _SLOPE_LIKELY), prior, _ALIKES).max(axis=0)
    off = ((np.array(_ALIKES) - _ALIKE) / _ALIKE_SD) ** 2
    return _Tried(near, _SLOPES), _ALIKES[int((told - off / 2).argmax())]


def _evidence(
    images: _Images, skills: _Skills, tried: _Tried, prior: Floats, alikes: tuple[float, ...]
) -> Floats:
    """[S, alikes] log likelihood of each skill tried, with the likeliest share of hard images."""
    added = [_Scores.of(images.alike(alike) + prior) for alike in alikes]
    return np.array(
        [
            [max(told - far / 2 for told, far in crowd.evidence(more)) for more in added]
            for crowd in _crowds(images, skills, tried)
        ]
    )


def _crowds(images: _Images, skills: _Skills, tried: _Tried) -> Iterator[_Crowd]:
    """Each crowd tried."""
    chance = 1 / images.classes
    for skill in tried.skills.tolist():
        people = _logit(skills(skill))[images.annotator]
        for slope in tried.slopes:
            odds = people + slope * images.surety[images.row]
            right = np.clip(1 / (1 + np.exp(-odds)), chance, 1 - 1e-4)
            left = chance + _HARD_SKILL * (right - chance)
            far = (slope / _SLOPE_SD) ** 2 + ((skill - _SKILL) / _SKILL_SD) ** 2
            easy, hard = images.scores(right), images.scores(left)
            yield _Crowd(skill, far, _Scores.of(easy), _Scores.of(hard))


def _surety(model: Floats) -> Floats:
    """[N] log-odds of the model's most probable class, standardised."""
    odds = _logit(model.max(axis=1))
    return np.asarray((odds - odds.mean()) / max(float(odds.std()), _SMALL))


def _softened(posterior: Floats, times: float) -> Floats:
    """The posterior to the power at which the labels expected to be wrong are `times` as many."""
    wanted = min(times * (1 - posterior.max(axis=1).mean()), 1 - 1 / posterior.shape[1])
    logs = np.ascontiguousarray(np.log(np.maximum(posterior, _SMALL)).T)

    def off(power: float) -> float:
        # The largest share is that of the largest score.
        surest = power * logs.max(axis=0) - _log_sum(power * logs)
        return abs(float(1 - np.exp(surest).mean() - wanted))

    return _shares(min(_SOFTENINGS, key=off) * logs)


def _spread(choices: list[_Choice], said: Ints) -> float:
    """Standard deviation of the share of right labels, over images and choices."""
    rows, weight = np.arange(len(said)), np.array([c.weight for c in choices])
    right = np.stack([c.posterior[rows, said] for c in choices])
    shares = right.mean(axis=1)
    of_images = (right * (1 - right)).sum(axis=1) / len(said) ** 2
    return float(np.sqrt(weight @ (of_images + (shares - weight @ shares) ** 2)))


def _logit(share: Floats) -> Floats:
    inside = np.clip(share, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(inside / (1 - inside)))


def _shares(scores: Floats) -> Floats:
    """[N, C] probabilities of [C, N] log likelihoods."""
    return np.ascontiguousarray(np.exp(_normal(scores)).T)


def _normal(scores: Floats) -> Floats:
    return np.asarray(scores - _log_sum(scores))


def _log_sum(scores: Floats) -> Floats:
    """[N] log of the sum over classes of [C, N] scores' exponentials."""
    made = _Scores.of(scores)
    return np.asarray(np.log(made.above.sum(axis=0)) + made.top)
