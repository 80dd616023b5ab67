"""Recorded answers kept as arrays: one row an answer, or counts by task and class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from labeling.recorded.recording import Recording, checked, codes_of, gold_of
from labeling.types import Ints


def load_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file, without pickles."""
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"counts": loaded}
        with loaded:
            names = [name for name in ("label", "counts", "clean", "gold") if name in loaded]
            return {name: loaded[name] for name in names}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: cannot be read as a numpy file: {error}") from None


def from_arrays(
    file: Path, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str] | None
) -> Recording:
    """A recording from arrays: one row an answer, or counts by task and class."""
    if "label" in arrays:
        table = _matrix(file, "label", arrays["label"], least=-1)
        row, place = np.nonzero(table >= 0)
        task, label = row.astype(np.int64), table[row, place]
    elif "counts" in arrays:
        table = _matrix(file, "counts", arrays["counts"], least=0)
        task, label = _expand(table)
    else:
        raise InputError(
            f"{file}: it holds neither label [n, answers] nor counts [n, classes]; name one so"
        )
    gold = np.full(len(table), -1, dtype=np.int64)
    given = arrays.get("clean", arrays.get("gold"))
    if given is not None:
        if given.shape != (len(table),) or given.dtype.kind not in "iu":
            raise InputError(f"{file}: clean must hold one whole number per row, {len(table)}")
        gold = given.astype(np.int64)
    found = table.shape[1] if "label" not in arrays else 1 + int(max(table.max(), gold.max()))
    names = tuple(classes) if classes else tuple(str(number) for number in range(max(found, 2)))
    return checked(file, names, tuple(map(str, range(len(table)))), task, label, gold)


def from_count_table(
    file: Path, table: Mapping[str, list[str]], classes: Sequence[str] | None
) -> Recording:
    """A CSV of counts: a column per class, named after it, and optionally task and gold."""
    named = [name for name in table if name not in ("task", "gold")]
    if len(named) < 2:
        raise InputError(
            f"{file}: column 'label' is missing (found: {', '.join(table) or 'none'}); answers "
            "need columns task,annotator,label and may have seconds,gold"
        )
    names = tuple(classes) if classes else tuple(named)
    for name in named:
        if name not in names:
            raise InputError(
                f"{file}: column {name!r} is not one of the classes; rename or drop it"
            )
    rows = len(table[named[0]])
    counts = np.zeros((rows, len(names)), dtype=np.int64)
    for name in named:
        for at, value in enumerate(table[name]):
            if not value.strip().isdecimal():
                raise InputError(
                    f"{file}: row {at + 2}, column {name}: {value!r} is not a number of answers"
                )
            counts[at, names.index(name)] = int(value)
    tasks, places = tuple(map(str, range(rows))), np.arange(rows)
    if "task" in table:
        tasks, places = codes_of(file, "task", table["task"])
        if len(tasks) < rows:
            raise InputError(f"{file}: a task comes twice; give each one row of counts")
    gold = gold_of(file, table.get("gold", []), names, places, rows)
    return checked(file, names, tasks, *_expand(counts), gold)


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
