"""The labels and the model that a study delivers: people's answers combined with a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hpo.trial.evaluate import digest, train_calibrated, train_head
from hpo.trial.model.calibration import calibrated, held_out
from hpo.trial.model.trained import Trained
from hpo.trial.subjective import is_subjective
from hpo.trial.world import World
from labeling.aggregation.best_labels import BestLabels, best_labels
from labeling.seeds import generator
from labeling.types import Answers, LabelPlan, LabelSet

BEST = "best"
"""Kind of target: the best labels."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelModel:
    """A model, and the best labels beside those that people gave.

    Attributes:
        trained: the model, its training labels by people, and the answers behind them.
        best: the best labels, row by row beside them; None for a question of taste, or where there
            is no model to combine answers with.
    """

    trained: Trained
    best: BestLabels | None


def train_delivered(
    plan: LabelPlan, labels: LabelSet, answers: Answers, world: World
) -> LabelModel:
    """Train on labels; where a model counts beside the answers, on the best labels.

    The model of the answers predicts every image from the labels of others (five folds). Where its
    power is at least `labeling.aggregation.best_labels.LEAST_POWER`, the delivered model is trained
    on both together, each image with the same weight.

    Args:
        plan: seeds the folds.
        labels: the labels of the answers.
        answers: the answers behind them.
        world: the study's world.
    """
    best = None if is_subjective(world) else label_model(plan, labels, answers, world).best
    if best is None or not best.counts:
        return LabelModel(train_calibrated(plan, labels, answers, world), best)
    alike = np.ones(len(labels.task))
    rng = generator(world.config.seed, "best folds", plan.key)
    model = train_head(labels, {BEST: best.posterior}, best.posterior, alike, rng, world)
    trained = Trained(plan, labels, answers, best.posterior, model, best.prior)
    rng = generator(world.config.seed, "best calibration", plan.key)
    return LabelModel(replace(trained, model=calibrated(trained, world, rng)), best)


def label_model(plan: LabelPlan, labels: LabelSet, answers: Answers, world: World) -> LabelModel:
    """The model of the answers, and the best labels.

    Args:
        plan: seeds the folds.
        labels: the labels of the answers.
        answers: the answers behind them.
        world: the study's world.
    """
    # A purchase looks at its labels to see whether to stop, and then they are delivered.
    key = (world.config, plan, "soft", digest(labels, answers))
    if world.computed.looked_at is not None and world.computed.looked_at[0] == key:
        made: LabelModel = world.computed.looked_at[1]
        return made
    model = world.computed.models.get(key)
    if model is None:
        counts = labels.answers.astype(np.float64)
        rng = generator(world.config.seed, "soft folds", plan.key)
        model = train_head(labels, {"soft": labels.shares}, labels.shares, counts, rng, world)
        world.computed.keep(world.computed.models, key, model)
    trained = Trained(plan, labels, answers, labels.shares, model)
    made = LabelModel(trained, _combined(trained, world))
    world.computed.looked_at = key, made
    return made


def _combined(trained: Trained, world: World) -> BestLabels | None:
    """The labels combined with held-out predictions; None where there are none."""
    from training.cross_validation import floored
    from training.heads import softmax

    if is_subjective(world) or trained.model.lam == 0 or len(trained.labels.task) < 2:
        return None
    rng = generator(world.config.seed, "best labels", trained.plan.key)
    model = floored(softmax(held_out(trained, world, rng)), trained.model.floor)
    mistakes = world.market.kind.shared_mistakes
    return best_labels(trained.labels, trained.answers, world.control_truth, model, mistakes)


def label_facts(best: BestLabels) -> dict[str, Any]:
    """What a report says of the best labels' quality."""
    from training.evaluate import Z95

    half = Z95 * best.accuracy_sd
    bounds = [max(0.0, best.accuracy - half), min(1.0, best.accuracy + half)]
    return {
        "accuracy": round(best.accuracy, 6),
        "interval_95": [round(bound, 6) for bound in bounds],
        "answers_alone": round(best.answers_accuracy, 6),
        "model_counts": best.counts,
        "model_power": round(best.power, 4),
        "changed_by_model": round(best.changed, 6),
    }
