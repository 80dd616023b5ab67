"""How networks are trained: a pretrained one fine-tuned, a small one from scratch."""

from __future__ import annotations

from dataclasses import dataclass

from training.weights.files import WeightsFile

SCRATCH = "small-cnn"
"""Name of the network that needs no weights."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: a timm model's name, or `SCRATCH`.
        weights: the model's weights; None for the scratch network.
        size: side of the images in pixels; None for the scratch network's own.
        epochs: the most passes over the labels.
        patience: passes without a smaller held-out loss after which training stops.
        rate: largest learning rate.
        batch: images a step; fewer where there are few, so that a pass has steps enough.
    """

    name: str
    weights: WeightsFile | None
    size: int | None
    epochs: int
    patience: int
    rate: float
    batch: int = 32


FROM_SCRATCH = Recipe(SCRATCH, None, None, epochs=20, patience=8, rate=4e-3)


def fine_tuned(name: str, weights: WeightsFile, size: int) -> Recipe:
    """The recipe for a pretrained model, whose last layer starts as the head on its features."""
    return Recipe(name, weights, size, epochs=6, patience=4, rate=5e-4)
