"""What a machine's labels are worth before they are bought: people's answers to the same use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from budget.money import Money
from budget.tariff import expected_cost
from hpo.settings.rows.machine import ALL, BELOW, OFF, VOTE
from hpo.trial.evaluate import score_on
from hpo.trial.versions.best import train_delivered
from hpo.trial.versions.machine.choice import MachineChoice, choose_use
from hpo.trial.versions.machine.pooled import (
    MOST_ANSWERS,
    SLOPE,
    SLOPE_SD,
    ceiling_of,
    pooled,
    ratio,
)
from hpo.trial.versions.machine.reading import machine_asked, machine_reading, pool_asked
from hpo.trial.world import World
from labeling.machine.people import people_of
from labeling.seeds import generator
from labeling.source import tariff_of
from labeling.types import Answers, Condition, Ints, LabelPlan, LabelSet

_ABOVE_CHANCE = 0.15  # accuracy above chance, from which it tells how fast a model learns
_NOISE = 0.05  # standard deviation of a difference of two ln errors on the same images


@dataclass(frozen=True, slots=True)
class MachineWorth:
    """What a machine's labels are worth beside people's.

    Attributes:
        each: what a label tells, of what a person's answer tells.
        ceiling: people's answers whose model is as good as one of the machine's labels can be.
        uses: ways to use the machine that may be chosen once it labelled the pool.
    """

    each: float
    ceiling: float
    uses: tuple[str, ...]

    @property
    def bears_part(self) -> bool:
        """Whether labels of a part of the pool can be used."""
        return BELOW in self.uses

    def value(self, people: float, machine: int, is_whole: bool) -> float:
        """People's answers whose model is as good as that of the labels, used in the best way.

        Args:
            people: people's answers.
            machine: the machine's labels.
            is_whole: whether these are of the whole pool.
        """
        ways = [people]
        if self.bears_part or (is_whole and VOTE in self.uses):
            ways.append(pooled(people, self.each * machine, self.ceiling))
        if is_whole and ALL in self.uses:
            ways.append(pooled(0.0, self.each * machine, self.ceiling))
        return max(ways)


@dataclass(frozen=True, slots=True, eq=False)
class MachineRest:
    """The machine's labels that a study has not bought.

    Attributes:
        bought: images of the pool that it was asked about.
        rows: images that it was not asked about: those of the pool first, those that people
            answered last among them, then those that tell how good it is.
        pool: how many of them are of the pool.
    """

    bought: int
    rows: Ints
    pool: int

    def cost(self, count: int, world: World) -> Money:
        """What the answers about the first images are expected to cost."""
        assert world.machine is not None  # noqa: S101 - else there is no rest
        machine = world.machine
        return machine.source.tariff.expected(count, machine.condition.price)


def machine_rest(labels: LabelSet | None, world: World) -> MachineRest:
    """What the machine was not asked about, in the sequence in which it is to be.

    Args:
        labels: labels of people's answers; None without any.
        world: the study's world.
    """
    assert world.machine is not None  # noqa: S101 - a study without one has no rest
    mixed = generator(world.config.seed, "machine rest").permutation(np.sort(world.machine.rows))
    rows = mixed[~np.isin(mixed, machine_asked(world))]
    of_pool = np.isin(rows, world.pool)
    answered = np.isin(rows, labels.task) if labels is not None else np.zeros(len(rows), bool)
    order = np.lexsort((answered, ~of_pool))
    return MachineRest(pool_asked(world), rows[order], int(of_pool.sum()))


def machine_worth(
    plan: LabelPlan, labels: LabelSet | None, answers: Answers | None, world: World
) -> MachineWorth | None:
    """What the machine's labels are worth, by what it and people answered so far.

    Args:
        plan: seeds the folds.
        labels: labels of people's answers; None without any.
        answers: the answers behind them.
        world: the study's world.

    Returns:
        The worth; None without a machine, or before it answered.
    """
    reading = machine_reading(world)
    if reading is None:
        return None
    classes = len(world.market.asked.classes)
    if labels is None or answers is None or not len(labels.task):
        nobody = np.zeros(0, dtype=np.int64)
        skill = people_of(nobody, nobody, classes).skill
        uses = tuple(use for use in (ALL,) if use in world.config.machine_use)
        return MachineWorth(ratio(reading.nats, skill, classes), MOST_ANSWERS, uses)
    choice = choose_use(plan, labels, answers, world)
    if choice is None:
        return None
    # Labels cannot be given back, and more of them can be bought later: so people are taken to
    # learn no slower than on photographs, however slowly their first labels seemed to.
    slope = max(SLOPE, slope_of(choice, plan, labels, answers, world)[0])
    owned = int(labels.answers.sum())
    ceiling = ceiling_of(owned, choice.arm(OFF).accuracy, reading, slope)
    return MachineWorth(ratio(reading.nats, choice.people.skill, classes), ceiling, choice.able)


def price_of_answer(condition: Condition, world: World) -> float:
    """Dollars that a person's answer to an image costs, with its share of control tasks and fee."""
    tariff = tariff_of(world.source, condition)
    each = expected_cost(tariff, 1, condition.reward).dollars
    return float(each / condition.real_per_assignment)


def slope_of(
    choice: MachineChoice, plan: LabelPlan, labels: LabelSet, answers: Answers, world: World
) -> tuple[float, float]:
    """How fast the error of a model of people's labels falls, and the standard deviation of that.

    It is measured on half of the labels, and shrunk.

    Args:
        choice: measured on the same labels.
        plan: seeds the folds.
        labels: labels of people's answers.
        answers: the answers behind them.
        world: the study's world.
    """
    rng = generator(world.config.seed, "half", str(len(labels.task)))
    half = np.zeros(len(labels.task), dtype=np.bool_)
    half[rng.permutation(len(half))[: len(half) // 2]] = True
    fewer = labels.where(half)
    behind = answers.where(answers.control | np.isin(answers.task, fewer.task))
    trained = train_delivered(plan, fewer, behind, world).trained
    before = score_on("validation", trained, world, redraws=0).accuracy
    if before < 1 / len(world.market.asked.classes) + _ABOVE_CHANCE:
        return SLOPE, SLOPE_SD
    errors = np.maximum(1 - np.array([before, choice.arm(OFF).accuracy]), 1e-3)
    seen = float(np.log(errors[0] / errors[1]) / np.log(2))
    trust = SLOPE_SD**2 / (SLOPE_SD**2 + (_NOISE / np.log(2)) ** 2)
    return max(0.0, SLOPE + trust * (seen - SLOPE)), SLOPE_SD * (1 - trust) ** 0.5
