"""One trial: buy the labels a plan asks for, and say how good and how dear they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo.trial.labels import images_inside, narrow, test_view, to_labels
from hpo.trial.model.annotator_bootstrap import for_purchases, redrawn
from hpo.trial.model.calibration import calibrated
from hpo.trial.model.joint import with_people
from hpo.trial.model.trained import Trained
from hpo.trial.outcome import Outcome
from hpo.trial.plan_costs import PlanCosts
from hpo.trial.purchase import buy
from hpo.trial.subjective import is_subjective, panel, score_opinion
from hpo.trial.truth.bought import bought_tests, measured_rows
from hpo.trial.truth.corrected import corrected_scores
from hpo.trial.world import World
from labeling.aggregation.selection import selection
from labeling.seeds import derive, generator
from labeling.types import (
    Answers,
    AnswerTimes,
    Bools,
    Floats,
    Ints,
    LabelPlan,
    LabelSet,
)
from labeling.views import View

if TYPE_CHECKING:
    from training.evaluate import Scores
    from training.fit import Model

_REDRAWS = 20  # bootstrap heads behind an interval
FOR_ESTIMATES = ("luck", "sure_as")
"""Parts of a final score that the estimates need, and no report tells."""

_DIGITS = 6  # reported decimals: beyond them thread counts and BLAS versions differ


def run_trial(plan: LabelPlan, world: World) -> tuple[Outcome, Trained]:
    """Own the labels that `plan` asks for, then say how good and how dear they are."""
    buy(plan, world)
    trained = fit_plan(plan, world)
    return measure(trained, world), trained  # free, and called alone for contained plans


# --- evaluation ---


def labels_of(plan: LabelPlan, world: World, draw: int = 0) -> tuple[LabelSet, Answers]:
    """The plan's labels, and the answers behind them, out of everything its condition owns.

    Args:
        plan: a plan whose condition owns answers.
        world: the study's world.
        draw: which subset of the answers, where the condition owns more than the plan.
    """
    owned = world.store.answers(world.condition(plan), world.market.question)
    own = owned.where(_own(owned, plan, world, draw))
    return to_labels(own, world.tasks(plan), world), own


def times_of(plan: LabelPlan, world: World, draw: int = 0) -> AnswerTimes:
    """When the answers of `labels_of` came, row by row."""
    condition, question = world.condition(plan), world.market.question
    owned = world.store.answers(condition, question)
    return world.store.times(condition, question).where(_own(owned, plan, world, draw))


def _own(owned: Answers, plan: LabelPlan, world: World, draw: int) -> Bools:
    """Which of all answers that its condition owns are a plan's."""
    seed = derive(world.config.seed, "select", *_further(draw))
    return selection(owned, world.tasks(plan), plan.overlap, seed)


def _further(draw: int) -> tuple[int, ...]:
    """The purpose that sets a repeat draw's seeds apart; the first draw has none."""
    return (draw,) if draw else ()


def fit_plan(plan: LabelPlan, world: World, draw: int = 0) -> Trained:
    """Train a head on the labels of a plan that is owned: those inside the study's view."""
    labels, own = labels_of(plan, world, draw)
    times = partial(times_of, plan, world, draw)
    labels, own = narrow(labels, own, world.tasks(plan), times, world)
    return train_calibrated(plan, labels, own, world, draw)


def train_calibrated(
    plan: LabelPlan, labels: LabelSet, answers: Answers, world: World, draw: int = 0
) -> Trained:
    """Train a head on labels and the answers behind them; its probabilities are calibrated."""
    key = (world.config, plan, draw, digest(labels, answers))
    model = world.computed.models.get(key)
    if model is not None:
        targets, _ = _targets(plan, labels, world, draw)
        if key in world.computed.joint:
            target, prior = world.computed.joint[key]
            return Trained(plan, labels, answers, target, model, prior)
        return Trained(plan, labels, answers, targets.get(model.target, labels.shares), model)
    model, target = train_labels(plan, labels, world, draw)
    rng = generator(world.config.seed, "em folds", plan.key, *_further(draw))
    trained = with_people(Trained(plan, labels, answers, target, model), world, rng)
    rng = generator(world.config.seed, "calibration", plan.key, *_further(draw))
    trained = replace(trained, model=calibrated(trained, world, rng))
    world.computed.keep(world.computed.models, key, trained.model)
    if trained.prior is not None:
        world.computed.keep(world.computed.joint, key, (trained.target, trained.prior))
    return trained


def digest(labels: LabelSet, answers: Answers) -> bytes:
    """Content hash of labels and the answers behind them."""
    content = hashlib.blake2b(digest_size=16)
    for columns in (labels, answers):
        for name in columns.__dataclass_fields__:
            content.update(np.ascontiguousarray(getattr(columns, name)).tobytes())
    return content.digest()


