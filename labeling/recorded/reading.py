"""Recorded answers of real annotators, read from the usual file formats.

A table holds answers in one of the formats of `formats.registry`; Label Studio also exports JSON.
An array of labels (CIFAR-10N) has a row per task and a column per answer. A count matrix
(CIFAR-10H) has a row per task and a column per class. Each format becomes a `Recording` in columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from budget.errors import InputError
from labeling.recorded.answer_cells import AnswerCells, ReadingChoices, to_recording
from labeling.recorded.arrays import from_arrays, load_arrays
from labeling.recorded.formats.label_studio_export import read_label_studio_json
from labeling.recorded.formats.registry import FORMATS
from labeling.recorded.recording import Recording
from labeling.tables.parquet import read_parquet
from labeling.tables.spelling import plain_name
from labeling.tables.table import RowTable, read_table

_TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_ASIS = ReadingChoices()


def read_recording(
    path: str | Path, classes: Sequence[str] | None = None, choices: ReadingChoices = _ASIS
) -> Recording:
    """Read recorded answers.

    Args:
        path: `.csv`, `.tsv` (also `.gz`) or `.parquet` with one answer per row, one column per
            annotator, or one column per class with the number of answers; a table of Toloka,
            Mechanical Turk or Label Studio; `.json` of Label Studio; `.npz` with `label`
            [n, answers] (-1 for no answer) or `counts` [n, C], and optionally `clean` [n]; `.npy`
            with counts.
        classes: the class names; None takes the distinct labels as classes.
        choices: what to do about labels that look wrong.

    Raises:
        InputError: the file cannot be read, lacks a column, or holds an invalid value; the message
            names file, row, column and remedy.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{file}: no such file of recorded answers")
    kind = file.name.lower()
    if kind.endswith((".npz", ".npy")):
        return from_arrays(file, load_arrays(file), classes)
    answers: AnswerCells | RowTable
    if kind.endswith(_TABLES):
        answers = read_table(file)
    elif kind.endswith(".json"):
        answers = read_label_studio_json(file)
    elif kind.endswith(".parquet"):
        answers = read_parquet(file)
    else:
        raise InputError(
            f"{file}: recorded answers are .csv, .tsv (also .gz), .json, .parquet, .npz or .npy"
        )
    if isinstance(answers, RowTable):
        answers = _answers_of(answers, classes)
    return to_recording(answers, classes, choices)


def _answers_of(table: RowTable, classes: Sequence[str] | None) -> AnswerCells:
    for kind in FORMATS:
        if kind.recognises(table, classes):
            return kind.read(table)
    raise InputError(f"{table.origin}: no known table of answers")


def task_rows(recording: Recording, names: Sequence[str]) -> dict[int, int]:
    """Recorded task of each image, matched by name: image row -> position of the task.

    Images without a recorded task are left out. The tasks of an array are named by their position,
    "0", "1", ...: they match images with these names.

    Args:
        recording: the answers.
        names: the images' names, by row.

    Raises:
        InputError: no image has a recorded task.
    """
    places = {name: place for place, name in enumerate(recording.tasks)}
    spelled = [plain_name(name) for name in names]
    task_of = {row: places[name] for row, name in enumerate(spelled) if name in places}
    if not task_of:
        raise InputError(
            f"{recording.source}: no task is named like an image (tasks such as "
            f"{recording.tasks[0]!r}, images such as {names[0] if names else ''!r}); name the "
            "tasks as the images are named"
        )
    return task_of
