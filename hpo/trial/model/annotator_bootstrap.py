"""The same purchase with other annotators, without buying it again: a bootstrap over people.

Answers of one annotator stand and fall together, so annotators are drawn and not answers: a
cluster bootstrap (Davison and Hinkley 1997, "Bootstrap Methods and their Application", section
3.8). Labels are aggregated and heads fitted anew; penalty and kind of target stay.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hpo.trial.labels import to_labels
from hpo.trial.world import World
from labeling.aggregation.best_labels import with_prior
from labeling.types import Answers, Floats, Ints

if TYPE_CHECKING:
    from hpo.trial.model.trained import Trained
    from training.evaluate import Scores

_FEWEST_ANSWERS = 130.0  # answers at which the bootstrap meets redrawn purchases
_SHARES = (0.2, 2.5)  # of its variance that redrawn purchases of many and of few have (measured)


def redrawn_share(answers: Floats) -> Floats:
    """Variance between redrawn purchases as a share of the bootstrap's (measured).

    The bootstrap leaves tasks without answers, which redrawn purchases do not.
    """
    return np.asarray(np.clip(np.sqrt(_FEWEST_ANSWERS / answers), *_SHARES))


def for_purchases(scores: Scores, answers: Answers) -> Scores:
    """Scores whose interval is for redrawn purchases, not for the bootstrap.

    Args:
        scores: of a question with a right answer.
        answers: those that the model was trained on.
    """
    from training.evaluate import accuracy_interval

    right, count = scores.accuracy, max(1, int((~answers.control).sum()))
    luck = scores.label_variance * float(redrawn_share(np.array(count)))
    beyond = scores.image_variance - right * (1 - right) / scores.n  # of labels that may be wrong
    low, high = accuracy_interval(right, scores.n, beyond + luck)
    return replace(scores, low=low, high=high)


def other_annotators(answers: Answers, rng: np.random.Generator) -> Answers:
    """Answers of as many annotators, drawn with replacement; one drawn twice counts as two."""
    people, code = np.unique(answers.annotator, return_inverse=True)
    if len(people) == 0:  # a view may leave no answer
        return answers
    times = rng.multinomial(len(people), np.full(len(people), 1 / len(people)))
    rows = np.repeat(np.arange(len(answers)), times[code])
    starts = np.cumsum(times[code]) - times[code]
    copy = np.arange(len(rows)) - starts[rows]
    return Answers(
        task=answers.task[rows],
        annotator=code[rows] * (int(times.max()) + 1) + copy,
        label=answers.label[rows],
        control=answers.control[rows],
        usable=answers.usable[rows],
    )


def redrawn(
    trained: Trained, rows: Ints, world: World, draws: int, rng: np.random.Generator
) -> Floats:
    """Probabilities of heads trained on what other annotators would have said.

    A model that best labels are combined with stays as it is.

    Args:
        trained: the head, and what it was trained on.
        rows: [n] images to predict.
        world: the study's world.
        draws: heads.
        rng: draws the annotators.

    Returns:
        [draws, n, C] probabilities.
    """
    from training.fit import hard

    model, labels = trained.model, trained.labels
    targets = np.repeat(labels.shares[None], draws, axis=0)
    weights = np.zeros((draws, len(labels.task)))
    alone = labels.answers == 0  # a machine's labels, which other people would not change
    weights[:, alone] = 1.0
    varies = model.lam and not alone.all()  # a constant model is so for any labels
    for draw in range(draws if varies else 0):
        other = to_labels(other_annotators(trained.answers, rng), labels.task, world)
        at = np.isin(labels.task, other.task)  # others lack a task now and then
        said = other.shares if model.target == "soft" else other.posterior
        if trained.prior is not None:
            said = with_prior(said, trained.prior[at])
        targets[draw, at] = hard(said, rng) if model.target == "hard" else said
        weights[draw, at] = other.answers if trained.prior is None else 1.0
    weights[weights.sum(axis=1) == 0] = trained.weights
    values = world.features.values
    return world.trainer.refit(model, values[labels.task], targets, weights, values[rows])
