"""Features of single images, kept by content: a pool that grows pays for its new images only.

A folder holds what one backbone gave, in files that are written whole and never changed: each has
the content hashes and the features of the images of one pass. A damaged file counts as missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from budget.files import locked, private_folder, write_whole

Values = NDArray[np.float32]

_DIGEST = 16  # bytes at the end of a file
_ENDING = ".rows"


def gathered(
    hashes: Sequence[str], folder: Path, compute: Callable[[list[int], str], Values]
) -> Values:
    """Features of images; those that no file holds are computed and kept.

    Of several processes one computes; the others wait for it.

    Args:
        hashes: content hash of each image.
        folder: of the backbone: its name has to cover everything but the images that features
            depend on. A feature must not depend on the other images of its pass.
        compute: the features of some rows, and a name for their pass.

    Returns:
        [n, D].

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        private_folder(folder)
        with locked(folder / "lock"):
            owned = _owned(folder, set(hashes))
            first = {content: row for row, content in reversed(list(enumerate(hashes)))}
            missing = sorted(row for content, row in first.items() if content not in owned)
            if missing:
                lacking = [hashes[row] for row in missing]
                name = hashlib.blake2b("\n".join(lacking).encode(), digest_size=16).hexdigest()
                values = compute(missing, name)
                write_whole(folder / f"{name}{_ENDING}", _packed(lacking, values))
                owned |= dict(zip(lacking, values, strict=True))
    except OSError as error:
        raise InputError(f"{folder}: cannot write the feature cache ({error.strerror})") from None
    return np.stack([owned[content] for content in hashes])


def _owned(folder: Path, wanted: set[str]) -> dict[str, Values]:
    """Features that are kept, of the images that are wanted."""
    owned: dict[str, Values] = {}
    for file in sorted(folder.glob(f"*{_ENDING}")):
        for content, values in _unpacked(file):
            if content in wanted:
                owned[content] = values
    return owned


def _packed(hashes: Sequence[str], values: Values) -> bytes:
    from safetensors.numpy import save

    codes = np.frombuffer(bytes.fromhex("".join(hashes)), dtype=np.uint8)
    body = save({"hashes": codes, "values": np.ascontiguousarray(values, dtype=np.float32)})
    return body + _digest(body)


def _unpacked(file: Path) -> list[tuple[str, Values]]:
    """Content hashes and features of a file; nothing of a damaged one."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = file.read_bytes()
        body = content[:-_DIGEST]
        if content[len(body) :] != _digest(body):
            return []
        arrays = load(body)
        codes, values = arrays["hashes"].tobytes().hex(), arrays["values"]
    except (OSError, SafetensorError, KeyError, ValueError):
        return []
    size = len(codes) // max(len(values), 1)
    return [(codes[at * size : (at + 1) * size], row) for at, row in enumerate(values)]


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST).digest()
