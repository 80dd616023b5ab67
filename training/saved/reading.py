"""Files to pixels, batch by batch: memory stays flat, and the next batch is read meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from training.decoding import (
    MAX_FILE_BYTES,
    MAX_PIXELS,
    BadImageError,
    Bytes,
    decode,
    quiet_pillow,
)
from training.images import BadImage
from training.threads import usable_cores

BATCH = 64


def batches(
    paths: Sequence[Path], shape: tuple[int, int, int]
) -> Iterator[tuple[list[Path], Bytes, tuple[BadImage, ...]]]:
    """The files of each batch that can be read, their pixels [b, h, w, c], and the bad ones.

    Args:
        paths: files, in any folders.
        shape: [h, w, c] of the pixels; images are squashed to it, and grey for c = 1.
    """
    parts = [paths[first : first + BATCH] for first in range(0, len(paths), BATCH)]
    with quiet_pillow(), ThreadPoolExecutor(usable_cores()) as pool:
        ahead: list[Future[Bytes | BadImage]] = []
        for number, part in enumerate(parts):
            read = ahead or [pool.submit(_read, path, shape) for path in part]
            following = parts[number + 1] if number + 1 < len(parts) else ()
            ahead = [pool.submit(_read, path, shape) for path in following]
            yield _gathered(part, [future.result() for future in read], shape)


def _gathered(
    part: Sequence[Path], read: list[Bytes | BadImage], shape: tuple[int, int, int]
) -> tuple[list[Path], Bytes, tuple[BadImage, ...]]:
    pixels = np.empty((len(read), *shape), dtype=np.uint8)
    good: list[Path] = []
    bad: list[BadImage] = []
    for path, one in zip(part, read, strict=True):
        if isinstance(one, BadImage):
            bad.append(one)
        else:
            pixels[len(good)] = one
            good.append(path)
    return good, pixels[: len(good)], tuple(bad)


def _read(path: Path, shape: tuple[int, int, int]) -> Bytes | BadImage:
    """Pixels of a file, resized as `training.images.read_batch` does."""
    from PIL import Image

    height, width, channels = shape
    try:
        image = Image.fromarray(decode(path, MAX_PIXELS, MAX_FILE_BYTES))
    except BadImageError as error:
        return BadImage(str(path), error.reason)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    image = image.convert("L") if channels == 1 else image
    return np.asarray(image, dtype=np.uint8).reshape(shape)