def train_labels(
    plan: LabelPlan, labels: LabelSet, world: World, draw: int = 0
) -> tuple[Model, Floats]:
    """Train a head on labels; penalty and kind of target by cross-validation on them.

    Returns:
        The model, and the [N, C] targets it was trained on.
    """
    targets, rng = _targets(plan, labels, world, draw)
    weight = labels.answers.astype(np.float64)
    model = train_head(labels, targets, labels.shares, weight, rng, world)
    return model, targets.get(model.target, labels.shares)


def train_head(
    labels: LabelSet,
    targets: Mapping[str, Floats],
    judge: Floats,
    weight: Floats,
    rng: np.random.Generator,
    world: World,
) -> Model:
    """Train a head on kinds of target of labelled images, standardised over the whole pool.

    Args:
        labels: whose images.
        targets: kinds of target, each [N, C].
        judge: [N, C] shares that held-out predictions are judged by.
        weight: [N] weights of the images.
        rng: deals the folds.
        world: the study's world.
    """
    values = world.features.values
    return world.trainer.train(
        values[labels.task],
        targets,
        judge=judge,
        confidence=weight,
        rng=rng,
        scale=values[world.data.rows["pool"]],
    )


def _targets(
    plan: LabelPlan, labels: LabelSet, world: World, draw: int
) -> tuple[dict[str, Floats], np.random.Generator]:
    """The kinds of target that labels give, and the stream that then deals the folds."""
    from training.fit import hard

    rng = generator(world.config.seed, "folds", plan.key, *_further(draw))
    targets = {
        "soft": labels.shares,
        "posterior": labels.posterior,
        "hard": hard(labels.posterior, rng),
    }
    tried = {kind: targets[kind] for kind in targets if kind in world.config.train_on}
    return ({"soft": labels.shares} if is_subjective(world) or not tried else tried), rng


def score_on(
    role: str,
    trained: Trained,
    world: World,
    redraws: int = _REDRAWS,
    only: Ints | None = None,
) -> Scores:
    """Scores on a role's images, with an interval for images and annotators together.

    Args:
        role: whose images.
        trained: the model and what it was trained on.
        world: the study's world.
        redraws: heads of other annotators' labels behind the interval; 0 leaves them out of it.
        only: some of the role's images by row, of a question with a right answer; None for all.
    """
    given = (id(trained.model), trained.plan, digest(trained.labels, trained.answers))
    key = (world.config, *given, role, redraws, None if only is None else only.tobytes())
    if key not in world.computed.scores:
        scores = _score_on(role, trained, world, redraws, only)
        world.computed.keep(world.computed.scores, key, (trained.model, scores))
    return world.computed.scores[key][1]


def _score_on(role: str, trained: Trained, world: World, redraws: int, only: Ints | None) -> Scores:
    from training.evaluate import score

    values = world.features.values
    observed = panel(world, role) if is_subjective(world) else None
    rows = measured_rows(role, world) if observed is None else observed.task
    rows = rows if only is None else only
    draws = _redrawn(trained, rows, world, redraws) if redraws else None
    predicted = trained.model.predict(values[rows])
    if observed is not None:
        return score_opinion(predicted, draws, observed)
    tests, known = bought_tests(world), world.data.known[rows]
    if tests is None or known.all():
        scores = score(predicted, world.data.truth[rows], draws)
    else:
        mistakes = world.market.kind.shared_mistakes
        scores = corrected_scores(predicted, rows, known, tests, draws, mistakes)
    return for_purchases(scores, trained.answers)


def _redrawn(trained: Trained, rows: Ints, world: World, redraws: int) -> Floats:
    """[redraws, n, C] probabilities of heads on labels that other annotators would have given."""
    rng = generator(world.config.seed, "bootstrap", trained.plan.key)
    return redrawn(trained, rows, world, redraws, rng)


def evaluate(plan: LabelPlan, world: World, draws: int = 1) -> Outcome:
    """Say how good and how dear the owned labels of a plan are. Buys nothing.

    Args:
        plan: a plan whose condition owns answers.
        world: the study's world.
        draws: repeat draws to average.
    """
    return measure(fit_plan(plan, world), world, draws)


def measure(trained: Trained, world: World, draws: int = 1) -> Outcome:
    """Say how good and how dear a plan is, whose model is trained already.

    Args:
        trained: what `fit_plan` gave.
        world: the study's world.
        draws: repeat draws to average.
    """
    plan, costs = trained.plan, PlanCosts(world)
    minutes = costs.minutes(plan)
    scores = score_on("validation", trained, world)
    first = Outcome(
        plan,
        round(scores.accuracy, _DIGITS),
        round(scores.low, _DIGITS),
        round(scores.high, _DIGITS),
        _rounded(scores.macro_f1),
        _rounded(scores.ece),
        _rounded(scores.log_loss),
        costs.price(plan),
        None if minutes is None else round(minutes, 3),
        len(trained.labels.task),
        int((~trained.answers.control).sum()),
        trained.model.target,
        round(trained.model.lam, 9),
        view=world.config.view,
        luck=round(scores.label_variance, 9),
        images=round(_binary_images(scores), 3),
    )
    return _averaged(first, draws, world) if draws > 1 else first


