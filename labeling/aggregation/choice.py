"""The aggregator that makes the answers likeliest which it has not seen: `--aggregation auto`.

Each answer is left out once, in five parts, where its image has another answer. An aggregator gives
class probabilities by the other answers; these, with the annotator's confusions, give the left-out
answer its probability. Confusions are those of all candidates together and answers count as equally
dependent, so that candidates differ by whom they take for what alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from labeling.aggregation import dawid_skene as matrices
from labeling.aggregation.methods import CORRELATION, dawid_skene, majority, weighted
from labeling.aggregation.registry import aggregator_named
from labeling.aggregation.votes import Aggregator, Votes, tally
from labeling.types import Bools, Floats, Ints

_JUDGED: Mapping[str, Aggregator] = {
    "weighted": weighted,
    "majority": majority,
    "dawid-skene": lambda votes: dawid_skene(votes, CORRELATION),
}
"""Candidates, as they are compared; the first one is taken where nothing can be compared."""

_ANCHORED = "dawid-skene"

_PARTS = 5


@dataclass(frozen=True, slots=True)
class AggregatorFit:
    """How well aggregators fit a set of answers.

    Attributes:
        best: name of the aggregator to take; the first where nothing can be compared.
        each: mean log-likelihood of a left-out answer, nats, by aggregator.
        answers: answers that were left out; 0 where no image has two.
    """

    best: str
    each: Mapping[str, float]
    answers: int


def auto(votes: Votes) -> tuple[Floats, Floats]:
    """Shares and posterior of the aggregator that fits best."""
    return aggregator_named(fit_of(votes).best)(votes)


def fit_of(votes: Votes) -> AggregatorFit:
    """How well each candidate fits a set of votes.

    Control tasks anchor the matrices of Dawid-Skene to known classes. With them it is taken, unless
    another candidate fits better by more than a standard error.
    """
    compared, part = votes.compared, _parts(votes)
    gains = {name: np.zeros(len(votes.row)) for name in _JUDGED}
    for number in np.unique(part[compared]):
        asked = compared & (part == number)
        for name, fits in _fits(votes, asked).items():
            gains[name][asked] = fits
    count = int(compared.sum())
    each = {name: float(fits.sum()) / max(1, count) for name, fits in gains.items()}
    best = max(each, key=each.__getitem__)
    lead = np.bincount(votes.row, weights=gains[best] - gains[_ANCHORED])  # by image
    is_tied = lead.sum() <= np.sqrt((lead**2).sum())
    if count and len(votes.controls) and is_tied:
        best = _ANCHORED
    return AggregatorFit(best, each, count)


def _fits(votes: Votes, asked: Bools) -> dict[str, Floats]:
    """Log-likelihood of each answer asked for, by candidates that see all others."""
    kept = ~asked
    answers, row = votes.answers.where(kept), votes.row[kept]
    counts = tally(row, answers.label, np.ones(len(row)), *votes.counts.shape)
    mine = np.isin(votes.controls.annotator, answers.annotator)
    controls, truth = votes.controls.where(mine), votes.truth[mine]
    seen = replace(votes, answers=answers, row=row, counts=counts, controls=controls, truth=truth)
    found = {name: function(seen)[1] for name, function in _JUDGED.items()}
    together = np.mean(list(found.values()), axis=0)
    learned = kept.copy()
    learned[kept] = seen.compared
    answer = matrices.expected(votes, together, learned)[asked]
    given = votes.row[asked]
    return {name: np.log((answer * likely[given]).sum(axis=1)) for name, likely in found.items()}


def _parts(votes: Votes) -> Ints:
    """Part of each answer, by image and annotator: answers to an image lie in different parts."""
    order = np.lexsort((votes.answers.annotator, votes.row))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.searchsorted(votes.row[order], votes.row[order])
    return np.asarray((rank + votes.row) % _PARTS)
