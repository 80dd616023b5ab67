"""A machine's probabilities beside people's answers: one more voter, and whether it helps.

An answer is right with its annotator's skill, and a wrong one falls on the other classes as
people's mistakes do (`labeling.machine.people`). The machine's calibrated probabilities are the
prior. Nothing is mixed on trust: on control tasks, the labels of machine and person together must
beat the person's alone, by more than the noise of the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeling.aggregation.votes import softmax
from labeling.machine.calibration import FEWEST_CONTROLS, MachineQuality, calibrate
from labeling.machine.people import PeopleModel, people_of
from labeling.types import Floats, Ints

FEWEST_FOR_GAIN = 200
"""Control tasks below which a gain by mixing cannot be told from luck."""
AUDITED = 100
"""Images of which the machine is sure that also get a person's answer."""

_SURE = 1.64  # standard errors by which a gain must lie above 0, or agreement below what is due
_FOLDS = 5
# Measured on three answers each of 6,000 CIFAR-10N images and two machines: the largest of six.
_SHARED = 3.0  # mistakes of people that are the machine's, where both err, for each by chance
_TOGETHER = 0.106  # people are as much oftener right where the machine is


def mixed(scores: Floats, machine: Floats) -> Floats:
    """[n, C] probabilities of people's answers and a machine together.

    Args:
        scores: [n, C] log likelihood of the answers.
        machine: [n, C] the machine's calibrated probabilities.
    """
    return softmax(scores + np.log(np.maximum(machine, 1e-12)))


@dataclass(frozen=True, slots=True, eq=False)
class ControlAnswers:
    """Answers of people and a machine to control tasks.

    Attributes:
        said: [n, C] the machine's probabilities, prior corrected.
        truth: [n] true classes.
        row, label: [A] control task and class of each of people's answers.
        shares: [C] shares of the classes.
    """

    said: Floats
    truth: Ints
    row: Ints
    label: Ints
    shares: Floats

    @property
    def answered(self) -> Ints:
        """Control tasks that people answered."""
        return np.unique(self.row)

    def where(self, kept: Ints) -> ControlAnswers:
        """Some of the control tasks, by place."""
        place = np.full(len(self.truth), -1)
        place[kept] = np.arange(len(kept))
        mine = place[self.row] >= 0
        return ControlAnswers(
            self.said[kept], self.truth[kept], place[self.row[mine]], self.label[mine], self.shares
        )


@dataclass(frozen=True, slots=True)
class MixingGain:
    """What a machine's say adds to a person's answer, on control tasks that taught it nothing.

    Attributes:
        gain: share of labels that come right by it, less those that go wrong.
        error: its standard error.
        controls: control tasks compared.
    """

    gain: float
    error: float
    controls: int

    @property
    def is_sure(self) -> bool:
        """Whether there are enough control tasks, and the gain is beyond their noise."""
        return self.controls >= FEWEST_FOR_GAIN and self.gain > _SURE * self.error