def _averaged(first: Outcome, draws: int, world: World) -> Outcome:
    """The outcome with its scores averaged over further draws; the interval keeps its width."""
    repeats = [
        score_on("validation", fit_plan(first.plan, world, draw), world, redraws=0)
        for draw in range(1, draws)
    ]
    accuracy = (first.accuracy + sum(s.accuracy for s in repeats)) / draws
    shift = accuracy - first.accuracy
    return replace(
        first,
        accuracy=round(accuracy, _DIGITS),
        low=round(max(0.0, first.low + shift), _DIGITS),
        high=round(min(1.0, first.high + shift), _DIGITS),
        macro_f1=_mean([first.macro_f1, *(s.macro_f1 for s in repeats)]),
        ece=_mean([first.ece, *(s.ece for s in repeats)]),
        log_loss=_mean([first.log_loss, *(s.log_loss for s in repeats)]),
        draws=draws,
    )


def _mean(scores: Sequence[float | None]) -> float | None:
    """Mean of a score over draws; None where one lacks it."""
    measured = [score for score in scores if score is not None]
    return round(sum(measured) / len(scores), _DIGITS) if len(measured) == len(scores) else None


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, _DIGITS)


def _binary_images(scores: Scores) -> float:
    """Images on which a share of hits would be as sure as this accuracy."""
    p, variance = scores.accuracy, scores.image_variance
    return p * (1 - p) / variance if 0 < p < 1 and variance > 0 else float(scores.n)


def rounded(scores: Scores) -> dict[str, Any]:
    """Accuracy and its 95 % interval as reports hold them."""
    return {
        "accuracy": round(scores.accuracy, _DIGITS),
        "interval_95": [round(scores.low, _DIGITS), round(scores.high, _DIGITS)],
    }


def final_score(trained: Trained, world: World) -> dict[str, Any]:
    """Score a plan's model on the final images, which no decision has touched.

    Called once per recommended plan, at the end, and never by the search. The study's test view
    picks its images here, by their true classes, and nowhere else. "luck" and "sure_as" are an
    outcome's `luck` and `images`.
    """
    scores = score_on("final", trained, world)
    view = test_view(world.config)
    further = ("macro_f1", "balanced_accuracy", "ece", "log_loss")
    measured = {name: _rounded(getattr(scores, name)) for name in further}
    return {
        **({"test_view": score_inside(view, "final", trained, world)} if view else {}),
        **rounded(scores),
        **{name: value for name, value in measured.items() if value is not None},
        "images": scores.n,
        "luck": round(scores.label_variance, 9),
        "sure_as": round(_binary_images(scores), 3),
        **_before(trained, "final", world),
    }


def _before(trained: Trained, role: str, world: World) -> dict[str, Any]:
    """The temperature, and the scores without it; nothing where there is none.

    Nor where labels were bought: a calibration error needs true classes.
    """
    temperature = trained.model.temperature
    known = world.data.rows[role][world.data.known[world.data.rows[role]]]
    if temperature is None or len(known) < len(world.data.rows[role]):
        return {}
    raw = replace(trained, model=replace(trained.model, temperature=None))
    scores = score_on(role, raw, world, redraws=0)
    return {
        "calibration": {
            "temperature": round(temperature, _DIGITS),
            "ece_before": _rounded(scores.ece),
            "log_loss_before": round(scores.log_loss, _DIGITS),
        }
    }


def confused(trained: Trained, world: World) -> list[list[int]]:
    """How often validation images of a class are taken for another, as (true, said, images).

    By bought labels where none is known. Empty for a question without a right answer.
    """
    if is_subjective(world):
        return []
    rows, tests = measured_rows("validation", world), bought_tests(world)
    said = trained.model.predict(world.features.values[rows]).argmax(axis=1)
    code = world.data.truth if tests is None else tests.code
    pairs = np.stack([code[rows], said])
    found, images = np.unique(pairs, axis=1, return_counts=True)
    return [[int(t), int(s), int(n)] for t, s, n in zip(*found, images, strict=True)]


def score_inside(view: View, role: str, trained: Trained, world: World) -> dict[str, Any]:
    """Accuracy on those images of a role that are inside a test view; None where there are none."""
    rows = world.data.rows[role]
    rows = rows[world.data.known[rows]]  # bought labels are too unsure to choose images by
    rows = rows[images_inside(view, rows, world)]
    facts = {"expression": view.text, "version": view.version, "images": len(rows)}
    if not len(rows):
        return {**facts, "accuracy": None, "interval_95": None}
    return {**facts, **rounded(score_on(role, trained, world, only=rows))}


# --- plain forms, for storage ---
