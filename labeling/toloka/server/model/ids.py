"""Ids of objects: they have a fixed width and rise, so that paging by id is paging by age."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter

_FIRST = {"project": 10_000_001, "pool": 30_000_001, "skill": 50_001, "restriction": 70_000_001}


class Ids:
    """Creates ids; the same sequence of calls gives the same ids."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.created: Counter[str] = Counter()

    def number(self, kind: str) -> str:
        """A decimal id: projects, pools, skills, restrictions, bonuses."""
        self.created[kind] += 1
        return str(_FIRST.get(kind, 1_000_000_001) + self.created[kind] - 1)

    def within(self, kind: str, pool: str) -> str:
        """An id of a task, suite or assignment: the pool's id in hex, and a number."""
        self.created[kind] += 1
        return f"{int(pool):010x}--{self.created[kind]:024x}"

    def unique(self, kind: str) -> str:
        """A UUID, for operations and rules."""
        self.created[kind] += 1
        return str(uuid.UUID(digest(str(self._seed), kind, str(self.created[kind]))))


def digest(*words: str) -> str:
    """Hash of the words, 32 hex digits."""
    return hashlib.blake2b("\x1f".join(words).encode(), digest_size=16).hexdigest()


def user_id(key: str, person: int) -> str:
    """An annotator's id: a hash of the crowd's key, and the annotator's number in the crowd."""
    return f"{digest('annotator', key)[:22]}{person:010d}"