def mixing_gain(controls: ControlAnswers, rng: np.random.Generator) -> MixingGain:
    """The paired gain of machine and person over person, cross-validated over control tasks.

    Args:
        controls: the answers.
        rng: deals the folds.
    """
    asked = controls.answered
    fold = rng.permutation(len(controls.truth)) % _FOLDS
    gain = np.zeros(len(controls.truth))
    for held in range(_FOLDS if len(asked) >= FEWEST_CONTROLS else 0):
        learned = controls.where(np.flatnonzero(fold != held))
        reading = calibrate(learned.said, learned.truth, controls.shares)
        theirs = learned.truth[learned.row]
        people = people_of(learned.label, theirs, controls.said.shape[1])
        mine = np.flatnonzero(fold[controls.row] == held)
        row, label = controls.row[mine], controls.label[mine]
        alone = np.full(len(mine), people.skill)
        scores = people.scores(np.arange(len(mine)), label, alone, len(mine))
        both = mixed(scores, reading.read(controls.said[row])).argmax(axis=1)
        truth = controls.truth[row]
        each = (both == truth).astype(float) - (label == truth)
        np.add.at(gain, row, each)
    count = np.bincount(controls.row, minlength=len(gain))
    mean = gain[asked] / np.maximum(count[asked], 1)
    error = float(mean.std(ddof=1) / np.sqrt(len(mean))) if len(mean) > 1 else np.inf
    return MixingGain(float(mean.mean()) if len(mean) else 0.0, error, len(asked))


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often people and a machine agree, beside what is due.

    Attributes:
        seen: share of answers that are the machine's.
        due: the share that is expected.
        error: standard error of the difference.
        answers: number of answers.
    """

    seen: float
    due: float
    error: float
    answers: int

    @property
    def is_too_low(self) -> bool:
        """Whether people agree less than the machine's surety promises."""
        return self.answers > 0 and self.seen < self.due - _SURE * self.error

    @property
    def is_too_high(self) -> bool:
        """Whether people agree more than independent answers could."""
        return self.answers > 0 and self.seen > self.due + _SURE * self.error


def audit(
    sure: Floats, said: Ints, label: Ints, annotator: Ints, people: PeopleModel, controls: int
) -> Agreement:
    """Whether people confirm labels of which a machine is sure.

    What is due is an estimate itself: from people's control answers, and from the machine's on the
    control tasks of which it is sure. Of audits of honest machines, 5 % at most find too little.

    Args:
        sure: [A] calibrated probability of the machine's class, of each answer's image.
        said: [A] the machine's class.
        label: [A] the answers.
        annotator: [A] who gave each.
        people: how people answer.
        controls: control tasks of which the machine is as sure.
    """
    shared = _shared(len(people.mistakes))
    due = sure * people.skill + (1 - sure) * (1 - people.skill) * shared
    if not len(label):
        return Agreement(0.0, 0.0, 0.0, 0)
    agrees, right = (said == label).astype(float), float(sure.mean())
    of_answers = float((due * (1 - due)).sum()) / len(due) ** 2
    of_answers = max(of_answers, _of_people(agrees, annotator))
    of_skill = (right - (1 - right) * shared) ** 2 * people.error**2
    of_machine = people.skill**2 * right * (1 - right) / max(1, controls)
    error = float(np.sqrt(of_answers + of_skill + of_machine))
    return Agreement(float(agrees.mean()), float(due.mean()), error, len(label))


def agreement(
    said: Ints, label: Ints, annotator: Ints, machine: MachineQuality, people: PeopleModel
) -> Agreement:
    """Whether people agree with a machine more than their answers to control tasks allow.

    Independent people and a machine agree where both are right, and where both make the same
    mistake. Both numbers are bounded from above as measured on real people and machines.

    Args:
        said: [A] the machine's class of each answer's image.
        label: [A] the answers.
        annotator: [A] who gave each: answers of one person stand and fall together.
        machine: how good it is.
        people: how people answer.
    """
    skill, right = people.skill, machine.accuracy
    both = right * skill + right * (1 - right) * _TOGETHER
    neither = max(0.0, 1 - right - skill + both)
    due = min(1.0, both + neither * _shared(len(people.mistakes)))
    agrees = (said == label).astype(float)
    of_skill = right**2 * people.error**2
    of_machine = skill**2 * right * (1 - right) / max(1, machine.images)
    error = float(np.sqrt(_of_people(agrees, annotator) + of_skill + of_machine))
    return Agreement(float(agrees.mean()), due, error, len(label))


def _of_people(agrees: Floats, annotator: Ints) -> float:
    """Variance of a mean over answers; those of one annotator stand and fall together."""
    people, code = np.unique(annotator, return_inverse=True)
    off = np.bincount(code, agrees - agrees.mean(), len(people))
    return float((off**2).sum()) / max(1, len(agrees)) ** 2


def _shared(classes: int) -> float:
    """Probability that a person's mistake is the machine's, where both err."""
    return min(1.0, _SHARED / (classes - 1))
