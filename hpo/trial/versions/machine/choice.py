"""Which way to use a machine: each is measured on validation images, and off always is.

A way that mixes people and machine needs calibration. Where few validation images tell models
apart, machine and person together must beat the person on control tasks. And people must confirm
the labels of which the machine is sure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpo.settings.rows.machine import ALL, BELOW, OFF, USES, VOTE
from hpo.trial.evaluate import digest, score_on
from hpo.trial.model.trained import Trained
from hpo.trial.versions.best import LabelModel, train_delivered
from hpo.trial.versions.machine.arms import (
    MixedLabels,
    mixed_labels,
    needs_calibration,
    people_in,
    train_mixed,
)
from hpo.trial.versions.machine.pooled import SLOPE, ceiling_of, pooled, ratio
from hpo.trial.versions.machine.reading import MachineReading, machine_reading, pool_asked
from hpo.trial.world import World
from labeling.aggregation.agreed import rows_of
from labeling.machine.calibration import FEWEST_CONTROLS
from labeling.machine.mixing import (
    FEWEST_FOR_GAIN,
    Agreement,
    MixingGain,
    agreement,
    audit,
    mixing_gain,
)
from labeling.machine.people import PeopleModel
from labeling.seeds import generator
from labeling.types import Answers, LabelPlan, LabelSet


@dataclass(frozen=True, slots=True, eq=False)
class MachineArm:
    """A way to use the machine, on the answers owned.

    Attributes:
        use: one of `USES`.
        accuracy: of its model on validation images; nan where it was not trained.
        refused: why it is not to be chosen; "" where it may be.
        trained: its model; None where it was not trained.
        made: its labels; None for off, and where it was not trained.
    """

    use: str
    accuracy: float
    refused: str = ""
    trained: Trained | None = None
    made: MixedLabels | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MachineChoice:
    """What was measured of a machine, and the way to use it.

    Attributes:
        arms: all ways, `OFF` first.
        best: the one to use.
        off: the model and the labels of people alone.
        people: how people answer.
        gain: what the machine adds to a person's answer; None where nobody answered controls.
        audit: how far people confirm labels of which the machine is sure; None where it is not
            calibrated.
        pasted: how far people agree with the machine at all; None where nobody answered controls.
        able: ways that could be chosen, had the machine labelled the pool.
    """

    arms: tuple[MachineArm, ...]
    best: MachineArm
    off: LabelModel
    people: PeopleModel
    gain: MixingGain | None
    audit: Agreement | None
    pasted: Agreement | None
    able: tuple[str, ...] = ()

    def arm(self, use: str) -> MachineArm:
        """The arm of a way to use the machine."""
        return next(arm for arm in self.arms if arm.use == use)


def choose_use(
    plan: LabelPlan, labels: LabelSet, answers: Answers, world: World
) -> MachineChoice | None:
    """Measure the ways to use the study's machine on the answers owned, and take the best.

    Args:
        plan: seeds the folds.
        labels: labels of people's answers.
        answers: the answers behind them.
        world: the study's world.

    Returns:
        The choice; None without a machine.
    """
    reading = machine_reading(world)
    if reading is None:
        return None
    key = ("use", world.config, plan, reading.count, digest(labels, answers))
    kept = world.computed.tests
    if key not in kept:
        world.computed.keep(kept, key, _choose(plan, labels, answers, reading, world))
    choice: MachineChoice = kept[key]
    return choice


def _choose(
    plan: LabelPlan, labels: LabelSet, answers: Answers, reading: MachineReading, world: World
) -> MachineChoice:
    off = train_delivered(plan, labels, answers, world)
    people = people_in(answers, off.best, world)
    gain, audited, pasted = _evidence(labels, answers, people, reading, world)
    arms = [MachineArm(OFF, _measured(off.trained, world), trained=off.trained)]
    able: list[str] = []
    for use in USES[1:]:
        refused = _refusal(use, reading, gain, audited, world)
        if use not in world.config.machine_use or (refused and reading.read is None):
            arms.append(MachineArm(use, float("nan"), refused or "it is not among --machine-use"))
            continue
        able += [] if refused else [use]
        if (lacking := _lacking(use, reading, world)) != "":
            arms.append(MachineArm(use, float("nan"), lacking))
            continue
        made = mixed_labels(use, labels, answers, people, reading, world)
        trained = train_mixed(use, plan, made, answers, world)
        arms.append(MachineArm(use, _measured(trained, world), refused, trained, made))
    adds = _adds(arms[0].accuracy, labels, people, reading, world)
    best = best_arm([arm for arm in arms if not arm.refused], world, adds)
    return MachineChoice(tuple(arms), best, off, people, gain, audited, pasted, tuple(able))


def best_arm(able: list[MachineArm], world: World, adds: bool) -> MachineArm:
    """The way whose model is best on validation images; the first of equals, so off before others.

    `BELOW` has the labels of `OFF` and `VOTE`, and the machine's besides. With four recorded
    machines and one answer to 2,500 of 4,000 images its model was .2 to 1.7 points better than a
    vote's. So these have to be better beyond the noise of the images: a vote always, and off where
    the machine's labels are expected to add something.

    Args:
        able: ways that may be chosen, off among them.
        world: the study's world.
        adds: whether the machine's labels are expected to add something to people's.
    """
    best = max(able, key=lambda arm: arm.accuracy)
    more = next((arm for arm in able if arm.use == BELOW), None)
    owes = best.use == VOTE or (best.use == OFF and adds)
    if not owes or more is None or best.trained is None or more.trained is None:
        return best
    values = world.features.values[world.data.rows["validation"]]
    first, second = (each.model.predict(values).argmax(1) for each in (best.trained, more.trained))
    noise = float(np.sqrt((first != second).mean() / len(values)))
    if best.accuracy - more.accuracy > noise:
        return best
    return best_arm([arm for arm in able if arm is not best], world, adds)


def _adds(
    accuracy: float, labels: LabelSet, people: PeopleModel, reading: MachineReading, world: World
) -> bool:
    """Whether the machine's labels are expected to make a model of people's labels better.

    Args:
        accuracy: of the model of people's labels.
        labels: people's.
        people: how they answer.
        reading: the machine's.
        world: the study's world.
    """
    answers = int(labels.answers.sum())
    told = ratio(reading.nats, people.skill, len(world.market.asked.classes)) * pool_asked(world)
    ceiling = ceiling_of(max(1, answers), accuracy, reading, SLOPE)
    return pooled(answers, told, ceiling) > answers


def _measured(trained: Trained, world: World) -> float:
    return score_on("validation", trained, world, redraws=0).accuracy


def _evidence(
    labels: LabelSet,
    answers: Answers,
    people: PeopleModel,
    reading: MachineReading,
    world: World,
) -> tuple[MixingGain | None, Agreement | None, Agreement | None]:
    """The gain by mixing on controls, the audit of sure labels, and agreement in all."""
    controls = reading.controls(answers, world.data.truth)
    asked = labels.where(reading.has(labels.task))
    given, row = rows_of(asked, answers)
    machine = reading.of(asked.task)
    said = machine.argmax(axis=1)[row]
    audited = None
    if reading.read is not None:
        sure = machine.max(axis=1)[row]
        mine = sure >= people.skill
        known = reading.of(world.data.rows["control"]).max(axis=1) >= people.skill
        theirs = given.where(mine)
        audited = audit(
            sure[mine], said[mine], theirs.label, theirs.annotator, people, int(known.sum())
        )
    if not len(controls.row):
        return None, audited, None
    rng = generator(world.config.seed, "machine gain")
    pasted = (
        agreement(said, given.label, given.annotator, reading.quality, people)
        if len(said)
        else None
    )
    return mixing_gain(controls, rng), audited, pasted


def _lacking(use: str, reading: MachineReading, world: World) -> str:
    """Why the machine's answers are too few for a way to use it; "" where they are not."""
    bought = pool_asked(world)
    is_enough = bought == len(world.pool) if use == ALL else reading.has(world.pool).any()
    return "" if is_enough else f"the machine was asked about {bought:,} images of the pool"


