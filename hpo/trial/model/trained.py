"""A trained head, with the labels that it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labeling.types import Answers, Floats, LabelPlan, LabelSet

if TYPE_CHECKING:
    from training.fit import Model


@dataclass(frozen=True, slots=True)
class Trained:
    """A plan's labels and the head trained on them.

    Attributes:
        plan: the plan.
        labels: what the head was trained on. answers: the answers behind them.
        target: [N, C] the targets. model: the head, with its temperature.
        prior: [N, C] log probabilities that another model adds to those of the answers, where the
            targets are best labels; None where they are made of answers alone.
    """

    plan: LabelPlan
    labels: LabelSet
    answers: Answers
    target: Floats
    model: Model
    prior: Floats | None = None

    @property
    def weights(self) -> Floats:
        """[N] weights of the rows: their answers; all alike where the labels are a model's, too."""
        counts = self.labels.answers.astype(np.float64)
        return counts if self.prior is None else np.ones(len(counts))
