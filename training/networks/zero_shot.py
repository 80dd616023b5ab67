"""A pretrained classifier as it is: its own classes, summed into those that are asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from training.heads import softmax

if TYPE_CHECKING:
    from training.backbone import Backbone
    from training.images import ImageIndex


@dataclass(frozen=True, slots=True, eq=False)
class ZeroShot:
    """A classifier with a mapping of its classes.

    Attributes:
        backbone: gives the features of its last layer.
        weight: [K, D] and bias: [K], its last layer.
        families: of each class that is asked about, the numbers of its own classes.
        weights: what names the weights: content and size.
    """

    backbone: Backbone
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    families: tuple[tuple[int, ...], ...]
    weights: str

    def predict(self, index: ImageIndex, rows: Sequence[int]) -> NDArray[np.float64]:
        """[n, C] probabilities of the classes that are asked about; others do not count.

        Args:
            index: the images.
            rows: n rows of it.
        """
        from training.backbone import embed

        values = np.asarray(embed(self.backbone, index, rows), dtype=np.float64)
        own = softmax(values @ self.weight.T + self.bias)
        sums = np.stack([own[:, list(family)].sum(axis=1) for family in self.families], axis=1)
        return np.asarray((sums + 1e-9) / (sums + 1e-9).sum(axis=1, keepdims=True))


def load_zero_shot(
    name: str, file: Path | None, families: Sequence[Sequence[int]], size: int | None
) -> ZeroShot:
    """Load a classifier.

    Args:
        name: timm name of the model.
        file: its weights; None for those of a package or the hub.
        families: of each class that is asked about, the numbers of the classifier's own classes.
        size: side of its input in pixels; None for its own.

    Raises:
        InputError: the weights cannot be had, have no last layer, or lack a class.
    """
    from training.backbone import load_backbone
    from training.weights.files import file_hash, read_tensors
    from training.weights.sources import find_weights

    found = find_weights(name, file)
    backbone = load_backbone(name, found, size)
    layers = list(read_tensors(found).values())
    last = [t for t in layers if t.ndim == 2 and t.shape[1] == backbone.dim]
    if not last:
        raise InputError(f"--machine: weights: {found.path.name} has no classifier of {name}")
    weight = last[-1]
    biases = [t for t in layers if t.ndim == 1 and t.shape[0] == weight.shape[0]]
    most = max((code for family in families for code in family), default=0)
    if most >= weight.shape[0]:
        raise InputError(
            f"--machine: weights: class {most} is none of the {weight.shape[0]} of {name}"
        )
    bias = biases[-1].double().numpy() if biases else np.zeros(weight.shape[0])
    return ZeroShot(
        backbone,
        weight.double().numpy(),
        bias,
        tuple(tuple(family) for family in families),
        f"{file_hash(found.path)}/{backbone.size}",
    )
