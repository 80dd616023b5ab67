"""Images as one index: names, content hashes, and pixels or paths; bad files are listed.

Files are untrusted: formats are limited, the size is checked before pixels are decoded, a name
never leads out of the given folder, and a bad file becomes an entry of a list, never an exception.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from budget.files import regular
from training.decoding import (
    MAX_FILE_BYTES,
    MAX_PIXELS,
    BadImageError,
    Bytes,
    decode,
    inside,
    quiet_pillow,
)
from training.scanning.kept import Seen, keep_seen, read_seen, stamp_of
from training.threads import usable_cores

MAX_NPZ_BYTES = 4 * 2**30  # unpacked
GIVEN = "given"  # the backbone of features that come in place of images


@dataclass(frozen=True, slots=True, eq=False)
class ImageIndex:
    """n images, in memory or in files.

    Attributes:
        names: n unique names.
        hashes: hex content hash of each image's decoded pixels and shape.
        pixels: [n, h, w, c] with c = 1 or 3, uint8 or float32 in 0..1; None for files.
        paths: n files inside the scanned folder; None for arrays.
        side: longest side of any image, in pixels.
        vectors: [n, d] float32 features that stand in place of images; None where there are images.
    """

    names: tuple[str, ...]
    hashes: tuple[str, ...]
    pixels: NDArray[Any] | None
    paths: tuple[Path, ...] | None
    side: int
    vectors: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class BadImage:
    """A file that cannot be used.

    Attributes:
        name: as it was listed.
        reason: missing, empty, corrupt, oversized, unsupported (none of `decoding.FORMATS`)
            or outside (the name leads out of the folder).
    """

    name: str
    reason: str


def load_digits() -> tuple[ImageIndex, NDArray[np.int64]]:
    """The 1,797 scans of digits (8x8, 16 grey levels) of scikit-learn, and the digit of each."""
    # The table alone: to import scikit-learn takes longer than a small study.
    path = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
    table = np.loadtxt(str(path), delimiter=",")
    names = [f"digit-{row:04d}" for row in range(len(table))]
    index = index_array(table[:, :-1].reshape(-1, 8, 8) / 16.0, names)
    return index, table[:, -1].astype(np.int64)


def index_array(x: NDArray[Any], names: Sequence[str]) -> ImageIndex:
    """Index images that are in memory.

    Args:
        x: [n, h, w], [n, h, w, 1] or [n, h, w, 3]; integers 0..255, or floats in 0..1 or 0..255
            (0..255 when any value is above 1).
        names: n unique names.

    Returns:
        The index, with pixels [n, h, w, c] as uint8 or as float32 in 0..1.

    Raises:
        InputError: a wrong shape, type or range, no images, or names that do not fit.
    """
    pixels = _as_pixels(x)
    if len(names) != len(pixels):
        raise InputError(f"{len(pixels)} images but {len(names)} names")
    _refuse_repeated(names)
    hashes = tuple(_content_hash(image) for image in pixels)
    return ImageIndex(tuple(names), hashes, pixels, None, max(pixels.shape[1:3]))


def load_npz(path: Path) -> tuple[ImageIndex, NDArray[np.int64]]:
    """Read images `x` and class indices `y` from a NumPy archive.

    Args:
        path: an .npz file, never unpickled; `x` as for `index_array`, `y` [n] integers from 0.
            Archives of human annotations call the true class `clean` in place of `y`.

    Returns:
        The images, named by their row, and the labels.

    Raises:
        InputError: the file is no such archive; the message names the array and its expected form.
    """
    x, y = _read_npz(path)
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise InputError(
            f"{path}: y must be one integer class per image, is {y.dtype} of shape {y.shape}"
        )
    try:
        index = index_array(x, [str(row) for row in range(len(x) if x.ndim else 0)])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if len(y) != len(index):
        raise InputError(f"{path}: {len(index)} images in x but {len(y)} labels in y")
    if y.min() < 0:
        raise InputError(f"{path}: y must not be negative, has {y.min()}")
    return index, y.astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class VectorFile:
    """Features of n items, and what their file says of them.

    Attributes:
        index: the features.
        labels: n labels as text; "" where unknown.
        roles: n roles, "" where none is given; None where the file has none.
    """

    index: ImageIndex
    labels: tuple[str, ...]
    roles: tuple[str, ...] | None


def holds_vectors(path: Path) -> bool:
    """Whether an archive holds features in place of images."""
    try:
        with zipfile.ZipFile(regular(path)) as archive:
            return "features.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False  # the reader of images says what is wrong


def load_vectors(path: Path) -> VectorFile:
    """Read features of text, sound, tables or images from a NumPy archive.

    Args:
        path: an .npz file, never unpickled: `features` [n, d], and where there are any `labels` (or
            `y`; "" or a number below 0 is unknown), `names` and `roles`, [n] each.

    Raises:
        InputError: the file is no such archive; the message names the array and its expected form.
    """
    arrays = _read_arrays(path, ("features",), ("labels", "y", "names", "roles"))
    vectors = _finite(arrays["features"], str(path))
    count = len(vectors)
    text = {name: _texts(arrays[name], name, count, path) for name in arrays if name != "features"}
    names = text.get("names", tuple(str(row) for row in range(count)))
    index = index_vectors(vectors, names, str(path))
    labels = text.get("labels", text.get("y", ("",) * count))
    return VectorFile(index, labels, text.get("roles"))


def index_vectors(features: NDArray[Any], names: Sequence[str], origin: str) -> ImageIndex:
    """Index features that stand in place of images.

    Args:
        features: [n, d] finite numbers.
        names: n unique names.
        origin: of the features, for messages.

    Raises:
        InputError: they are no such numbers, or a name is there twice.
    """
    vectors = _finite(features, origin)
    _refuse_repeated(names)
    return ImageIndex(tuple(names), tuple(map(_content_hash, vectors)), None, None, 0, vectors)


def _finite(features: NDArray[Any], origin: str) -> NDArray[np.float32]:
    """Features as 32-bit numbers, after a check."""
    if features.ndim != 2 or 0 in features.shape or features.dtype.kind not in "iuf":
        raise InputError(
            f"{origin}: features must be numbers [n, d], is {features.dtype} of {features.shape}"
        )
    with np.errstate(over="ignore"):
        vectors = np.ascontiguousarray(features, dtype=np.float32)
    if not np.isfinite(vectors).all():
        raise InputError(f"{origin}: features must be finite numbers")
    return vectors


def _texts(array: NDArray[Any], name: str, count: int, path: Path) -> tuple[str, ...]:
    if array.shape != (count,) or array.dtype.kind not in "iuUS":
        raise InputError(
            f"{path}: {name} must be {count} texts or whole numbers, is {array.dtype} of "
            f"{array.shape}"
        )
    if array.dtype.kind in "iu" and name != "names":
        return tuple(str(value) if value >= 0 else "" for value in array)
    return tuple(str(value) for value in array.astype(np.str_))


def scan_images(
    root: Path,
    names: Sequence[str],
    *,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_FILE_BYTES,
    cache: Path | None = None,
) -> tuple[ImageIndex, tuple[BadImage, ...]]:
    """Decode every file once: bad files are listed before money is spent.

    Args:
        root: the folder.
        names: paths relative to the folder, each once.
        max_pixels: largest width times height that is decoded.
        max_bytes: largest file that is read.
        cache: folder that keeps what was decoded, so that unchanged files are not decoded again;
            None keeps nothing.

    Returns:
        The good images in the given order, and the bad ones with reasons, also in order.

    Raises:
        InputError: `root` is not a folder, or a name is listed twice.
    """
    base = root.resolve()
    if not base.is_dir():
        raise InputError(f"{root}: not a folder")
    _refuse_repeated(names)
    kept = {} if cache is None else read_seen(cache, base)
    fresh: dict[str, Seen] = {}

    def examine(name: str) -> tuple[Path, str, int] | BadImage:
        try:
            path = inside(base, name)
            stamp, seen = stamp_of(path), kept.get(name)
            if seen is not None and seen.stamp == stamp:
                return path, seen.content, seen.side
            image = decode(path, max_pixels, max_bytes)
        except BadImageError as error:
            return BadImage(name, error.reason)
        content, side = _content_hash(image), max(image.shape[:2])
        if stamp is not None:
            fresh[name] = Seen(stamp, content, side)
        return path, content, side

    with quiet_pillow(), ThreadPoolExecutor(usable_cores()) as pool:
        examined = list(pool.map(examine, names))
    if cache is not None and fresh:
        keep_seen(cache, base, {**kept, **fresh})
    good = [(n, f) for n, f in zip(names, examined, strict=True) if not isinstance(f, BadImage)]
    index = ImageIndex(
        names=tuple(name for name, _ in good),
        hashes=tuple(f[1] for _, f in good),
        pixels=None,
        paths=tuple(f[0] for _, f in good),
        side=max((f[2] for _, f in good), default=0),
    )
    return index, tuple(f for f in examined if isinstance(f, BadImage))


def read_batch(index: ImageIndex, rows: Sequence[int] | NDArray[np.int64], size: int) -> Bytes:
    """Read some images as RGB squares; the aspect ratio is squashed, no part is cropped.

    Args:
        index: the images.
        rows: rows of the index to read.
        size: side of the result in pixels.

    Returns:
        [len(rows), size, size, 3] uint8.

    Raises:
        InputError: since the scan a file has become unreadable or has changed.
    """
    from PIL import Image

    def read(row: int) -> Bytes:
        image = Image.fromarray(read_image(index, row))
        if image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.BICUBIC)
        return np.asarray(image, dtype=np.uint8)

    if index.paths is None:
        return np.stack([read(int(row)) for row in rows])
    with quiet_pillow(), ThreadPoolExecutor(usable_cores()) as pool:
        return np.stack(list(pool.map(read, [int(row) for row in rows])))


def _as_pixels(x: NDArray[Any]) -> NDArray[Any]:
    """[n, h, w, c] as uint8 or float32 in 0..1."""
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4 or x.shape[3] not in (1, 3) or 0 in x.shape:
        raise InputError(
            f"x must be images [n, height, width] or [n, height, width, 1 or 3], is {x.shape}"
        )
    if x.dtype.kind not in "iuf":
        raise InputError(f"x must hold integers 0..255 or floats, not {x.dtype}")
    low, high = float(x.min()), float(x.max())
    if not (low >= 0 and high <= 255):  # also refuses nan
        raise InputError(f"x must be finite and lie in 0..1 or 0..255, lies in {low:g}..{high:g}")
    if x.dtype.kind != "f":
        return np.ascontiguousarray(x, dtype=np.uint8)
    return np.ascontiguousarray(x / (255.0 if high > 1 else 1.0), dtype=np.float32)


def _refuse_repeated(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"image {name!r} is listed twice")
        seen.add(name)


def _content_hash(image: NDArray[Any]) -> str:
    header = f"{image.dtype.str}{image.shape}".encode()
    body = np.ascontiguousarray(image).tobytes()
    return hashlib.blake2b(header + body, digest_size=16).hexdigest()


def _read_npz(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    arrays = _read_arrays(path, ("x",), ("y", "clean"))
    truth = "clean" if "y" not in arrays and "clean" in arrays else "y"
    if truth not in arrays:
        raise InputError(f"{path}: array {truth!r} is missing, found {sorted(arrays)}")
    return arrays["x"], arrays[truth]


def _read_arrays(
    path: Path, needed: Sequence[str], further: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Arrays of an archive by name, further ones where it holds them."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_NPZ_BYTES:
            raise InputError(f"{path}: unpacks to {size:,} bytes, more than {MAX_NPZ_BYTES:,}")
        with np.load(path, allow_pickle=False) as arrays:
            missing = [name for name in needed if name not in arrays.files]
            if missing:
                raise InputError(
                    f"{path}: array {missing[0]!r} is missing, found {sorted(arrays.files)}"
                )
            asked = [name for name in (*needed, *further) if name in arrays.files]
            return {name: np.asarray(arrays[name]) for name in asked}
    except InputError:
        raise
    except Exception as error:  # a damaged archive fails in many ways
        raise InputError(
            f"{path}: not a NumPy archive of plain arrays {needed[0]} and {further[0]} "
            f"({type(error).__name__})"
        ) from None


def read_image(index: ImageIndex, row: int) -> Bytes:
    """Pixels [h, w, 3] uint8 of one image.

    Raises:
        InputError: since the scan the file has become unreadable or has changed.
    """
    if index.pixels is not None:
        image = index.pixels[row]
        if image.dtype != np.uint8:
            image = np.rint(image * 255).astype(np.uint8)
        return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    if index.paths is None:
        raise InputError("these are features, which show no image")
    try:
        image = decode(index.paths[row], 2**62, 2**40)
    except BadImageError as error:
        raise InputError(f"{index.names[row]}: {error.reason} since it was scanned") from None
    if _content_hash(image) != index.hashes[row]:
        raise InputError(f"{index.names[row]}: its content changed since it was scanned")
    return image
