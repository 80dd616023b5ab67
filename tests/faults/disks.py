"""Disks of a chosen size, in a mount namespace of a forked child: they are gone when it is."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from tests.forks import ended, forked

_NEW_MOUNTS, _PRIVATE, _RECURSIVE, _REMOUNT, _READ_ONLY = 0x20000, 1 << 18, 1 << 14, 32, 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def _call(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _mount(place: Path | str, kind: str, flags: int, options: str) -> None:
    words = [b"none", os.fsencode(place), kind.encode()]
    _call(_LIBC.mount(*words, ctypes.c_ulong(flags), options.encode()))


def mount(place: Path, options: str) -> None:
    """Put a disk in memory at a folder, for this process and its children alone."""
    _call(_LIBC.unshare(_NEW_MOUNTS))
    _mount("/", "none", _PRIVATE | _RECURSIVE, "")
    _mount(place, "tmpfs", 0, options)


def change(place: Path, options: str, read_only: bool = False) -> None:
    """Give a disk of `mount` another size, or take away the right to write."""
    _mount(place, "tmpfs", _REMOUNT | (_READ_ONLY if read_only else 0), options)


def may_mount(folder: Path) -> bool:
    """Whether this user may mount disks."""
    return ended(forked(lambda: mount(folder, "size=64k"), folder / "said")) == 0
