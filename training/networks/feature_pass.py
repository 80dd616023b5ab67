"""The pass over all images: in parts that are kept, so that a pass that was killed goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
PassWatch = Callable[[int, int], None]
"""Told how many images are done, of how many."""

PART = 256
"""Images a part: a killed pass loses the seconds that one part takes."""

_watch: ContextVar[PassWatch | None] = ContextVar("watch of the feature pass", default=None)


@contextmanager
def watching(watch: PassWatch) -> Iterator[None]:
    """Tell about every pass that runs in this block."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def in_parts(
    n: int,
    compute: Callable[[list[int]], Values],
    folder: Path,
    read: Callable[[Path, int], Values | None],
    write: Callable[[Path, Values], None],
) -> Values:
    """Features of n images, part by part; parts that an earlier pass kept are not computed again.

    Args:
        n: number of images.
        compute: the features of some rows.
        folder: where parts are kept; its name has to cover everything that they depend on.
        read: a part from a file and its number of rows; None where it is missing or damaged.
        write: keeps a part whole.

    Returns:
        [n, D].
    """
    parts = []
    tell = _watch.get() or (lambda done, of: None)
    tell(0, n)
    for first in range(0, n, PART):
        rows = list(range(first, min(first + PART, n)))
        file = folder / f"{first:09d}.safetensors"
        values = read(file, len(rows))
        if values is None:
            values = compute(rows)
            write(file, values)
        parts.append(values)
        tell(rows[-1] + 1, n)
    return np.concatenate(parts)


def forget_parts(folder: Path) -> None:
    """Remove the parts of a pass that is over."""
    shutil.rmtree(folder, ignore_errors=True)
