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


def _normalised(patches: Singles) -> Singles:
    """Contrast-normalised patches, in place; numbers of a patch lie on the last axis."""
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
        pixels = read(rows[first : first + 64])
        windows = np.lib.stride_tricks.sliding_window_view(pixels, (PATCH, PATCH), axis=(1, 2))
        at = rng.integers(windows.shape[1] * windows.shape[2], size=(len(pixels), per_image))
        image = np.arange(len(pixels))[:, None]
        taken = windows[image, at // windows.shape[2], at % windows.shape[2]]
        samples.append(_normalised(taken.reshape(-1, PIXELS).astype(np.float32)))
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
    """The same for a few images.

    Patches are normalised after the product with the filters, which is linear: their means and
    spreads are sums of whole numbers in windows.
    """
    n, places = len(pixels), SIDE - PATCH + 1
    middle = np.rint(pixels.mean(axis=(1, 2, 3))).astype(np.int32)[:, None, None]
    whole = pixels.astype(np.int32) - middle[..., None]
    total = _sums(whole.sum(axis=3, dtype=np.int32))
    mean = total / PIXELS
    spread = np.sqrt(
        _sums(np.square(whole).sum(axis=3, dtype=np.int32)) / PIXELS - mean**2 + CONTRAST
    )
    # By rows of the image, whose numbers lie side by side: [row, column and channel] of a patch.
    lines = whole.astype(np.float32).reshape(n, SIDE, SIDE * 3)
    windows = np.lib.stride_tricks.sliding_window_view(lines, (PATCH, PATCH * 3), axis=(1, 2))
    patches = windows[:, :, ::3].reshape(n, places**2, PIXELS)
    project = filters.project.reshape(3, PATCH, PATCH, -1).transpose(1, 2, 0, 3)
    response = patches @ np.ascontiguousarray(project).reshape(PIXELS, -1)
    both = np.stack([-mean / spread, 1 / spread], axis=-1).reshape(n, places**2, 2)
    shift, scale = both[..., :1].astype(np.float32), both[..., 1:].astype(np.float32)
    response *= scale
    response += shift * filters.project.sum(axis=0) - filters.mean @ filters.project
    above = np.maximum(response, np.float32(THRESHOLD))
    below = np.minimum(response, np.float32(-THRESHOLD))
    quarters = _quarters(places)
    found = np.concatenate([quarters @ above, -(quarters @ below)], axis=2)
    return np.asarray((found - np.float32(THRESHOLD)).reshape(n, -1))


def _sums(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sums over windows of PATCH x PATCH: [n, 27, 27] of [n, 32, 32]."""
    places = SIDE - PATCH + 1
    rows = np.asarray(sum(values[:, i : i + places] for i in range(PATCH)))
    return np.asarray(sum(rows[:, :, i : i + places] for i in range(PATCH)))


def _quarters(places: int) -> Singles:
    """Weights [4, places^2] that average an image's quarters."""
    half = (places + 1) // 2
    side = np.zeros((2, places), dtype=np.float32)
    side[0, :half], side[1, half:] = 1 / half, 1 / (places - half)
    return np.asarray(np.einsum("ir,jc->ijrc", side, side).reshape(4, -1))
