"""Images drawn from a mixture, as many as one likes: a study gets some, others judge its answer.

An interval that speaks of new images cannot be judged by the images that it was measured on: they
share the luck of their choice. Here a surface has thousands of images that no study meets. A class
has four kinds of image; a kind is a pattern of 8 by 8 pixels that varies along six directions,
under pixel noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labeling.seeds import generator

_STUDY, _FURTHER = 1797, 6000  # images
_SIDE, _KINDS, _DIRECTIONS = 8, 4, 6
_PATTERN, _VARIATION, _NOISE = 0.16, 0.06, 0.16  # standard deviations, of pixels in 0..1


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Images that no study meets.

    Attributes:
        values: [n, D] features, as a study's.
        truth: [n] class codes.
    """

    values: NDArray[np.float32]
    truth: NDArray[np.int64]


def drawn(folder: Path, classes: int, seed: int) -> tuple[str, Images]:
    """A study's data, and further images of the same kinds.

    Args:
        folder: where the data is written.
        classes: number of classes.
        seed: draws the kinds and the images.
    """
    rng = generator(seed, "drawn images", classes)
    pixels, count = _SIDE**2, _STUDY + _FURTHER
    pattern = 0.5 + _PATTERN * rng.standard_normal((classes, _KINDS, pixels))
    direction = _VARIATION * rng.standard_normal((classes, _KINDS, pixels, _DIRECTIONS))
    truth, kind = rng.integers(classes, size=count), rng.integers(_KINDS, size=count)
    along = rng.standard_normal((count, _DIRECTIONS))
    values = pattern[truth, kind] + np.einsum("npd,nd->np", direction[truth, kind], along)
    values += _NOISE * rng.standard_normal((count, pixels))
    bytes_ = (255 * np.clip(values, 0, 1)).astype(np.uint8)
    path = folder / f"drawn-{classes}-{seed}.npz"
    images = bytes_[:_STUDY].reshape(-1, _SIDE, _SIDE)
    np.savez(path, x=images, y=truth[:_STUDY])
    further = bytes_[_STUDY:].astype(np.float32) / np.float32(255)
    return f"npz:{path}", Images(further, truth[_STUDY:])
