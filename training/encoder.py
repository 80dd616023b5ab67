"""How a new image becomes features: everything that the features of a study's images were made by.

Features of a pool may rest on the pool itself: patches are learned from it. An encoder holds what
was learned, so that an image has the same features alone, among others, and on another day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from training import patches
from training.images import GIVEN

if TYPE_CHECKING:
    from training.backbone import Backbone
    from training.features import Features
    from training.images import ImageIndex

Bytes = NDArray[np.uint8]
Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """An encoder at work.

    Attributes:
        shape: [h, w, c] of the pixels that it takes.
        encode: turns pixels [b, h, w, c] into features [b, D].
    """

    shape: tuple[int, int, int]
    encode: Callable[[Bytes], Singles]


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """How images become features.

    Attributes:
        backbone: "pixels", "patch" or a timm model's name.
        shape: [h, w, c] of the pixels that it takes; h = w = 0 for a timm model's own side.
        weights_source, weights_hash: of the weights file, as in `Features`.
        filters: of "patch".
    """

    backbone: str
    shape: tuple[int, int, int]
    weights_source: str = "none"
    weights_hash: str = ""
    filters: patches.Filters | None = None

    def to_plain(self) -> dict[str, Any]:
        """Everything but the filters as JSON types."""
        names = ("backbone", "shape", "weights_source", "weights_hash")
        return {name: getattr(self, name) for name in names}

    @staticmethod
    def from_plain(plain: Mapping[str, Any], filters: Singles | None) -> Encoder:
        """The encoder of `to_plain` and of `Filters.packed`.

        Raises:
            KeyError, TypeError, ValueError: they do not make an encoder.
        """
        h, w, c = (int(side) for side in plain["shape"])
        has_side = min(h, w) > 0 or (h == w == 0 and plain["backbone"] not in ("pixels", "patch"))
        if not has_side or c not in (1, 3):
            raise ValueError(f"images of shape {h} x {w} x {c}")
        if (plain["backbone"] == "patch") != (filters is not None):
            raise ValueError("patches without their filters, or filters without patches")
        if filters is not None and filters.shape != (patches.PIXELS, patches.CENTRES + 1):
            raise ValueError(f"filters of shape {filters.shape}")
        return Encoder(
            str(plain["backbone"]),
            (h, w, c),
            str(plain["weights_source"]),
            str(plain["weights_hash"]),
            None if filters is None else patches.Filters.unpacked(filters),
        )

    def open(self, weights: Path | None = None) -> Opened:
        """The encoder at work.

        Args:
            weights: the weights file of a timm model; None looks for it as a study does.

        Raises:
            InputError: the weights are not at hand, or are others; with their hash and the remedy.
        """
        if self.backbone == GIVEN:
            raise InputError(
                "the model learned from features of an npz file, and not from images: it cannot "
                "label images"
            )
        if self.backbone == "pixels":
            return Opened(self.shape, _scaled)
        if (filters := self.filters) is not None:
            return Opened(self.shape, lambda images: patches.encode(images, filters))
        return self._embedding(weights)

    def backbone_at(self, weights: Path | None = None) -> Backbone:
        """The timm model of the encoder, with the very weights that it was made with.

        Raises:
            InputError: the weights are not at hand, or are others; with their hash and the remedy.
        """
        from training.backbone import find_weights, load_backbone

        wanted = f"the model needs the weights of {self.backbone} with hash {self.weights_hash}"
        try:
            file = find_weights(self.backbone, weights)
        except InputError as error:
            raise InputError(
                f"{wanted} (they were {self.weights_source}); give their file with "
                f"--backbone-file FILE.safetensors ({error})"
            ) from None
        if file.hash != self.weights_hash:
            raise InputError(
                f"{wanted}, but {file.source} has hash {file.hash}; give the right file with "
                "--backbone-file FILE.safetensors"
            )
        return load_backbone(self.backbone, file, self.shape[0] or None)

    def _embedding(self, weights: Path | None) -> Opened:
        from training.backbone import embed
        from training.images import index_array

        model = self.backbone_at(weights)

        def encode(images: Bytes) -> Singles:
            return embed(model, index_array(images, [str(n) for n in range(len(images))]))

        return Opened((model.size, model.size, 3), encode)


def _scaled(images: Bytes) -> Singles:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def encoder_of(features: Features, index: ImageIndex) -> Encoder:
    """The encoder by which features of images were made.

    Args:
        features: the result of `training.features.extract`.
        index: the images given to it.
    """
    shape = (features.image_size, features.image_size, 3)
    if features.name == "pixels":
        own = (index.side, index.side, 3) if index.pixels is None else index.pixels.shape[1:]
        shape = (int(own[0]), int(own[1]), int(own[2]))
    elif features.name == "patch":
        shape = (patches.SIDE, patches.SIDE, 3)
    return Encoder(
        features.name, shape, features.weights_source, features.weights_hash, features.filters
    )
