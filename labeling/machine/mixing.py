"""A machine's probabilities beside people's answers: one more voter, and whether it helps.

People are one coin with a confusion: an answer is right with its annotator's skill, and a wrong one
falls on the other classes as people's mistakes do. The machine's calibrated probabilities are the
prior. Nothing is mixed on trust: on control tasks, the labels of machine and person together must
beat the person's alone, by more than the noise of the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeling.aggregation.votes import softmax
from labeling.machine.calibration import FEWEST_CONTROLS, MachineQuality, calibrate
from labeling.types import Floats, Ints

FEWEST_FOR_GAIN = 200
"""Control tasks below which a gain by mixing cannot be told from luck."""
AUDITED = 100
"""Images of which the machine is sure that also get a person's answer."""

_SURE = 1.64  # standard errors by which a gain must lie above 0, or agreement below what is due
_FOLDS = 5
_COIN = 30.0  # answers that the one-coin model counts for beside people's mistakes
_PRIOR_SKILL, _PRIOR_ANSWERS = 0.8, 4.0
# Measured on three answers each of 6,000 CIFAR-10N images and two machines: the largest of six.
_SHARED = 3.0  # mistakes of people that are the machine's, where both err, for each by chance
_TOGETHER = 0.106  # people are as much oftener right where the machine is


@dataclass(frozen=True, slots=True, eq=False)
class PeopleModel:
    """How people answer.

    Attributes:
        skill: share of right answers.
        mistakes: [C, C] where wrong answers fall, by true class; rows sum to 1, the diagonal is 0.
    """

    skill: float
    mistakes: Floats

    def scores(self, row: Ints, label: Ints, skill: Floats, count: int) -> Floats:
        """[n, C] log likelihood of the answers to each of n images, by its true class.

        Args:
            row: [A] place of each answer's image.
            label: [A] the answers.
            skill: [A] probability that each is right.
            count: number of images n.
        """
        classes = len(self.mistakes)
        skill = np.clip(skill, 1 / classes, 0.999)
        said = np.log((1 - skill)[:, None] * np.maximum(self.mistakes[:, label].T, 1e-4))
        said[np.arange(len(label)), label] = np.log(skill)
        total = np.zeros((count, classes))
        np.add.at(total, row, said)
        return total


def people_of(label: Ints, truth: Ints, classes: int) -> PeopleModel:
    """How people answer, from answers to control tasks; shrunk to one coin.

    Args:
        label: [A] the answers.
        truth: [A] true class of each.
        classes: number of classes.
    """
    right = label == truth
    skill = (float(right.sum()) + _PRIOR_ANSWERS * _PRIOR_SKILL) / (len(label) + _PRIOR_ANSWERS)
    even = (1 - np.eye(classes)) / (classes - 1)
    counts = np.zeros((classes, classes))
    np.add.at(counts, (truth[~right], label[~right]), 1.0)
    weight = _COIN * (1 - skill)
    mistakes = (counts + weight * even) / (counts.sum(axis=1, keepdims=True) + weight)
    return PeopleModel(skill, mistakes)


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


def audit(sure: Floats, said: Ints, label: Ints, people: PeopleModel) -> Agreement:
    """Whether people confirm labels of which a machine is sure.

    Args:
        sure: [A] calibrated probability of the machine's class, of each answer's image.
        said: [A] the machine's class.
        label: [A] the answers.
        people: how people answer.
    """
    shared = _shared(len(people.mistakes))
    due = sure * people.skill + (1 - sure) * (1 - people.skill) * shared
    spread = float(np.sqrt((due * (1 - due)).sum())) / max(1, len(due))
    seen = float((said == label).mean()) if len(label) else 0.0
    return Agreement(seen, float(due.mean()) if len(due) else 0.0, spread, len(label))


def agreement(
    said: Ints, label: Ints, annotator: Ints, machine: MachineQuality, controls: ControlAnswers
) -> Agreement:
    """Whether people agree with a machine more than their answers to control tasks allow.

    Independent people and a machine agree where both are right, and where both make the same
    mistake. Both numbers are bounded from above as measured on real people and machines.

    Args:
        said: [A] the machine's class of each answer's image.
        label: [A] the answers.
        annotator: [A] who gave each: answers of one person stand and fall together.
        machine: how good it is.
        controls: answers to control tasks.
    """
    skill = float((controls.label == controls.truth[controls.row]).mean())
    right = machine.accuracy
    both = right * skill + right * (1 - right) * _TOGETHER
    neither = max(0.0, 1 - right - skill + both)
    due = min(1.0, both + neither * _shared(controls.said.shape[1]))
    agrees = (said == label).astype(float)
    people, code = np.unique(annotator, return_inverse=True)
    off = np.bincount(code, agrees - agrees.mean(), len(people))
    of_people = float((off**2).sum()) / max(1, len(label)) ** 2
    of_skill = right**2 * skill * (1 - skill) / max(1, len(controls.answered))
    of_machine = skill**2 * right * (1 - right) / max(1, machine.images)
    error = float(np.sqrt(of_people + of_skill + of_machine))
    return Agreement(float(agrees.mean()), due, error, len(label))


def _shared(classes: int) -> float:
    """Probability that a person's mistake is the machine's, where both err."""
    return min(1.0, _SHARED / (classes - 1))
