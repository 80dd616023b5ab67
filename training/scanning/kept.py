"""Scans that are kept: content hash and side of each file, by its name, size and times.

A file is decoded again when its size, its time of writing or its time of change differs. A file
that changed less than two seconds before it is looked at is not kept: it may change once more
within the same tick of the file system's clock. Pixels that are read later are held against the
hash, kept or not. A damaged file of scans counts as missing, with one line in the log.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from budget.files import private_folder, write_whole

YOUNG_NS = 2_000_000_000  # the coarsest clock of a file system in use, that of FAT
_CODE = 1  # raise it when a change of the reader changes hashes
_DIGEST = 32  # hex digits in the first line of a file

_log = logging.getLogger("labelworth")


class Seen(NamedTuple):
    """A file that was decoded.

    Attributes:
        stamp: its size, and when it was written and changed, in nanoseconds.
        content: hash of its pixels.
        side: its longest side in pixels.
    """

    stamp: tuple[int, int, int]
    content: str
    side: int


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file changes; None for a file too young to tell, or a missing one."""
    try:
        facts = path.stat()
    except OSError:
        return None
    if time.time_ns() - max(facts.st_mtime_ns, facts.st_ctime_ns) < YOUNG_NS:
        return None
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def read_seen(cache: Path, base: Path) -> dict[str, Seen]:
    """Files of a folder that were decoded before, by name.

    Args:
        cache: folder of the cache.
        base: the images' folder, resolved.
    """
    file = _file(cache, base)
    try:
        content = file.read_bytes()
    except OSError:
        return {}
    body = content[_DIGEST + 1 :]
    if content[:_DIGEST] != _digest(body).encode():
        _log.warning("%s is damaged: the images are read again", file)
        return {}
    read = json.loads(body)
    if read["reader"] != _reader():
        return {}
    return {name: Seen((size, m, c), h, side) for name, (size, m, c, h, side) in read["files"]}


def keep_seen(cache: Path, base: Path, seen: Mapping[str, Seen]) -> None:
    """Keep decoded files. A cache that cannot be written costs time alone.

    Args:
        cache: folder of the cache, created if it is missing.
        base: the images' folder, resolved.
        seen: all files to keep, by name.
    """
    rows = [(name, (*item.stamp, item.content, item.side)) for name, item in seen.items()]
    body = json.dumps({"reader": _reader(), "files": rows}).encode()
    file = _file(cache, base)
    try:
        private_folder(file.parent)
        write_whole(file, _digest(body).encode() + b"\n" + body)
    except OSError as error:
        _log.warning("%s: cannot be written (%s): images are read again", file, error.strerror)


def _file(cache: Path, base: Path) -> Path:
    return cache / "scans" / f"{_digest(str(base).encode())}.json"


def _reader() -> str:
    """What a hash depends on beside the file."""
    from PIL import __version__ as pillow

    from training.decoding import heif_version

    return f"{_CODE} pillow {pillow} heif {heif_version()}"


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=_DIGEST // 2).hexdigest()
