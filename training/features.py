"""Features of all images, computed once and cached on disk by content.

The name of a cache entry covers everything that its content depends on: backbone, weights,
preprocessing and the version of this code. So an entry never goes stale. What is missing or damaged
is computed again. Features of a model are kept image by image: a pool that grows pays for its new
images only. Patches are learned from all images together, so their entry covers the images' hashes
in order, and a folder that grows has its patches learned anew. Patches of an earlier, smaller
folder would spare that pass of about a millisecond an image, but then the same images and the same
seed would give another study wherever that folder had been seen before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from budget.files import private_folder, write_whole
from training import backbone as backbones
from training import patches
from training.images import GIVEN, ImageIndex, read_batch
from training.networks.feature_pass import forget_parts, in_parts
from training.networks.feature_rows import gathered
from training.weights.packages import PACKAGES

CODE_VERSION = 1  # raise it when a change here, in patches or in backbone changes the numbers
TINY = 16  # longest side up to which raw pixels are the better default
WEAK = ("pixels", "patch")
"""Backbones without pretrained weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """One row per image.

    Attributes:
        values: [n, D] float32, not standardised.
        key: hex name of the cache entry.
        name: the backbone in use, never "auto".
        weights_source: origin of the weights: "none", "file:NAME" or "hub:REPOSITORY".
        weights_hash: blake2b of the weights file, "" without a file.
        image_size: side in pixels at which a model sees the images; 0 without a model.
        filters: the patches behind "patch", learned from these images; None for other backbones.
    """

    values: NDArray[np.float32]
    key: str
    name: str
    weights_source: str
    weights_hash: str
    image_size: int = 0
    filters: patches.Filters | None = None

    @property
    def facts(self) -> dict[str, str | int]:
        """What the features were made with; of a folder its name only."""
        kind, colon, path = self.name.partition(":")
        name = f"{kind}:{Path(path).name}" if colon else self.name
        facts: dict[str, str | int] = {"backbone": name}
        if self.image_size:
            facts |= {"weights": self.weights_hash, "image_size": self.image_size}
        return facts


def extract(
    index: ImageIndex,
    backbone: str,
    weights: Path | None,
    cache: Path,
    image_size: int | None = None,
) -> Features:
    """Features from the cache; missing features are computed and cached.

    Args:
        index: the images.
        backbone: "pixels" (raw pixels in 0..1), "patch" (see `patches`), any timm model name, or
            "auto": pixels for images of at most 16 pixels a side; for other files the model whose
            weights an installed package brings; else patch.
        weights: safetensors file for a timm model; None looks in installed packages, in the Hugging
            Face cache, then on the hub.
        cache: folder for cache files, created if it is missing.
        image_size: side in pixels at which a timm model sees the images; None for its own, or a
            smaller one for small images.

    Returns:
        The features, the same bytes whether cached or not.

    Raises:
        InputError: no images, unknown backbone, or weights that are not found or do not fit.
    """
    if len(index) == 0:
        raise InputError("no images to compute features of")
    if index.vectors is not None:
        key = _key(str(CODE_VERSION), GIVEN, *index.hashes)
        return Features(index.vectors, key, GIVEN, "none", "")
    name = _resolve(index, backbone)
    size = 0
    if name in WEAK:
        if weights is not None or image_size is not None:
            flag = "--image-size" if weights is None else "--backbone-file"
            raise InputError(f"--backbone {name} has no weights: leave out {flag}")
        weights_file = backbones.WeightsFile(Path(), "none", "")
        engine = f"numpy side={index.side if name == 'pixels' else patches.SIDE}"
    else:
        weights_file = backbones.find_weights(name, weights)
        size = backbones.input_side(name, weights_file, index.side, image_size)
        engine = f"timm {version('timm')} channels_last side={size}"
    made_by = (str(CODE_VERSION), name, weights_file.hash, engine)
    key = _key(*made_by, *index.hashes)
    if name not in WEAK:
        rows = _by_image(index, name, weights_file, size, cache / f"{_key(*made_by)}.images")
        return Features(rows, key, name, weights_file.source, weights_file.hash, size)
    file = cache / f"{key}.safetensors"
    filters = _filters(index, cache / f"{key}.filters.safetensors") if name == "patch" else None
    values = _load(file, len(index))
    if values is None:
        values = _compute(index, name, filters)
        _store(file, values)
    return Features(values, key, name, weights_file.source, weights_file.hash, size, filters)


