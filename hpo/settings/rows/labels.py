"""Settings of labels: how answers become labels, and what a model is trained on.

`--help` waits for what is imported here: nothing heavy, not even dataclasses.
"""

from __future__ import annotations

from hpo.settings import parsing
from hpo.settings.parsing import dimension, one_of
from hpo.settings.setting import Setting
from labeling.aggregation.registry import AGGREGATORS

SOFT, POSTERIOR, HARD, EM = TARGETS = ("soft", "posterior", "hard", "em")
"""Kinds of target: vote shares, class probabilities, labels, and labels by answers and model."""

LABELS = (
    Setting(
        "aggregation",
        parsing.aggregation,
        "weighted",
        "NAME",
        "model",
        f"how answers become labels: {', '.join(AGGREGATORS)}",
    ),
    Setting(
        "train_on",
        dimension(one_of(*TARGETS)),
        f"{SOFT},{POSTERIOR},{HARD}",
        "KIND",
        "model",
        f"kinds of target that trials choose from: {', '.join(TARGETS)}",
    ),
)
