"""Goodness of fit: recorded answers beside imitations by a scenario's annotators."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from labeling.crowd.fitting import agreement as agree
from labeling.crowd.fitting.imitate import imitate
from labeling.crowd.scenario import Scenario
from labeling.recorded.recording import Recording
from labeling.seeds import stream

_IMITATIONS = 5
_T99 = 4.604  # Student's t of 99 %, with one degree of freedom less than imitations
_ROUNDING = 5e-4  # differences that the printed table does not show
_CURVE = 10  # most answers in the majority curve


@dataclass(frozen=True, slots=True)
class GoodnessRow:
    """A line of the goodness-of-fit table.

    Attributes:
        statistic: name of the statistic.
        observed: its value in the recorded answers.
        simulated: its mean over the imitations.
        spread: its sd over the imitations.
    """

    statistic: str
    observed: float
    simulated: float
    spread: float

    @property
    def beyond_noise(self) -> bool:
        """Whether the recording lies outside the 99 % prediction interval of the imitations."""
        apart = abs(self.simulated - self.observed)
        return bool(apart > _T99 * math.sqrt(1 + 1 / _IMITATIONS) * self.spread + _ROUNDING)


def goodness(recording: Recording, scenario: Scenario, seed: int = 0) -> tuple[GoodnessRow, ...]:
    """Statistics of the recording beside those of imitations by the scenario's annotators."""
    observed = _statistics(recording, seed)
    simulated = [
        _statistics(imitate(scenario, recording, seed + number), seed)
        for number in range(_IMITATIONS)
    ]
    rows = []
    for name, value in observed.items():
        if not all(name in imitation for imitation in simulated):
            continue  # such as the agreement of wrong answers, where an imitation has too few
        values = np.array([imitation[name] for imitation in simulated])
        rows.append(GoodnessRow(name, value, float(values.mean()), float(values.std(ddof=1))))
    return tuple(rows)


def _statistics(recording: Recording, seed: int) -> dict[str, float]:
    # The recording and its imitations draw the same numbers: their differences are less noisy.
    rng = stream(seed, "fit", "statistics")
    most = int(min(_CURVE, recording.answers_per_task.max()))
    statistics: dict[str, float] = {}
    if (recording.gold >= 0).any():
        statistics["accuracy of one answer"] = agree.accuracy(recording)
        for k, value in enumerate(agree.majority_curve(recording, most, rng), start=1):
            statistics[f"accuracy of the majority of {k}"] = value
        cut = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
        for q, value in zip(cut, agree.annotator_accuracy(recording, cut), strict=True):
            name = "median" if q == 0.5 else f"{q:.0%} quantile"
            statistics[f"annotator accuracy, {name}"] = value
        statistics["accuracy of the busiest tenth"] = agree.busiest_accuracy(recording, 0.1)
        if len(recording.classes) > 2:
            statistics["two wrong answers agree"] = agree.wrong_answers_agree(recording)
    else:
        for k, value in enumerate(agree.prediction_curve(recording, most, rng), start=1):
            statistics[f"majority of {k} names one more answer"] = value
    statistics["two answers agree"] = agree.pairwise_agreement(recording)
    statistics["Fleiss kappa"] = agree.fleiss_kappa(recording)
    statistics["tasks with one voice"] = agree.unanimous_share(recording)
    shares = np.bincount(recording.label, minlength=len(recording.classes)) / len(recording)
    statistics["share of the rarest answer"] = float(shares.min())
    if recording.seconds is not None:
        log = np.log(recording.seconds[np.isfinite(recording.seconds)])
        for q in (0.1, 0.5, 0.9):
            statistics[f"seconds per task, {q:.0%} quantile"] = float(np.exp(np.quantile(log, q)))
    return {name: float(value) for name, value in statistics.items() if np.isfinite(value)}
