"""Random streams; a seed and the words of a purpose determine each stream alone."""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose; it does not depend on earlier draws."""
    text = "\x1f".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A generator for one purpose."""
    return np.random.default_rng(derive(seed, *purpose))


def stream(seed: int, *purpose: str) -> np.random.Generator:
    """A generator that depends on a seed and the words of a purpose alone."""
    digest = hashlib.blake2b("\x1f".join((str(seed), *purpose)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))
