"""The temperature of a trial's model, from the answers bought and the control images.

Neither the validation nor the final images are read: scores on them stay untouched.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hpo.trial.subjective import is_subjective
from hpo.trial.world import World
from labeling.types import Floats, Ints

if TYPE_CHECKING:
    from hpo.trial.model.trained import Trained
    from training.fit import Model

_FOLDS = 5


def calibrated(trained: Trained, world: World, rng: np.random.Generator) -> Model:
    """A model with the temperature that makes its probabilities true; its classes stay.

    Costs five heads, solved together. For a question of taste the model predicts shares, and keeps
    them as they are.

    Args:
        trained: the head, and what it was trained on.
        world: the study's world.
        rng: deals the folds.

    Returns:
        The model, without a temperature where the evidence leaves it open.
    """
    from training.calibration import Answered, Known, fit_temperature

    model, labels, answers = trained.model, trained.labels, trained.answers
    if is_subjective(world) or model.lam == 0 or len(labels.task) < 2:
        return model
    logits = held_out(trained, world, rng)
    given = answers.where(answers.usable & ~answers.control & np.isin(answers.task, labels.task))
    by_task = np.argsort(labels.task)
    row = by_task[np.searchsorted(labels.task, given.task, sorter=by_task)]
    controls: Ints = world.data.rows["control"]
    known = Known(model.logits(world.features.values[controls]), world.data.truth[controls])
    return replace(model, temperature=fit_temperature(Answered(logits, row, given.label), known))


def held_out(trained: Trained, world: World, rng: np.random.Generator) -> Floats:
    """Logits [N, C] of each labelled image from a head that did not learn its label."""
    from training.cross_validation import deal_folds, unfloored

    model, labels = trained.model, trained.labels
    values = world.features.values[labels.task]
    folds = min(_FOLDS, len(values))
    fold = deal_folds(labels.shares, folds, rng)
    weights = trained.weights * (fold[None] != np.arange(folds)[:, None])
    heads = world.trainer.refit(model, values, trained.target, weights, values)
    own = heads[fold, np.arange(len(values))]
    return np.asarray(np.log(np.maximum(unfloored(own, model.floor), 1e-15)))
