"""Recorded answers: what real people answered somewhere, read from the formats it is kept in.

A long table (CSV or Parquet) holds one answer per row; an array of labels (CIFAR-10N) a row per
task and a column per answer; a count matrix (CIFAR-10H) a row per task and a column per class.
All become one `Recording` in columns.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from budget.errors import InputError
from labeling.recorded.arrays import from_arrays, from_count_table, load_arrays
from labeling.recorded.recording import MISSING, Recording, codes_of, gold_of, labels_of
from labeling.types import Floats, Ints

_SYNONYMS = {"worker": "annotator", "annotator_id": "annotator", "worker_id": "annotator"}


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
        return from_arrays(file, load_arrays(file), classes)
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
    return from_count_table(file, table, classes)


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
    tasks, task = codes_of(file, "task", table["task"])
    gold_text = table.get("gold", [])
    names = _class_names(file, table["label"], gold_text, classes)
    label = labels_of(file, "label", table["label"], names)
    annotator = None
    if any(value.strip() for value in table.get("annotator", [])):
        _, annotator = codes_of(file, "annotator", table["annotator"])
        _check_once(file, task, annotator, table)
    return Recording(
        file.name,
        names,
        tasks,
        task,
        label,
        annotator,
        _seconds(file, table.get("seconds", [])),
        gold_of(file, gold_text, names, task, len(tasks)),
    )


def _class_names(
    file: Path, labels: Sequence[str], gold: Sequence[str], classes: Sequence[str] | None
) -> tuple[str, ...]:
    if classes is not None:
        return tuple(classes)
    found = {value.strip() for value in (*labels, *gold) if value.strip().lower() not in MISSING}
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
    if not any(value.strip().lower() not in MISSING for value in values):
        return None
    seconds = np.full(len(values), np.nan)
    for at, value in enumerate(values):
        if value.strip().lower() in MISSING:
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


# --- arrays and counts ---
