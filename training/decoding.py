"""One image file to pixels: its size is bounded, and a bad file is refused with a reason."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image


Bytes = NDArray[np.uint8]


FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")


HEIC = ".heic", ".heif"
"""Endings of files that are read where the extra `heic` is installed."""


MAX_PIXELS = 40_000_000


_ON_ITS_SIDE = 5  # EXIF orientations from here on swap width and height


MAX_FILE_BYTES = 64 * 2**20


class BadImageError(Exception):
    """The reason why an image file is bad."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def inside(base: Path, name: str) -> Path:
    """Path of a named file; the file lies in the folder, also after its links are followed."""
    try:
        path = (base / name).resolve()
        lies_inside, is_file = path.is_relative_to(base), path.is_file()
    except (OSError, ValueError, RuntimeError):  # name too long, a NUL in it, a loop of links
        raise BadImageError("missing") from None
    if not lies_inside or Path(name).is_absolute() or ".." in Path(name).parts:
        raise BadImageError("outside")
    if not is_file:
        raise BadImageError("missing")
    return path


def heif_version() -> str:
    """Version of the package that reads HEIC; "" where it is not installed."""
    try:
        return version("pillow-heif")
    except PackageNotFoundError:
        return ""


@cache
def formats() -> tuple[str, ...]:
    """Formats that can be read here."""
    if not heif_version():
        return FORMATS
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False)
    return (*FORMATS, "HEIF")


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Turn Pillow's decompression bomb warning into an error and drop its other warnings.

    The thread that starts the readers enters this block: filters belong to the whole process.
    """
    from PIL import Image

    formats()  # in this thread, once
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of an upright image, by its header alone.

    Raises:
        BadImageError: it is no image of a readable format.
    """
    from PIL import ExifTags, Image

    try:
        with Image.open(path, formats=formats()) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= _ON_ITS_SIDE
            width, height = image.size
            return (height, width) if turned else (width, height)
    except Exception:  # a damaged file makes a decoder fail in many ways
        raise BadImageError("unsupported") from None


def decode(path: Path, max_pixels: int, max_bytes: int) -> Bytes:
    """Upright RGB pixels [h, w, 3] of a file's first frame."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(size) if size <= max_bytes else b""
    except OSError:
        raise BadImageError("missing") from None
    if not content:
        raise BadImageError("oversized" if size else "empty")
    try:
        with Image.open(io.BytesIO(content), formats=formats()) as image:
            if image.width * image.height > max_pixels:
                raise BadImageError("oversized")
            return _to_rgb(ImageOps.exif_transpose(image))
    except BadImageError:
        raise
    except UnidentifiedImageError:
        raise BadImageError("unsupported") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImageError("oversized") from None
    except Exception:  # a damaged file makes a decoder fail in many ways
        raise BadImageError("corrupt") from None


def _to_rgb(image: Image) -> Bytes:
    """RGB pixels; transparent parts become white, 16-bit grey is scaled down."""
    from PIL import Image

    if image.mode == "F":  # which numbers are black and white is not said
        raise BadImageError("unsupported")
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image, dtype=np.int64) // 257, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)
