"""Recorded answers from arrays: labels by task and answer, or counts by task and class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from labeling.recorded.recording import Recording
from labeling.tables.arrays import read_arrays
from labeling.tables.classes import ClassNames, match_classes, read_classes
from labeling.tables.text import note
from labeling.types import Ints

_MOST = 100_000_000  # answers of a file


def load_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file; the one of an .npy file are the counts."""
    arrays, _ = read_arrays(file, ("label", "counts", "clean", "gold"))
    return {name or "counts": array for name, array in arrays.items()}


def from_arrays(
    file: Path, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str] | None
) -> Recording:
    """A recording from arrays: labels by task and answer, or counts by task and class.

    Raises:
        InputError: an array has another shape, or holds a class that is none.
    """
    if "label" in arrays:
        return _from_labels(file, arrays, classes)
    if "counts" in arrays:
        return _from_counts(file, arrays, classes)
    raise InputError(
        f"{file}: it holds neither label [n, answers] nor counts [n, classes]; name one so"
    )


def _from_labels(
    file: Path, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str] | None
) -> Recording:
    """Each number is a class's name, or a position where the given names are no numbers."""
    table = _matrix(file, "label", _whole_if_missing(arrays["label"]), least=-1)
    gold = _clean(file, arrays, len(table))
    seen, which = np.unique(np.r_[table.ravel(), gold], return_inverse=True)
    values = [str(value) for value in seen.tolist() if value >= 0]
    if classes is None:
        known = read_classes(f"{file}: label", values)
    else:
        known = match_classes(f"{file}: label", values, classes)
    unknown = len(known.names)
    found = [known.code(str(value)) if value >= 0 else -1 for value in seen.tolist()]
    codes = np.array([unknown if code is None else code for code in found], dtype=np.int64)[which]
    label, true = codes[: table.size].reshape(table.shape), codes[table.size :]
    for name, given, column in (("label", table, label), ("clean", gold, true)):
        wrong = np.argwhere(column == unknown)
        if len(wrong):
            raise InputError(
                f"{file}: row {wrong[0][0]}, {name}: class {given[tuple(wrong[0])]} is not one of "
                f"the {unknown} classes; correct it, or name more classes"
            )
    task, place = np.nonzero(label >= 0)
    return _made(file, known, task.astype(np.int64), label[task, place], true)


def _from_counts(
    file: Path, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str] | None
) -> Recording:
    """Columns are classes in their order."""
    table = _matrix(file, "counts", arrays["counts"], least=0)
    count = table.shape[1]
    names = tuple(map(str, range(max(count, 2)))) if classes is None else tuple(classes)
    if classes is not None and count != len(names):
        raise InputError(
            f"{file}: counts has {count} columns for {len(names)} classes; give each a column"
        )
    notes: tuple[str, ...] = ()
    if classes is not None:
        words = f"columns of counts are the classes in order: {', '.join(names[:5])}"
        notes = (note(str(file), words),)
    if (total := table.sum(dtype=np.float64)) > _MOST:
        raise InputError(f"{file}: counts are {total:.3g} answers, more than {_MOST:,}")
    gold = _clean(file, arrays, len(table))
    bad = np.flatnonzero(gold >= len(names))
    if len(bad):
        raise InputError(
            f"{file}: row {bad[0]}, clean: class {gold[bad[0]]} is not one of the {len(names)} "
            "classes; correct it, or name more classes"
        )
    return _made(file, ClassNames(names, {}, notes), *_expand(table), gold)


def _made(file: Path, known: ClassNames, task: Ints, label: Ints, gold: Ints) -> Recording:
    if not len(task):
        raise InputError(f"{file}: it holds no answers")
    if len(known.names) < 2:
        raise InputError(f"{file}: all answers are {known.names[0]!r}; name the classes")
    tasks = tuple(map(str, range(len(gold))))
    return Recording(file.name, known.names, tasks, task, label, None, None, gold, known.notes)


def _clean(file: Path, arrays: Mapping[str, NDArray[Any]], rows: int) -> Ints:
    """True class by row; -1 where unknown."""
    given = arrays.get("clean", arrays.get("gold"))
    if given is None:
        return np.full(rows, -1, dtype=np.int64)
    if given.shape != (rows,) or given.dtype.kind not in "iu":
        raise InputError(f"{file}: clean must hold one whole number per row, {rows}")
    return np.maximum(given.astype(np.int64), -1)


def _whole_if_missing(array: NDArray[Any]) -> NDArray[Any]:
    """The array with -1 for NaN: no answer."""
    return np.where(np.isnan(array), -1, array) if array.dtype.kind == "f" else array


def _matrix(file: Path, name: str, array: NDArray[Any], least: int) -> Ints:
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        raise InputError(f"{file}: {name} must be a table of whole numbers, not {array.shape}")
    whole: Ints = np.nan_to_num(array, nan=0.5).astype(np.int64)
    bad = np.flatnonzero((whole != array).any(axis=1) | (whole < least).any(axis=1))
    if len(bad):
        raise InputError(f"{file}: {name}: row {bad[0]} holds no whole numbers of at least {least}")
    return whole


def _expand(counts: Ints) -> tuple[Ints, Ints]:
    """Task and label of each answer behind a table of counts."""
    task = np.repeat(np.arange(len(counts)), counts.sum(axis=1))
    label = np.repeat(np.tile(np.arange(counts.shape[1]), len(counts)), counts.ravel())
    return task.astype(np.int64), label.astype(np.int64)
