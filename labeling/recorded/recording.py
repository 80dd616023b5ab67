"""Recorded answers in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from labeling.types import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Recording:
    """Answers in columns, one row per answer.

    Attributes:
        source: name of the file, for messages.
        classes: names of the C classes.
        tasks: names of the N tasks.
        task: [A] position of the task in `tasks`.
        label: [A] class index.
        annotator: [A] code of the annotator, from 0; None for a recording without annotators' ids.
        seconds: [A] working time on the answer, NaN if unknown; None if all are unknown.
        gold: [N] true class, -1 if unknown.
        notes: what was read as something else, left out or not used, one line each.
    """

    source: str
    classes: tuple[str, ...]
    tasks: tuple[str, ...]
    task: Ints
    label: Ints
    annotator: Ints | None
    seconds: Floats | None
    gold: Ints
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.task)

    @property
    def key(self) -> str:
        """Content hash of all fields except the file's name and the notes."""
        digest = hashlib.blake2b(digest_size=8)
        digest.update("\x1f".join((*self.classes, "", *self.tasks)).encode())
        for column in (self.task, self.label, self.annotator, self.seconds, self.gold):
            digest.update(b"-" if column is None else column.tobytes())
        return digest.hexdigest()

    @property
    def answers_per_task(self) -> Ints:
        """[N] recorded answers on each task."""
        return np.bincount(self.task, minlength=len(self.tasks)).astype(np.int64)

    def where(self, mask: Bools) -> Recording:
        """The answers for which the mask is true; tasks and codes stay."""
        return replace(
            self,
            task=self.task[mask],
            label=self.label[mask],
            annotator=None if self.annotator is None else self.annotator[mask],
            seconds=None if self.seconds is None else self.seconds[mask],
        )
