"""Recorded answers: what real people answered somewhere, read from the formats it is kept in.

A long table (CSV or Parquet) holds one answer per row; an array of labels (CIFAR-10N) a row per
task and a column per answer; a count matrix (CIFAR-10H) a row per task and a column per class.
All become one `Recording` in columns.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from labeling.types import Bools, Floats, Ints

_SYNONYMS = {"worker": "annotator", "annotator_id": "annotator", "worker_id": "annotator"}
_MISSING = ("", "nan", "null", "none")


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


def read_recording(path: str | Path, classes: Sequence[str] | None = None) -> Recording:
    """Read recorded answers.

    Args:
        path: `.csv` (also `.csv.gz`) or `.parquet` with columns task, label, and optionally
            annotator (or worker), seconds and gold, one answer per row; `.npz` with `label`
            [n, answers] (-1 for none) or `counts` [n, C], and optionally `clean` [n]; `.npy` with
            counts; or a CSV of counts, a column per class and optionally task and gold.
        classes: the class names; a label is one of them, or its index. Without them the classes
            are the labels found, or 0 to the largest where all are whole numbers.

    Raises:
        InputError: the file cannot be read, lacks a column, or holds a value that cannot be; the
            message names file, row, column and remedy.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{file}: no such file of recorded answers")
    kind = file.name.lower()
    if kind.endswith((".npz", ".npy")):
        return _from_arrays(file, _load_arrays(file), classes)
    if kind.endswith((".csv", ".csv.gz")):
        table = _read_csv(file)
    elif kind.endswith(".parquet"):
        table = _read_parquet(file)
    else:
        raise InputError(f"{file}: recorded answers are .csv, .csv.gz, .parquet, .npz or .npy")
    columns = {_SYNONYMS.get(name.strip().lower(), name.strip()): name for name in table}
    table = {name: table[given] for name, given in columns.items()}
    if "label" in table or "annotator" in table:
        return _from_long(file, table, classes)
    return _from_count_table(file, table, classes)


def task_rows(recording: Recording, names: Sequence[str]) -> dict[int, int]:
    """Which recorded task belongs to which image: image row -> position of the task, by name.

    Images without a recorded task are left out. The tasks of an array are named by their position,
    "0", "1", ..., and so belong to images of the same positions.

    Args:
        recording: the answers.
        names: the images' names, by row.

    Raises:
        InputError: no image has a recorded task, or two tasks have one name.
    """
    places = {name: place for place, name in enumerate(recording.tasks)}
    found = {row: places[name] for row, name in enumerate(names) if name in places}
    if not found:
        raise InputError(
            f"{recording.source}: no task is named like an image (tasks such as "
            f"{recording.tasks[0]!r}, images such as {names[0] if names else ''!r}); name the "
            "tasks as the images are named"
        )
    return found


# --- long tables ---


