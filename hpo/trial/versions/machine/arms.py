"""The ways to use a machine's labels beside people's, each as labels that a model learns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpo.settings.rows.machine import ALL, BELOW, VOTE
from hpo.trial.evaluate import train_head
from hpo.trial.model.calibration import calibrated
from hpo.trial.model.trained import Trained
from hpo.trial.versions.machine.reading import MachineReading
from hpo.trial.versions.owned import banned_controls
from hpo.trial.world import World
from labeling.aggregation.agreed import rows_of
from labeling.aggregation.best_labels import BestLabels
from labeling.machine.mixing import mixed
from labeling.machine.people import PeopleModel, people_of, skills_of, tally_of
from labeling.seeds import generator
from labeling.types import Answers, Floats, Ints, LabelPlan, LabelSet

MIXED = "machine"
"""Kind of target: labels of a machine, or of people and a machine."""


@dataclass(frozen=True, slots=True, eq=False)
class MixedLabels:
    """Labels by people and a machine.

    Attributes:
        labels: by people, and by the machine where no person answered.
        posterior: [N, C] probabilities of both together.
        machine: [N, C] those of the machine alone.
    """

    labels: LabelSet
    posterior: Floats
    machine: Floats


def people_in(answers: Answers, best: BestLabels | None, world: World) -> PeopleModel:
    """How people answer, from control tasks, those of banned annotators included, and from a model.

    Requesters choose clear control tasks, and a model may learn people's mistakes: both make people
    look better than they are. So the lower of the two estimates of their skill counts.

    Args:
        answers: the answers of people that count.
        best: their labels combined with a model; None without one.
        world: the study's world.
    """
    usable = answers.where(answers.usable)
    told = usable.where(usable.control)
    truth = world.data.truth[told.task]
    people = int(answers.annotator.max(initial=-1)) + 1
    given = np.bincount(usable.annotator[~usable.control], minlength=people).astype(np.float64)
    own = tally_of(told.label == truth, told.annotator, people)
    skills = skills_of(own, banned_controls(world), given)
    skills = skills if best is None else skills.at_most(best.skill)
    return people_of(told.label, truth, len(world.market.asked.classes), skills)


def mixed_labels(
    use: str,
    labels: LabelSet,
    answers: Answers,
    people: PeopleModel,
    reading: MachineReading,
    world: World,
) -> MixedLabels:
    """The labels of one way to use a machine.

    Args:
        use: `VOTE`: images that people answered; `BELOW`: these and all that the machine was asked
            about, people's answers counted in; `ALL`: those by the machine's labels alone.
        labels: labels of people's answers.
        answers: the answers behind them.
        people: how people answer.
        reading: the machine's.
        world: the study's world.
    """
    asked = labels.where(reading.has(labels.task)) if use == ALL else labels
    machine = reading.of(asked.task)
    posterior = machine
    if use != ALL and len(asked.task):
        given, row = rows_of(asked, answers)
        skill = people.each[given.annotator]
        scores = people.scores(row, given.label, skill, len(asked.task))
        posterior = mixed(scores, machine)
    if use == VOTE:
        return MixedLabels(asked, posterior, machine)
    pool = world.pool[reading.has(world.pool)]
    bare = np.sort(pool[~np.isin(pool, asked.task)])
    alone = reading.of(bare)
    none = np.zeros(len(bare), dtype=np.int64)
    return MixedLabels(
        _joined(asked, LabelSet(bare, alone, alone, none)),
        np.concatenate([posterior, alone]),
        np.concatenate([machine, alone]),
    )


def _joined(first: LabelSet, second: LabelSet) -> LabelSet:
    both = (first, second)
    return LabelSet(
        np.concatenate([each.task for each in both]),
        np.concatenate([each.shares for each in both]),
        np.concatenate([each.posterior for each in both]),
        np.concatenate([each.answers for each in both]),
    )


def train_mixed(
    use: str, plan: LabelPlan, made: MixedLabels, answers: Answers, world: World
) -> Trained:
    """A model of mixed labels, each image with the same weight; its probabilities are calibrated.

    Args:
        use: the way to use the machine; seeds the folds, with the plan.
        plan: the plan.
        made: the labels.
        answers: people's answers.
        world: the study's world.
    """
    behind = answers if use != ALL else answers.where(np.zeros(len(answers), dtype=np.bool_))
    counts: Ints = made.labels.answers if use != ALL else np.zeros_like(made.labels.answers)
    labels = LabelSet(made.labels.task, made.posterior, made.posterior, counts)
    alike = np.ones(len(labels.task))
    rng = generator(world.config.seed, "machine folds", use, plan.key)
    model = train_head(labels, {MIXED: made.posterior}, made.posterior, alike, rng, world)
    prior = np.log(np.maximum(made.machine, 1e-12))
    trained = Trained(plan, labels, behind, made.posterior, model, prior)
    rng = generator(world.config.seed, "machine calibration", use, plan.key)
    return replace(trained, model=calibrated(trained, world, rng))


def needs_calibration(use: str) -> bool:
    """Whether a way to use a machine mixes it with people, and so needs to know its surety."""
    return use in (VOTE, BELOW)
