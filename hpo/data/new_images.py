"""New images beside a study's: the same control, validation and final images, another pool."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from budget.errors import InputError, nearest
from hpo.data.dataset import Dataset
from hpo.data.image_urls import prefixed
from hpo.data.listing import list_new_images
from hpo.settings.config import StudyConfig
from labeling.tables.classes import match_classes
from labeling.types import Ints

if TYPE_CHECKING:
    from training.images import ImageIndex


def with_new_images(config: StudyConfig, data: Dataset, images: str, labels: str | None) -> Dataset:
    """A study's images and, after them, new ones, which alone make up the pool.

    Rows of the study's images stay what they were, so that its answers keep their meaning.

    Args:
        config: the study's configuration.
        data: its images.
        images: folder:DIR, or the folder alone, or npz:FILE.
        labels: CSV with a column image and, where needed, label, url and group; None for every
            image of the folder.

    Raises:
        InputError: naming what is wrong with the new images.
    """
    if Path(images).is_dir():
        images = f"folder:{images}"
    kind, _, rest = images.partition(":")
    own = config.data.partition(":")[0]
    if kind not in ("folder", "npz") or not rest:
        raise InputError(f"--images: {images!r} is not folder:DIR or npz:FILE")
    if (kind == "folder") != (own == "folder"):
        form = "a folder" if own == "folder" else "an array (npz:FILE)"
        raise InputError(f"--images: the study's images are {form}; give the new ones likewise")
    if kind == "folder":
        new = _from_folder(config, Path(rest), labels)
    else:
        new = _from_npz(config, Path(rest))
    truth, read = _codes(config, data, new.labels, images)
    index, urls, groups = new.images, new.urls, new.groups
    fresh, seen = [], set(data.images.hashes)
    for row, content in enumerate(index.hashes):
        if content not in seen:
            seen.add(content)
            fresh.append(row)
    if not fresh:
        raise InputError(f"--images: all {len(index)} images of {images} are the study's own")
    notes = (*data.notes, *new.notes, *read)
    if len(fresh) < len(index):
        notes += (f"{len(index) - len(fresh)} new images are the study's own or twice: left out",)
    count = len(data.truth)
    return replace(
        data,
        images=_joined(data.images, index, fresh, Path(rest).stem),
        rows={**data.rows, "pool": np.arange(count, count + len(fresh), dtype=np.int64)},
        truth=np.concatenate([data.truth, truth[fresh]]),
        notes=notes,
        urls=(*(data.urls or [""] * count), *(urls[row] for row in fresh)),
        groups=(*(data.groups or [""] * count), *(groups[row] for row in fresh))
        if data.groups or any(groups)
        else (),
        drawn=(),
    )


@dataclass(frozen=True, slots=True)
class _New:
    """New images, with the label, address and group of each; "" for none."""

    images: ImageIndex
    labels: list[str]
    urls: list[str]
    groups: list[str]
    notes: tuple[str, ...] = ()


def _from_folder(config: StudyConfig, root: Path, labels: str | None) -> _New:
    from training.images import scan_images

    listing = list_new_images(root, labels)
    lines = {line.image: line for line in listing.lines}
    index, bad = scan_images(root, list(lines))
    if bad and not config.skip_bad_images:
        raise InputError(
            f"{root}: {len(bad)} images cannot be used, such as {bad[0].name} ({bad[0].reason}); "
            "mend them or leave them out"
        )
    entries = [lines[name] for name in index.names]
    urls = [line.url for line in entries]
    names, groups = [line.label for line in entries], [line.group for line in entries]
    return _New(index, names, _addressed(config, index, urls), groups, listing.notes)


def _from_npz(config: StudyConfig, path: Path) -> _New:
    from training.images import holds_vectors, load_npz, load_vectors

    if holds_vectors(path):
        read = load_vectors(path)
        nothing = [""] * len(read.labels)
        return _New(read.index, [*read.labels], _addressed(config, read.index, nothing), nothing)
    index, codes = load_npz(path)
    nothing = [""] * len(codes)
    return _New(index, [str(code) for code in codes], _addressed(config, index, nothing), nothing)


def _addressed(config: StudyConfig, index: ImageIndex, urls: list[str]) -> list[str]:
    """Addresses, by the name that the images have in their own place."""
    return [url or prefixed(config, name) for name, url in zip(index.names, urls, strict=True)]


def _codes(
    config: StudyConfig, data: Dataset, labels: list[str], images: str
) -> tuple[Ints, tuple[str, ...]]:
    """Class code of each new image, -1 where it has no label, and how labels were read.

    Raises:
        InputError: a label is none of the study's classes.
    """
    names = match_classes(f"--images: {images}: labels", labels, data.classes)
    codes = [names.code(label) for label in labels]
    for label, code in zip(labels, codes, strict=True):
        if code is None:
            raise InputError(
                f"--images: {images}: label {label!r} is no class of the study; "
                f"{nearest(label, data.classes)}"
            )
    return np.array(codes, dtype=np.int64), names.notes


def _joined(old: ImageIndex, new: ImageIndex, rows: list[int], stem: str) -> ImageIndex:
    """Both indices as one; new names get their source in front where they would collide."""
    from training.images import ImageIndex

    names = [new.names[row] for row in rows]
    if set(names) & set(old.names):
        names = [f"{stem}/{name}" for name in names]
    pixels = None
    if old.pixels is not None and new.pixels is not None:
        if old.pixels.shape[1:] != new.pixels.shape[1:] or old.pixels.dtype != new.pixels.dtype:
            raise InputError(
                f"--images: images of {new.pixels.shape[1:]} {new.pixels.dtype} beside the study's "
                f"of {old.pixels.shape[1:]} {old.pixels.dtype}; give the same size and type"
            )
        pixels = np.concatenate([old.pixels, new.pixels[rows]])
    vectors = None
    if (old.vectors is None) != (new.vectors is None):
        form = "images" if old.vectors is None else "features"
        raise InputError(f"--images: the study's file holds {form}; give the new ones likewise")
    if old.vectors is not None and new.vectors is not None:
        if old.vectors.shape[1] != new.vectors.shape[1]:
            raise InputError(
                f"--images: {new.vectors.shape[1]} features beside the study's "
                f"{old.vectors.shape[1]}; give those of the same encoder"
            )
        vectors = np.concatenate([old.vectors, new.vectors[rows]])
    paths = None
    if old.paths is not None and new.paths is not None:
        paths = (*old.paths, *(new.paths[row] for row in rows))
    return ImageIndex(
        (*old.names, *names),
        (*old.hashes, *(new.hashes[row] for row in rows)),
        pixels,
        paths,
        max(old.side, new.side),
        vectors,
    )
