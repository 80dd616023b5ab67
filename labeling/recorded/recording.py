"""Recorded answers in memory, and the checks that every format passes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from budget.errors import InputError
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
        annotator: [A] code of the annotator, from 0; None where nobody recorded who answered.
        seconds: [A] working time on the answer, NaN where unknown; None where none is known.
        gold: [N] true class, -1 where unknown.
    """

    source: str
    classes: tuple[str, ...]
    tasks: tuple[str, ...]
    task: Ints
    label: Ints
    annotator: Ints | None
    seconds: Floats | None
    gold: Ints

    def __len__(self) -> int:
        return len(self.task)

    @property
    def key(self) -> str:
        """Content hash of everything but the file's name."""
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
        return Recording(
            self.source,
            self.classes,
            self.tasks,
            self.task[mask],
            self.label[mask],
            None if self.annotator is None else self.annotator[mask],
            None if self.seconds is None else self.seconds[mask],
            self.gold,
        )


def codes_of(file: Path, column: str, values: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """Names in the order in which they come first, and each row's place among them."""
    places: dict[str, int] = {}
    codes = np.empty(len(values), dtype=np.int64)
    for at, value in enumerate(values):
        name = value.strip()
        if not name:
            raise InputError(
                f"{file}: row {at + 2}, column {column}: it is empty; give each answer its {column}"
            )
        codes[at] = places.setdefault(name, len(places))
    return tuple(places), codes


def gold_of(
    file: Path, values: Sequence[str], names: tuple[str, ...], task: Ints, tasks: int
) -> Ints:
    """[tasks] true class by task; -1 where no row says it."""
    gold = np.full(tasks, -1, dtype=np.int64)
    rows = [at for at, value in enumerate(values) if value.strip().lower() not in MISSING]
    given = labels_of(file, "gold", values, names, rows)
    for at, true in zip(rows, given.tolist(), strict=True):
        if gold[task[at]] not in (-1, true):
            raise InputError(
                f"{file}: row {at + 2}, column gold: {values[at]!r}, but an earlier row has "
                "another true class for this task; correct one"
            )
        gold[task[at]] = true
    return gold


def checked(
    file: Path, names: tuple[str, ...], tasks: tuple[str, ...], task: Ints, label: Ints, gold: Ints
) -> Recording:
    """The recording, if every part of it can be."""
    if not len(task):
        raise InputError(f"{file}: it holds no answers")
    most = len(names)
    for column, classes, row in (("label", label, task), ("clean", gold, np.arange(len(gold)))):
        bad = np.flatnonzero(classes >= most)
        if len(bad):
            raise InputError(
                f"{file}: row {row[bad[0]]}, {column}: class {classes[bad[0]]} is not one of the "
                f"{most} classes; correct it, or name more classes"
            )
    return Recording(file.name, names, tasks, task, label, None, None, gold)


MISSING = ("", "nan", "null", "none")


def labels_of(
    file: Path,
    column: str,
    values: Sequence[str],
    names: tuple[str, ...],
    rows: Sequence[int] | None = None,
) -> Ints:
    """Class index of the values (of some rows only); a value is a class's name or its index."""
    known = {str(place): place for place in range(len(names))}
    known |= {name: place for place, name in enumerate(names)}
    rows = range(len(values)) if rows is None else rows
    found = [known.get(values[at].strip(), -1) for at in rows]
    if -1 in found:
        at = rows[found.index(-1)]
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise InputError(
            f"{file}: row {at + 2}, column {column}: {values[at]!r} is not one of the "
            f"{len(names)} classes ({shown}); correct it, or name it among the classes"
        )
    return np.array(found, dtype=np.int64)
