"""One image file to pixels: bounded in size, and refused with a reason."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image


Bytes = NDArray[np.uint8]


FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")


MAX_PIXELS = 40_000_000


MAX_FILE_BYTES = 64 * 2**20


class BadImageError(Exception):
    """Why a file is bad."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def inside(base: Path, name: str) -> Path:
    """The file a name stands for, if it lies in the folder even after following links."""
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


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow's bomb warning becomes an error and its other warnings are dropped.

    To be entered by the thread that starts the readers: filters belong to the whole process.
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode(path: Path, max_pixels: int, max_bytes: int) -> Bytes:
    """[h, w, 3] upright RGB pixels of a file's first frame."""
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
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise BadImageError("oversized")
            return _to_rgb(ImageOps.exif_transpose(image))
    except BadImageError:
        raise
    except UnidentifiedImageError:
        raise BadImageError("unsupported") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImageError("oversized") from None
    except Exception:  # damaged files make decoders fail in many ways, all of them the file's fault
        raise BadImageError("corrupt") from None


def _to_rgb(image: Image) -> Bytes:
    """RGB pixels; transparent parts on white, 16-bit grey scaled down."""
    from PIL import Image

    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image, dtype=np.int64) // 257, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)