def _key(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def _by_image(
    index: ImageIndex, name: str, weights: backbones.WeightsFile, size: int, folder: Path
) -> NDArray[np.float32]:
    """A model's features, each kept by its image's content: new images alone are computed."""

    def compute(rows: list[int], called: str) -> NDArray[np.float32]:
        backbone, parts = backbones.load_backbone(name, weights, size), folder / f"{called}.parts"
        batch = backbones.BATCHES[backbone.device]

        def part(places: list[int]) -> NDArray[np.float32]:
            # A batch of another size may take other code, with other last digits: each is full.
            full = np.resize(places, -(-len(places) // batch) * batch)
            return backbones.embed(backbone, index, [rows[at] for at in full])[: len(places)]

        values = in_parts(len(rows), part, parts, _load, _store)
        forget_parts(parts)
        return values

    return gathered(index.hashes, folder, compute)


def _resolve(index: ImageIndex, backbone: str) -> str:
    if backbone != "auto":
        return backbone
    default, weak = PACKAGES[0], without_weights(index)
    is_photos = weak != "pixels" and index.paths is not None
    return default.made.model if is_photos and default.is_installed else weak


def without_weights(index: ImageIndex) -> str:
    """The better backbone without pretrained weights: pixels for tiny images, else patch."""
    return "pixels" if index.side <= TINY else "patch"


def _filters(index: ImageIndex, file: Path) -> patches.Filters:
    """The patches of the images, from their own cache file; learned and stored if it is missing."""
    packed = _load(file, patches.PIXELS)
    if packed is None:
        packed = patches.learn(_squares(index), len(index)).packed()
        _store(file, packed)
    return patches.Filters.unpacked(packed)


def _squares(index: ImageIndex) -> Callable[[NDArray[np.int64]], NDArray[np.uint8]]:
    return lambda rows: read_batch(index, rows, patches.SIDE)


def _compute(index: ImageIndex, name: str, filters: patches.Filters | None) -> NDArray[np.float32]:
    if filters is None:
        return _raw_pixels(index)
    return patches.patch_features(_squares(index), len(index), filters)


def _raw_pixels(index: ImageIndex) -> NDArray[np.float32]:
    """Pixels [n, h w c] in 0..1; images in files are squashed to squares of the longest side."""
    pixels = index.pixels
    if pixels is None:
        pixels = read_batch(index, range(len(index)), index.side)
    flat = pixels.reshape(len(index), -1)
    return flat.astype(np.float32) / np.float32(255 if flat.dtype == np.uint8 else 1)


def _load(file: Path, n: int) -> NDArray[np.float32] | None:
    """A cache entry; None for a missing or damaged one."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = file.read_bytes()
        values = load(content[: -len(_digest(b""))])["values"]
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    body = content[: -len(_digest(b""))]
    if content[len(body) :] != _digest(body) or values.ndim != 2 or len(values) != n:
        return None
    return np.asarray(values, dtype=np.float32)


def _store(file: Path, values: NDArray[np.float32]) -> None:
    """Write a cache entry whole; a digest ends the file."""
    from safetensors.numpy import save

    body = save({"values": np.ascontiguousarray(values)})
    try:
        private_folder(file.parent)
        write_whole(file, body + _digest(body))
    except OSError as error:
        raise InputError(
            f"{file.parent}: cannot write the feature cache ({error.strerror})"
        ) from None


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
