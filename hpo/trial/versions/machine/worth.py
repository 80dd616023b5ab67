"""What a machine's labels are worth before they are bought: people's answers to the same use.

People's labels err at random, and a model of n of them has an error of about n to the power of
minus a slope: 1 / n stands for its noise. A machine's label tells r times as much as a person's
answer, in nats. But a machine errs alike on images that are alike, which no number of labels
averages out: a model of its labels alone is no better than the machine. So its labels have a bias,
1 / K, where people's K answers train a model as good as the machine. Both learned together:

    1 / value = 1 / (n + r m) + (r m / (n + r m))^2 / K

On 4,080 images of CIFAR-10N with two machines this followed the models' accuracies: the weaker
machine was best at 500 to 1,000 labels where a person's answer cost 3.3 times as much, at all of
them where it cost 33 times as much; the better one always at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from budget.money import Money
from budget.tariff import expected_cost
from hpo.settings.rows.machine import ALL, BELOW, OFF, VOTE
from hpo.trial.evaluate import score_on
from hpo.trial.versions.best import train_delivered
from hpo.trial.versions.machine.choice import MachineChoice, choose_use
from hpo.trial.versions.machine.reading import machine_asked, machine_reading, pool_asked
from hpo.trial.world import World
from labeling.machine.calibration import nats_of_coin
from labeling.machine.people import people_of
from labeling.seeds import generator
from labeling.source import tariff_of
from labeling.types import Answers, Condition, Ints, LabelPlan, LabelSet

_SLOPE, _SLOPE_SD = 0.2, 0.1  # of ln error per ln answers: .15 on photographs, .47 on digits
_ABOVE_CHANCE = 0.15  # accuracy above chance, from which it tells how fast a model learns
_NOISE = 0.05  # standard deviation of a difference of two ln errors on the same images
_MOST_ANSWERS = 1e9  # that a machine's accuracy stands for
_TAUGHT = 1.08  # error of a model of a machine's labels for each error of the machine, on patches


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
            ways.append(self._pooled(people, machine))
        if is_whole and ALL in self.uses:
            ways.append(self._pooled(0.0, machine))
        return max(ways)

    def _pooled(self, people: float, machine: int) -> float:
        told = self.each * machine
        total = max(people + told, 1e-9)
        return 1 / (1 / total + (told / total) ** 2 / self.ceiling)


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
        return MachineWorth(_ratio(reading.nats, skill, classes), _MOST_ANSWERS, uses)
    choice = choose_use(plan, labels, answers, world)
    if choice is None:
        return None
    # Labels cannot be given back, and more of them can be bought later: so people are taken to
    # learn no slower than on photographs, however slowly their first labels seemed to.
    slope = max(_SLOPE, slope_of(choice, plan, labels, answers, world)[0])
    people = max(1 - choice.arm(OFF).accuracy, 1e-3)
    machine = max(_TAUGHT * (1 - reading.quality.accuracy), 1e-3)
    log = np.log(labels.answers.sum()) + np.log(people / machine) / slope
    ceiling = float(np.exp(np.clip(log, 0.0, np.log(_MOST_ANSWERS))))
    return MachineWorth(_ratio(reading.nats, choice.people.skill, classes), ceiling, choice.able)


def _ratio(nats: float, skill: float, classes: int) -> float:
    return nats / max(nats_of_coin(skill, classes), 1e-3)


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
        return _SLOPE, _SLOPE_SD
    errors = np.maximum(1 - np.array([before, choice.arm(OFF).accuracy]), 1e-3)
    seen = float(np.log(errors[0] / errors[1]) / np.log(2))
    trust = _SLOPE_SD**2 / (_SLOPE_SD**2 + (_NOISE / np.log(2)) ** 2)
    return max(0.0, _SLOPE + trust * (seen - _SLOPE)), _SLOPE_SD * (1 - trust) ** 0.5
