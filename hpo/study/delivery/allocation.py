"""Which images get the next answers: those without a label first, then where it is least sure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpo.trial.purchase import MOST_ANSWERS
from labeling.types import Floats, Ints

_ROUND = 8  # a round that looks where it asks has at least this part of the pool
_REST = 3  # and at least this part of what the money bears
_LOOK = 5  # labels of this part of the pool are enough to look by


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """What is owned of a pool's images.

    Attributes:
        answers: [N] usable answers to each image, in the pool's order.
        room: [N] further answers that the market can give to each.
        sure: [N] probability of each image's best label, or another number by which the next images
            are taken, the lowest first; None where answers are to be even.
        predicted: [N] probability of the class that a model gives each image; None for no model
            that is good enough to choose images by.
    """

    answers: Ints
    room: Ints
    sure: Floats | None = None
    predicted: Floats | None = None

    @property
    def bare(self) -> Ints:
        """Places of images that have no answer and can get one, in the pool's order."""
        return np.flatnonzero((self.answers == 0) & (self.room > 0))

    @property
    def is_first_round(self) -> bool:
        """Whether images without a label are asked about by themselves.

        A few of them wait for the first round of further answers, so that no annotator gets a page
        of two tasks.
        """
        return len(self.bare) * 2 * _ROUND >= len(self.answers)

    @property
    def to_look(self) -> int:
        """Labels that are missing before a model can look which images to label."""
        return max(0, -(-len(self.answers) // _LOOK) - int(np.count_nonzero(self.answers)))

    def looks(self, affordable: int) -> bool:
        """Whether to look which images to label: the money bears some only, and enough are."""
        return affordable < len(self.bare) and not self.to_look


def first_answers(standing: Standing, most: int, affordable: int, suite: int) -> Ints:
    """Places of images without an answer that get one.

    In the pool's order; or those first of whose class a model is least sure, round by round.

    Args:
        standing: what is owned.
        most: answers that a tranche may have.
        affordable: answers that the money bears.
        suite: answers of a suite.
    """
    bare = standing.bare
    if standing.predicted is None:
        if affordable < len(bare) and standing.to_look:
            most = min(most, -(-standing.to_look // suite) * suite)
        return bare[:most]
    order = bare[np.argsort(standing.predicted[bare], kind="stable")]
    return order[: _round(len(order), standing, most, affordable, suite)]


def further_answers(standing: Standing, most: int, affordable: int, suite: int) -> Ints:
    """Places of images that get one further answer each.

    Those whose best label is least sure come first; where answers are to be even, those with the
    fewest.

    Args:
        standing: what is owned.
        most: answers that a tranche may have.
        affordable: answers that the money bears.
        suite: answers of a suite.
    """
    able = np.flatnonzero((standing.answers < MOST_ANSWERS) & (standing.room > 0))
    by = standing.answers if standing.sure is None else standing.sure
    order = able[np.lexsort((able, standing.answers[able], by[able]))]
    return order[: _round(len(order), standing, most, affordable, suite)]


def _round(able: int, standing: Standing, most: int, affordable: int, suite: int) -> int:
    """Images that a round asks about: a part of what the money bears, so that the next can look."""
    size = max(len(standing.answers) // _ROUND, affordable // _REST, suite)
    if affordable - size < len(standing.answers) // (2 * _ROUND):
        size = affordable  # too little would be left for a round of its own
    size = min(size, most, able)
    return size - size % suite if size > suite else size