def _refusal(
    use: str,
    reading: MachineReading,
    gain: MixingGain | None,
    audited: Agreement | None,
    world: World,
) -> str:
    """Why a way to use the machine may not be chosen; "" where it may."""
    if not needs_calibration(use):
        return ""
    if reading.read is None:
        return f"fewer than {FEWEST_CONTROLS} control tasks: the machine's surety cannot be judged"
    judged = int(world.data.known[world.data.rows["validation"]].sum())
    if (reason := _unproven(gain, judged)) != "":
        return reason
    if use == BELOW and audited is not None and audited.is_too_low:
        return (
            f"people agree with {100 * audited.seen:.0f} % of the labels of which the machine is "
            f"sure, and {100 * audited.due:.0f} % are due ({audited.answers} answers)"
        )
    return ""


def _unproven(gain: MixingGain | None, judged: int) -> str:
    """Why people and machine may not be mixed; "" where it is for validation images to say.

    Args:
        gain: by the machine on control tasks; None where nobody answered them.
        judged: validation images of known class. Few do not tell a better model from a lucky one;
            then control tasks must show the gain.
    """
    if judged >= FEWEST_FOR_GAIN:
        return ""
    if gain is None or gain.controls < FEWEST_FOR_GAIN:
        count = 0 if gain is None else gain.controls
        return (
            f"people answered {count} of the {FEWEST_FOR_GAIN} control tasks that a comparison "
            "of machine and person needs"
        )
    if gain.is_sure:
        return ""
    return (
        f"on {gain.controls} control tasks the machine adds {100 * gain.gain:+.1f} points to "
        f"a person's answer, with a standard error of {100 * gain.error:.1f}: not sure enough"
    )
