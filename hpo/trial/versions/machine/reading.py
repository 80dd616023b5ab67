"""What a study's machine says of its images, corrected and calibrated on control tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpo.trial.world import World
from labeling.machine.calibration import (
    FEWEST_CONTROLS,
    MachineQuality,
    calibrate,
    class_shares,
    nats_of_coin,
    nats_told,
    prior_corrected,
    quality_of,
)
from labeling.machine.mixing import ControlAnswers
from labeling.seeds import generator
from labeling.types import Answers, Bools, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class MachineReading:
    """A machine's answers as they are to be used.

    Attributes:
        place: [n] place of each image of the study among the answers, by row; -1 without one.
        said: [m, C] probabilities, class shares corrected on the pool.
        read: [m, C] the same, calibrated on control tasks; None where there are too few.
        shares: [C] shares of the classes.
        quality: how good its labels are, on images whose class is known.
        nats: what an answer tells of an image's class.
    """

    place: Ints
    said: Floats
    read: Floats | None
    shares: Floats
    quality: MachineQuality
    nats: float

    @property
    def count(self) -> int:
        """Images that it answered about."""
        return len(self.said)

    def has(self, tasks: Ints) -> Bools:
        """[N] whether the machine answered about images."""
        return np.asarray(self.place[tasks] >= 0)

    def of(self, tasks: Ints) -> Floats:
        """[N, C] its probabilities: calibrated, else its labels as they are.

        Without enough control tasks nothing is known of its surety, so each label counts whole.
        Of an image that it did not answer about, it tells the shares of the classes.
        """
        at = self.place[tasks]
        told = self.read
        if told is None:
            told = np.eye(self.said.shape[1])[self.said.argmax(axis=1)]
        return np.where((at >= 0)[:, None], told[at], self.shares)

    def controls(self, answers: Answers, truth: Ints) -> ControlAnswers:
        """Its answers and people's to control tasks.

        Args:
            answers: people's answers.
            truth: [n] class code of each image of the study.
        """
        told = answers.where(answers.usable & answers.control & self.has(answers.task))
        tasks, row = np.unique(told.task, return_inverse=True)
        return ControlAnswers(
            self.said[self.place[tasks]], truth[tasks], row, told.label, self.shares
        )


def machine_reading(world: World) -> MachineReading | None:
    """The study's machine, as it is to be read; None without one, or before it answered."""
    if world.machine is None:
        return None
    answers = world.store.answers(world.machine.condition)
    rows = np.sort(answers.task[answers.usable])
    if not len(rows):
        return None
    key = ("machine", world.machine.condition.key, len(rows))
    kept = world.computed.tests
    if key not in kept:
        kept[key] = _reading(rows, world)
    reading: MachineReading = kept[key]
    return reading


def machine_asked(world: World) -> Ints:
    """Images that the study's machine was asked about, whether or not it answered."""
    assert world.machine is not None  # noqa: S101 - a study without one asks nothing of it
    return np.array(list(world.store.owned_target(world.machine.condition)), dtype=np.int64)


def pool_asked(world: World) -> int:
    """How many images of the pool the study's machine was asked about."""
    return int(np.isin(world.pool, machine_asked(world)).sum())


def _reading(rows: Ints, world: World) -> MachineReading:
    assert world.machine is not None  # noqa: S101 - `machine_reading` asked
    data, classes = world.data, len(world.market.asked.classes)
    raw = world.machine.source.said(rows.tolist(), classes)
    controls = np.isin(rows, data.rows["control"])
    shares = class_shares(data.truth[rows[controls]], classes)
    pool = np.isin(rows, data.rows["pool"])
    # Where little of the pool was bought, all that the machine answered about stands for it.
    said = prior_corrected(raw, shares, raw[pool] if pool.sum() >= len(rows) / 2 else raw)
    read, nats = None, None
    if controls.sum() >= FEWEST_CONTROLS:
        told, truth = said[controls], data.truth[rows[controls]]
        read = calibrate(told, truth, shares).read(said)
        nats = nats_told(told, truth, shares, generator(world.config.seed, "machine nats"))
    known = controls | (np.isin(rows, data.rows["validation"]) & data.known[rows])
    place = np.full(len(data.truth), -1)
    place[rows] = np.arange(len(rows))
    quality = quality_of(said[known], data.truth[rows[known]])
    nats = nats_of_coin(quality.accuracy, classes) if nats is None else nats
    return MachineReading(place, said, read, shares, quality, nats)
