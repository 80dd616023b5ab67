"""Answers: one annotator's answers to the tasks of one suite, and the working time."""

from __future__ import annotations

import math

import numpy as np

from labeling.crowd.people.items import Items, confusion_steps, draw_wrong
from labeling.crowd.people.people import (
    CARELESS,
    SPAM_COLLUDE,
    SPAM_PASTE,
    SPAM_RANDOM,
    SPAM_SAME,
)
from labeling.crowd.scenario import Scenario
from labeling.seeds import stream
from labeling.types import Floats, Ints

CHANCES = 4  # uniform numbers used per answer


def blind_labels(kind: int, favourite: float, classes: int, ring: Ints, chance: Floats) -> Ints:
    """Answers of a spammer to a suite.

    Args:
        kind: one of the SPAM_ kinds.
        favourite: the annotator's number in [0, 1); it decides the answer of SPAM_SAME.
        classes: number of answers to choose from.
        ring: [n] the answers that spammers of this kind share.
        chance: [n, CHANCES] uniform numbers.
    """
    if kind == SPAM_RANDOM:
        return (chance[:, 0] * classes).astype(np.int64)
    if kind in (SPAM_COLLUDE, SPAM_PASTE):
        return ring
    pick = favourite if kind == SPAM_SAME else float(chance[0, 0])
    return np.full(len(ring), int(pick * classes), dtype=np.int64)


def guess(labels: Ints, share: float, classes: int, chance: Floats) -> None:
    """Replace a share of the answers by blind guesses, in place."""
    guessed = np.flatnonzero(chance[:, 3] < share)
    # A uniform number below the share is uniform again once rescaled: no further draw is needed.
    again = chance[guessed, 3] / max(share, 1e-12)
    labels[guessed] = (again * classes).astype(np.int64)


class AnswerModel:
    """Answers of annotators of each kind; the price plays no part.

    An annotator who tries answers item i rightly with probability
    sigmoid(logit(1 - error_i) + skill). A wrong answer is the item's own distractor with
    probability `distractor_share`, else a class drawn by confusion. The machine whose answers some
    spammers paste answers each item once, in the same way.

    Args:
        scenario: the crowd.
        items: truth, difficulty and distractor of every row.
        classes: number of classes of the question.
        rng: draws the answers that colluding spammers share.
        machine: draws the machine's answers.
    """

    def __init__(
        self,
        scenario: Scenario,
        items: Items,
        classes: int,
        rng: np.random.Generator,
        machine: np.random.Generator,
    ) -> None:
        self._scenario = scenario
        self._truth = items.truth
        self._distractor = items.distractor
        self._mean_error = float(items.error.mean()) if len(items) else 0.0
        self._logit, self._slow = self._hardness(items)
        self._steps = confusion_steps(scenario, classes)
        self._classes = classes
        self._rng = rng
        self._ring = rng.integers(0, classes, len(items))
        self._machine_rng = machine
        self._pasted = self._by_machine(np.arange(len(items)))

    def extend(self, items: Items) -> None:
        """Append items."""
        logit, slow = self._hardness(items)
        ring = self._rng.integers(0, self._classes, len(items))
        self._truth = np.concatenate((self._truth, items.truth))
        self._distractor = np.concatenate((self._distractor, items.distractor))
        self._logit = np.concatenate((self._logit, logit))
        self._slow = np.concatenate((self._slow, slow))
        self._ring = np.concatenate((self._ring, ring))
        new = np.arange(len(self._pasted), len(self._ring))
        self._pasted = np.concatenate((self._pasted, self._by_machine(new)))

    def _by_machine(self, rows: Ints) -> Ints:
        """The machine's answers to rows, drawn once."""
        chance = self._machine_rng.random((len(rows), CHANCES))
        return self._tried(self._scenario.machine_skill, rows, chance)

    def _hardness(self, items: Items) -> tuple[Floats, Floats]:
        """Logits of a right answer at skill 0, and the factor on working time."""
        error = np.clip(items.error, 1e-9, 1 - 1e-9)
        above = items.error - self._mean_error
        logit: Floats = np.log((1 - error) / error)
        return logit, np.maximum(0.1, 1 + self._scenario.slow_on_hard * above)

    def labels(
        self, kind: int, skill: float, favourite: float, tasks: Ints, chance: Floats
    ) -> Ints:
        """Answers to a suite.

        Args:
            kind: the annotator's kind.
            skill: theta in this suite, logits.
            favourite: the annotator's number in [0, 1); it decides the answer of SPAM_SAME.
            tasks: [n] rows of the tasks.
            chance: [n, CHANCES] uniform numbers.

        Returns:
            [n] class indices.
        """
        if kind > CARELESS:
            shared = self._pasted if kind == SPAM_PASTE else self._ring
            return blind_labels(kind, favourite, self._classes, shared[tasks], chance)
        labels = self._tried(skill, tasks, chance)
        if kind == CARELESS:
            guess(labels, self._scenario.careless_guess, self._classes, chance)
        return labels

    def _tried(self, skill: float, tasks: Ints, chance: Floats) -> Ints:
        """Answers of somebody who looks at the images."""
        labels = self._truth[tasks]
        correct = 1 / (1 + np.exp(-(self._logit[tasks] + skill)))
        wrong = np.flatnonzero(chance[:, 0] >= correct)
        if len(wrong):
            rows = tasks[wrong]
            other = draw_wrong(self._truth[rows], chance[wrong, 2], self._steps)
            own = chance[wrong, 1] < self._scenario.distractor_share
            labels[wrong] = np.where(own, self._distractor[rows], other)
        return labels

    def skill_now(self, skill: float, done: int) -> float:
        """Theta after a number of suites done; learning raises it, fatigue lowers it."""
        s = self._scenario
        if s.learning:
            skill -= s.learning * 0.5**done
        if s.fatigue:
            skill -= min(1.0, s.fatigue * done)
        return skill

    def seconds(self, kind: int, pace: float, tasks: Ints, done: int, normal: float) -> float:
        """Working time of a suite, lognormal around the annotator's pace.

        Annotators who try take longer for hard items. Careless annotators and spammers have a fast
        pace of their own, whatever the items.
        """
        s = self._scenario
        # Each doubling of the suites done saves the share `speed_up`: time goes with a power.
        effort = float(self._slow[tasks].sum()) if kind < CARELESS else float(len(tasks))
        practice = (1 + done) ** math.log2(1 - min(s.speed_up, 0.99)) if done else 1.0
        return max(0.1, pace * effort * practice * math.exp(s.seconds_within * normal))


def answer_model(
    scenario: Scenario, items: Items, classes: int, seed: int, key: str
) -> AnswerModel:
    """The answers in one pool; the machine answers an image alike in all pools of a study.

    Args:
        scenario: the crowd.
        items: truth, difficulty and distractor of every row.
        classes: number of classes of the question.
        seed: the study's seed.
        key: the pool's key.
    """
    ring, machine = stream(seed, key, "ring"), stream(seed, "machine")
    return AnswerModel(scenario, items, classes, ring, machine)
