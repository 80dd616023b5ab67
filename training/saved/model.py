"""A saved model at work: files of images in, labels with calibrated probabilities out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from training.encoder import Encoder, Opened, Singles
from training.fit import Model
from training.images import BadImage
from training.saved.reading import batches

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Labels that a model gives.

    Attributes:
        images: n files, as they were given.
        labels: the most probable class of each.
        confidence: [n] its probability.
        probabilities: [n, C] of all classes, calibrated as the model is.
        bad: files that are no readable images; they are not among `images`.
    """

    images: tuple[str, ...]
    labels: tuple[str, ...]
    confidence: Floats
    probabilities: Floats
    bad: tuple[BadImage, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SavedModel:
    """A classifier, its class names and its facts.

    Attributes:
        model: predicts from features.
        classes: name of each class, in the order of the predictions.
        facts: texts stored in the file: label version, plan, ...
        encoder: how images become features; None in a file that holds no such thing.
        digest: hash of the file.
        name: of the file.
    """

    model: Model
    classes: tuple[str, ...]
    facts: Mapping[str, str]
    encoder: Encoder | None = None
    digest: str = ""
    name: str = "the model"

    def label(self, paths: Sequence[str | Path], weights: Path | None = None) -> Labelled:
        """Label images.

        Args:
            paths: files.
            weights: the weights file of the model's backbone, if it has one; None looks for it.

        Raises:
            InputError: a file is no readable image, the model takes no images, or its backbone's
                weights are not at hand.
        """
        parts = list(self.stream([Path(path) for path in paths], weights))
        if bad := [image for part in parts for image in part.bad]:
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            raise InputError(f"{bad[0].name}: no image to label ({bad[0].reason}){more}")
        empty = np.empty((0, len(self.classes)))
        return Labelled(
            tuple(image for part in parts for image in part.images),
            tuple(label for part in parts for label in part.labels),
            np.concatenate([empty[:, 0], *(part.confidence for part in parts)]),
            np.concatenate([empty, *(part.probabilities for part in parts)]),
        )

    def stream(self, paths: Sequence[Path], weights: Path | None = None) -> Iterator[Labelled]:
        """Label images batch by batch, in their order; the next batch is read meanwhile.

        Args:
            paths: files.
            weights: as for `label`.

        Raises:
            InputError: the model takes no images, or its backbone's weights are not at hand.
        """
        opened = self.opened(weights)
        for part, pixels, bad in batches(paths, opened.shape):
            features = opened.encode(pixels) if part else np.empty((0, 0), dtype=np.float32)
            yield self._labelled(part, features, bad)

    def opened(self, weights: Path | None = None) -> Opened:
        """The encoder at work.

        Raises:
            InputError: as for `stream`.
        """
        if self.encoder is None:
            raise InputError(
                f"{self.name}: the model takes features, not images; make it anew with "
                "labelworth train, or give features to load_model(PATH).model.predict"
            )
        return self.encoder.open(weights)

    def _labelled(
        self, paths: Sequence[Path], features: Singles, bad: tuple[BadImage, ...]
    ) -> Labelled:
        if len(paths) and features.shape[1] != len(self.model.mean):
            raise InputError(
                f"{self.name}: its backbone gives {features.shape[1]} features an image, its head "
                f"takes {len(self.model.mean)}"
            )
        p = self.model.predict(features) if len(paths) else np.empty((0, len(self.classes)))
        best = p.argmax(axis=1)
        labels = tuple(self.classes[code] for code in best)
        return Labelled(tuple(map(str, paths)), labels, p.max(axis=1, initial=0.0), p, bad)