def _read_csv(file: Path) -> dict[str, list[str]]:
    opener = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rt", encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader, [])
            rows = [row for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
        raise InputError(f"{file}: cannot be read as CSV: {error}") from None
    if len(set(header)) < len(header):
        raise InputError(f"{file}: a column name comes twice in its first line; name each once")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise InputError(
                f"{file}: row {number} has {len(row)} fields, its first line {len(header)}; "
                "quote fields that hold commas"
            )
    columns = zip(*rows, strict=True) if rows else ([] for _ in header)
    return {name: list(column) for name, column in zip(header, columns, strict=True)}


def _read_parquet(file: Path) -> dict[str, list[str]]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(
            f"{file}: reading Parquet needs pyarrow; install labelworth[parquet], or save as CSV"
        ) from None
    try:
        table = parquet.read_table(file).to_pydict()
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read as Parquet: {error}") from None
    return {
        name: ["" if value is None else str(value) for value in column]
        for name, column in table.items()
    }


def _from_long(
    file: Path, table: Mapping[str, list[str]], classes: Sequence[str] | None
) -> Recording:
    for name in ("task", "label"):
        if name not in table:
            raise InputError(
                f"{file}: column {name!r} is missing (found: {', '.join(table) or 'none'}); "
                "answers need columns task,annotator,label and may have seconds,gold"
            )
    if not table["task"]:
        raise InputError(f"{file}: there are no answers below its first line")
    tasks, task = _codes(file, "task", table["task"])
    gold_text = table.get("gold", [])
    names = _class_names(file, table["label"], gold_text, classes)
    label = _labels(file, "label", table["label"], names)
    annotator = None
    if any(value.strip() for value in table.get("annotator", [])):
        _, annotator = _codes(file, "annotator", table["annotator"])
        _check_once(file, task, annotator, table)
    return Recording(
        file.name,
        names,
        tasks,
        task,
        label,
        annotator,
        _seconds(file, table.get("seconds", [])),
        _gold(file, gold_text, names, task, len(tasks)),
    )


def _codes(file: Path, column: str, values: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
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


def _class_names(
    file: Path, labels: Sequence[str], gold: Sequence[str], classes: Sequence[str] | None
) -> tuple[str, ...]:
    if classes is not None:
        return tuple(classes)
    found = {value.strip() for value in (*labels, *gold) if value.strip().lower() not in _MISSING}
    if all(name.isdecimal() for name in found):
        most = max((int(name) for name in found), default=0)
        if most > 10_000:
            raise InputError(f"{file}: column label: class {most} is above 10000; number from 0")
        names = tuple(str(number) for number in range(max(most + 1, 2)))
    else:
        names = tuple(sorted(found))
    if len(names) < 2:
        raise InputError(f"{file}: column label: all answers are {names[0]!r}; name the classes")
    return names


def _labels(
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


def _check_once(file: Path, task: Ints, annotator: Ints, table: Mapping[str, list[str]]) -> None:
    pair = task * (int(annotator.max()) + 1) + annotator
    _, first = np.unique(pair, return_index=True)
    if len(first) < len(pair):
        at = int(np.setdiff1d(np.arange(len(pair)), first)[0])
        raise InputError(
            f"{file}: row {at + 2}: annotator {table['annotator'][at]!r} answers task "
            f"{table['task'][at]!r} a second time; keep one of the answers"
        )


def _seconds(file: Path, values: Sequence[str]) -> Floats | None:
    if not any(value.strip().lower() not in _MISSING for value in values):
        return None
    seconds = np.full(len(values), np.nan)
    for at, value in enumerate(values):
        if value.strip().lower() in _MISSING:
            continue
        try:
            seconds[at] = float(value)
        except ValueError:
            seconds[at] = -1.0
        if not 0 < seconds[at] < math.inf:
            raise InputError(
                f"{file}: row {at + 2}, column seconds: {value!r} is not a time above 0; correct "
                "it, or leave it empty where the time is unknown"
            )
    return seconds


def _gold(
    file: Path, values: Sequence[str], names: tuple[str, ...], task: Ints, tasks: int
) -> Ints:
    """[tasks] true class by task; -1 where no row says it."""
    gold = np.full(tasks, -1, dtype=np.int64)
    rows = [at for at, value in enumerate(values) if value.strip().lower() not in _MISSING]
    given = _labels(file, "gold", values, names, rows)
    for at, true in zip(rows, given.tolist(), strict=True):
        if gold[task[at]] not in (-1, true):
            raise InputError(
                f"{file}: row {at + 2}, column gold: {values[at]!r}, but an earlier row has "
                "another true class for this task; correct one"
            )
        gold[task[at]] = true
    return gold


# --- arrays and counts ---


def _load_arrays(file: Path) -> dict[str, NDArray[Any]]:
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"counts": loaded}
        with loaded:
            names = [name for name in ("label", "counts", "clean", "gold") if name in loaded]
            return {name: loaded[name] for name in names}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: cannot be read as a numpy file: {error}") from None


def _from_arrays(
    file: Path, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str] | None
) -> Recording:
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
    return _checked(file, names, tuple(map(str, range(len(table)))), task, label, gold)


def _from_count_table(
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
        tasks, places = _codes(file, "task", table["task"])
        if len(tasks) < rows:
            raise InputError(f"{file}: a task comes twice; give each one row of counts")
    gold = _gold(file, table.get("gold", []), names, places, rows)
    return _checked(file, names, tasks, *_expand(counts), gold)


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


def _checked(
    file: Path, names: tuple[str, ...], tasks: tuple[str, ...], task: Ints, label: Ints, gold: Ints
) -> Recording:
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
