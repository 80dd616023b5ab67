"""Subjective questions: an item's label is the share of annotators who give each answer.

A subjective question has no true answer. Shares of few answers are uncertain: each share has a
Wilson interval, and predicted shares are scored on items with many answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from budget.errors import InputError
from labeling.types import Answers, Floats, Ints

DENSE = 20  # answers from which an item's share counts as known: its standard error is at most .11
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of answers, one row per item with at least one usable answer.

    Attributes:
        task: [N] rows of the items.
        share: [N, C] share of each answer; rows sum to 1.
        low: [N, C] lower end of the Wilson interval of each share.
        high: [N, C] upper end.
        answers: [N] number of usable answers behind each row.
    """

    task: Ints
    share: Floats
    low: Floats
    high: Floats
    answers: Ints

    def dense(self, least: int = DENSE) -> Shares:
        """The items with at least `least` answers."""
        kept = self.answers >= least
        return Shares(
            self.task[kept], self.share[kept], self.low[kept], self.high[kept], self.answers[kept]
        )


@dataclass(frozen=True, slots=True)
class ShareScore:
    """Score of predicted shares against observed shares.

    Attributes:
        log_loss: mean over items of -sum_c share_c ln(predicted_c), nats.
        floor: log loss of the observed shares themselves: their mean entropy.
        error: mean over items of sum_c |predicted_c - share_c| / 2; for a question with two answers
            this is the absolute error of the share.
        noise: expected `error` of the true shares; it comes from the number of answers alone.
        items: number of items scored.
    """

    log_loss: float
    floor: float
    error: float
    noise: float
    items: int


def answer_shares(
    answers: Answers, tasks: Sequence[int] | Ints, classes: int, level: float = 0.95
) -> Shares:
    """Shares of usable answers per item, with Wilson intervals.

    Answers to an item shown as a control task count, too: the platform checks no answer to a
    subjective question.

    Args:
        answers: answers to the question.
        tasks: rows of the items; the result leaves out items without a usable answer.
        classes: number of possible answers C.
        level: coverage of each interval.
    """
    rows = np.unique(np.asarray(tasks, dtype=np.int64))
    kept = answers.where(answers.usable & np.isin(answers.task, rows))
    counts = np.zeros((len(rows), classes))
    np.add.at(counts, (np.searchsorted(rows, kept.task), kept.label), 1)
    total = counts.sum(axis=1)
    rows, counts, total = rows[total > 0], counts[total > 0], total[total > 0]
    share = counts / total[:, None]
    low, high = wilson(share, total[:, None], level)
    return Shares(rows, share, low, high, total.astype(np.int64))


def wilson(share: Floats, answers: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson's score interval of a share of independent answers (Wilson 1927).

    Args:
        share: observed shares.
        answers: number of answers behind each share, above 0; broadcast against `share`.
        level: coverage.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z * z / (2 * answers)) / (1 + z * z / answers)
    spread = np.sqrt(share * (1 - share) / answers + (z / (2 * answers)) ** 2)
    half = z * spread / (1 + z * z / answers)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def score_shares(predicted: Floats, observed: Shares) -> ShareScore:
    """Log-loss and mean absolute error of predicted shares.

    Args:
        predicted: [N, C] probabilities of the answers on the items of `observed`, in their order.
        observed: items with many answers, none of which the prediction has learned from.

    Raises:
        InputError: no items, or shapes that differ.
    """
    share = observed.share
    if not len(share):
        raise InputError(f"shares: no item has {DENSE} answers; ask a few items more often")
    if predicted.shape != share.shape:
        raise InputError(f"shares: {predicted.shape} predictions for {share.shape} observed shares")
    log_loss = -(share * np.log(np.maximum(predicted, _LEAST))).sum(axis=1)
    entropy = -(share * np.log(np.maximum(share, _LEAST))).sum(axis=1)
    apart = np.abs(predicted - share).sum(axis=1) / 2
    # The mean absolute deviation of a normal variable is sqrt(2 / pi) of its sd.
    variance = share * (1 - share) / np.maximum(observed.answers - 1, 1)[:, None]
    noise = np.sqrt(2 / np.pi * variance).sum(axis=1) / 2
    return ShareScore(
        log_loss=float(log_loss.mean()),
        floor=float(entropy.mean()),
        error=float(apart.mean()),
        noise=float(noise.mean()),
        items=len(share),
    )
