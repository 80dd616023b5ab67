"""Annotators' skills with the head in the loop: the kind of target "em".

A head of the answers predicts every image from the labels of others. Its predictions are the prior
of the image's class, and annotators are judged by agreement with them and with each other. Answers
weighed so, with the predictions, are labels for the next head. This is what best labels are made
by (`labeling.aggregation.best_labels`), with the skills learned as well.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hpo.settings.rows.labels import EM
from hpo.trial.model.calibration import held_out
from hpo.trial.model.trained import Trained
from hpo.trial.subjective import is_subjective
from hpo.trial.world import World
from labeling.aggregation.agreed import agree, rows_of
from labeling.aggregation.best_labels import best_labels

_INDEPENDENT = 1.0  # targets are not softened for mistakes that people and model share


def with_people(trained: Trained, world: World, rng: np.random.Generator) -> Trained:
    """The head, or one on targets of answers, skills and head together, if that is better.

    The better one makes the answers likelier: held-out predictions, each answer right with its
    annotator's skill. Where a study has no other kind of target, nothing is compared. Where the
    head does not count beside the answers, it stays as it is.

    Args:
        trained: the head of the answers, without a temperature.
        world: the study's world.
        rng: deals the folds.
    """
    from training.calibration import Answered, answers_loss
    from training.cross_validation import floored
    from training.heads import softmax

    is_open = trained.model.lam == 0 or len(trained.labels.task) < 2
    if EM not in world.config.train_on or is_subjective(world) or is_open:
        return trained
    logits = held_out(trained, world, rng)
    model = floored(softmax(logits), trained.model.floor)
    labels, answers, truth = trained.labels, trained.answers, world.control_truth
    agreed = agree(labels, answers, truth, model)
    best = best_labels(labels, answers, truth, model, _INDEPENDENT, agreed)
    if not best.counts:
        return trained
    joint = replace(trained, target=best.posterior, prior=best.prior)
    if world.config.train_on != (EM,):
        given, row = rows_of(labels, answers)
        skill = agreed.skills()[given.annotator]
        pair = (logits, held_out(joint, world, rng))
        alone, both = (answers_loss(Answered(each, row, given.label), skill) for each in pair)
        if alone <= both:
            return trained
    values = world.features.values
    head = world.trainer.train(
        values[labels.task],
        {EM: joint.target},
        judge=joint.target,
        confidence=joint.weights,
        rng=rng,
        scale=values[world.data.rows["pool"]],
    )
    return replace(joint, model=head)
