"""Opinions: answers to a subjective question, which has no true answer.

Every item has an appeal, every annotator a taste. Each answer c after the first has the utility
appeal[i, c] + taste[p, c], in logits against the first answer. The softmax of the utilities gives
the chance that annotator p gives answer c to item i. So annotators who try differ, by taste and by
chance, and no control task can tell them from spammers, who answer blindly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labeling.crowd.people.answers import blind_labels, guess
from labeling.crowd.people.people import CARELESS
from labeling.crowd.scenario import Scenario
from labeling.seeds import stream
from labeling.types import Floats, Ints

_SEEN = 0.7  # share of the appeal's variance that follows the features


@dataclass(frozen=True, slots=True)
class Opinions:
    """The appeal of items.

    Attributes:
        appeal: [n, C] mean utility of each answer on each item, logits; 0 in the first column.
    """

    appeal: Floats

    def __len__(self) -> int:
        return len(self.appeal)


def make_opinions(scenario: Scenario, rows: int, classes: int, seed: int, name: str) -> Opinions:
    """Draw the appeal of items: normal, independent between items and answers.

    Args:
        scenario: the crowd.
        rows: number of items n.
        classes: number of answers C.
        seed: the study's seed.
        name: the question's name.
    """
    normal = stream(seed, "opinions", name).standard_normal((rows, classes))
    appeal = scenario.appeal_mean + scenario.appeal_sd * normal
    appeal[:, 0] = 0.0
    return Opinions(appeal)


def opinions_from_features(
    scenario: Scenario, features: ArrayLike, classes: int, seed: int, name: str
) -> Opinions:
    """Appeal that follows the images' features in part, so that a model can learn it.

    Each answer's appeal mixes a standardised random direction in feature space with a draw of its
    own; the features account for `_SEEN` of its variance [G]. Mean and spread stay the scenario's.

    Args:
        scenario: the crowd.
        features: [n, D] features of the images.
        classes: number of answers C.
        seed: the study's seed.
        name: the question's name.
    """
    x = np.asarray(features, dtype=np.float64)
    x = x - x.mean(axis=0)
    draw = stream(seed, "opinions", name, "direction")
    along = x @ draw.standard_normal((x.shape[1], classes))
    along /= np.maximum(along.std(axis=0), 1e-12)
    own = draw.standard_normal((len(x), classes))
    appeal = scenario.appeal_mean + scenario.appeal_sd * (
        np.sqrt(_SEEN) * along + np.sqrt(1 - _SEEN) * own
    )
    appeal[:, 0] = 0.0
    return Opinions(appeal)


class OpinionModel:
    """Answers of annotators of each kind to a subjective question."""

    def __init__(self, scenario: Scenario, opinions: Opinions, rng: np.random.Generator) -> None:
        self._weight = np.exp(opinions.appeal)
        self._taste_sd = scenario.taste_sd
        self._guess = scenario.careless_guess
        self.classes = int(opinions.appeal.shape[1])
        self._rng = rng
        self._ring = rng.integers(0, self.classes, len(opinions))

    def extend(self, opinions: Opinions) -> None:
        """Append items."""
        ring = self._rng.integers(0, self.classes, len(opinions))
        self._weight = np.concatenate((self._weight, np.exp(opinions.appeal)))
        self._ring = np.concatenate((self._ring, ring))

    def taste(self, rng: np.random.Generator) -> Floats:
        """An annotator's own utilities [C]."""
        taste = self._taste_sd * rng.standard_normal(self.classes)
        taste[0] = 0.0
        return taste

    def labels(
        self, kind: int, taste: Floats, favourite: float, tasks: Ints, chance: Floats
    ) -> Ints:
        """Answers to a suite.

        Args:
            kind: the annotator's kind.
            taste: [C] the annotator's own utilities.
            favourite: the annotator's number in [0, 1); it decides the answer of SPAM_SAME.
            tasks: [n] rows of the tasks.
            chance: [n, CHANCES] uniform numbers.

        Returns:
            [n] class indices.
        """
        if kind > CARELESS:
            return blind_labels(kind, favourite, self.classes, self._ring[tasks], chance)
        # A softmax draw without its division: the chance is scaled by the sum of the weights.
        steps = np.cumsum(self._weight[tasks] * np.exp(taste), axis=1)
        labels: Ints = (chance[:, :1] * steps[:, -1:] >= steps[:, :-1]).sum(axis=1)
        if kind == CARELESS:
            guess(labels, self._guess, self.classes, chance)
        return labels
