"""Features without pretrained weights: responses to whitened k-means patches.

After Coates and Ng, "Learning feature representations with k-means" (Neural Networks: Tricks of the
Trade, 2012): patches of 6x6 pixels are contrast-normalised and whitened, spherical k-means learns
centres from unlabelled images, responses are soft-thresholded on both sides and averaged over the
image's quarters. The seed is a constant: the same images give the same features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Singles = NDArray[np.float32]

SIDE = 32  # images are squashed to squares of this side
PATCH = 6
CENTRES = 64
SAMPLES = 20_000  # patches that the centres are learned from
IMAGES = 2_000  # images that the patches are taken from
THRESHOLD = 0.25
CONTRAST = 10.0  # added to a patch's variance, in squared grey levels
WHITENING = 0.1
ROUNDS = 15
SEED = 20120101
DIMENSION = CENTRES * 2 * 4
TOGETHER = 8  # images at once: the patches of more leave the processor's cache
PIXELS = PATCH * PATCH * 3  # numbers in a patch


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """Learned patches: response = (patch - mean) @ project, patch [108] contrast-normalised.

    Attributes:
        mean: [108]. project: [108, centres].
    """

    mean: Singles
    project: Singles

    def packed(self) -> Singles:
        """Both as one array, [108, 1 + centres]."""
        return np.concatenate([self.mean[:, None], self.project], axis=1)

    @staticmethod
    def unpacked(packed: Singles) -> Filters:
        """The filters of `packed`."""
        return Filters(np.ascontiguousarray(packed[:, 0]), np.ascontiguousarray(packed[:, 1:]))


def patch_features(
    read: Callable[[NDArray[np.int64]], NDArray[np.uint8]], n: int, filters: Filters
) -> Singles:
    """Every image's responses to learned patches.

    Args:
        read: rows -> [b, SIDE, SIDE, 3] uint8 pixels.
        n: number of images.
        filters: the result of `learn`.

    Returns:
        [n, DIMENSION]; a row depends on its own image alone.
    """
    batches = [np.arange(first, min(first + 64, n)) for first in range(0, n, 64)]
    return np.concatenate([encode(read(rows), filters) for rows in batches])


def _windows(pixels: NDArray[np.uint8]) -> Singles:
    """Contrast-normalised patches [b, 27, 27, 108] of pixels [b, 32, 32, 3]."""
    view = np.lib.stride_tricks.sliding_window_view(pixels, (PATCH, PATCH), axis=(1, 2))
    patches = view.reshape(*view.shape[:3], -1).astype(np.float32)
    patches -= patches.mean(axis=-1, keepdims=True)
    variance = np.einsum("...i,...i->...", patches, patches)[..., None] / patches.shape[-1]
    patches /= np.sqrt(variance + np.float32(CONTRAST))
    return patches


def learn(read: Callable[[NDArray[np.int64]], NDArray[np.uint8]], n: int) -> Filters:
    """Learn patches from images.

    Args:
        read: rows -> [b, SIDE, SIDE, 3] uint8 pixels.
        n: number of images.
    """
    rng = np.random.default_rng(SEED)
    rows = np.sort(rng.permutation(n)[:IMAGES])
    per_image = -(-SAMPLES // len(rows))
    samples = []
    for first in range(0, len(rows), 64):
        windows = _windows(read(rows[first : first + 64]))
        flat = windows.reshape(len(windows), -1, windows.shape[-1])
        at = rng.integers(flat.shape[1], size=(len(flat), per_image))
        samples.append(np.take_along_axis(flat, at[..., None], axis=1).reshape(-1, flat.shape[2]))
    patches = np.concatenate(samples).astype(np.float64)
    mean = patches.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
    whiten = axes / np.sqrt(np.maximum(variance, 0) + WHITENING) @ axes.T
    centres = _spherical_k_means((patches - mean) @ whiten, rng)
    return Filters(mean.astype(np.float32), (whiten @ centres.T).astype(np.float32))


def _spherical_k_means(
    points: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Unit vectors [CENTRES, d]; a point belongs to the centre with the largest |product|."""
    centres = rng.normal(size=(CENTRES, points.shape[1]))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    for _ in range(ROUNDS):
        product = points @ centres.T
        nearest = np.abs(product).argmax(axis=1)
        pull = product[np.arange(len(points)), nearest]
        # The method's damping: the old centre is part of the sum, so an empty centre stays.
        to = np.concatenate([np.arange(CENTRES), nearest])
        pulled = np.concatenate([centres, points * pull[:, None]])
        moved = np.stack([np.bincount(to, column) for column in pulled.T], axis=1)
        centres = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return centres


def encode(pixels: NDArray[np.uint8], filters: Filters) -> Singles:
    """Features [b, DIMENSION] of pixels [b, SIDE, SIDE, 3]; a row depends on its own image alone.

    Both sides of each response to the filters are thresholded and averaged in quarters.
    """
    parts = [pixels[first : first + TOGETHER] for first in range(0, len(pixels), TOGETHER)]
    return np.concatenate([_encode_few(part, filters) for part in parts])


def _encode_few(pixels: NDArray[np.uint8], filters: Filters) -> Singles:
    response = (_windows(pixels) - filters.mean) @ filters.project
    both = np.concatenate([response, -response], axis=-1) - np.float32(THRESHOLD)
    np.maximum(both, 0, out=both)
    half = (both.shape[1] + 1) // 2
    quarters = [
        both[:, rows, columns].mean(axis=(1, 2))
        for rows in (slice(None, half), slice(half, None))
        for columns in (slice(None, half), slice(half, None))
    ]
    return np.asarray(np.concatenate(quarters, axis=1), dtype=np.float32)
