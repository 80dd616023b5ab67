"""Rows of a machine's answers: an image, and a probability of each class or a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from budget.money import Money
from labeling.tables.classes import label_codes, match_classes
from labeling.tables.columns import IMAGE
from labeling.tables.parquet import read_parquet
from labeling.tables.spelling import is_missing, plain_name, unguarded
from labeling.tables.table import RowTable, read_table
from labeling.types import Floats

_LABEL, _CONFIDENCE, _COST = ("label", "class", "prediction"), ("confidence", "score"), ("cost",)
_ARRAY = "probabilities"
_NAMES = "images"


@dataclass(frozen=True, slots=True, eq=False)
class MachineTable:
    """Answers of a machine.

    Attributes:
        images: the images' names, each once.
        said: [n, C] probabilities; rows sum to 1.
        cost: what each answer cost, where the file says so; empty else.
        notes: of the reading, one line each.
    """

    images: tuple[str, ...]
    said: Floats
    cost: tuple[Money, ...] = ()
    notes: tuple[str, ...] = ()


def read_machine_file(
    file: Path, array: str, classes: Sequence[str], setting: str = "--machine"
) -> MachineTable:
    """Read a machine's answers.

    Args:
        file: `.csv` or `.tsv` (also `.gz`) or `.parquet`: an image and a column per class, or an
            image, a label and a confidence; with a cost or without. Or `.npz`: an array [n, C] in
            the sequence of the images, or beside an array `images` of names.
        array: name of the array of an `.npz` file; "" for `probabilities`.
        classes: the classes, in code order.
        setting: that names the file, for messages.

    Raises:
        InputError: naming file, row and column that are wrong, and the remedy.
    """
    if not file.is_file():
        raise InputError(f"{setting}: {file}: no such file")
    kind = file.name.lower()
    if kind.endswith(".npz"):
        return _of_arrays(file, array or _ARRAY, len(classes), setting)
    if array:
        raise InputError(f"{setting}: {file}: only an .npz file has arrays; leave #{array} out")
    table = read_parquet(file) if kind.endswith(".parquet") else read_table(file)
    return machine_table(table, classes)


def _of_arrays(file: Path, array: str, classes: int, setting: str) -> MachineTable:
    try:
        with np.load(file, allow_pickle=False) as loaded:
            if array not in loaded:
                names = ", ".join(loaded.files)
                raise InputError(
                    f"{setting}: {file}: it holds no array {array}; there are {names}: name one as "
                    f"{file.name}#NAME"
                )
            said: NDArray[Any] = loaded[array]
            rows = loaded[_NAMES] if _NAMES in loaded else np.arange(len(said))
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{setting}: {file}: cannot be read as a numpy file: {error}") from None
    if said.ndim != 2 or said.shape[1] != classes or len(rows) != len(said):
        raise InputError(
            f"{setting}: {file}: {array} is {said.shape}; give a row for each image and a column "
            f"for each of the {classes} classes"
        )
    listed = tuple(str(name) for name in rows)
    return _made(f"{file}: {array}", listed, said.astype(np.float64), range(len(listed)))


def machine_table(table: RowTable, classes: Sequence[str]) -> MachineTable:
    """A machine's answers in a table.

    Args:
        table: the table.
        classes: the classes, in code order.

    Raises:
        InputError: as `read_machine_file`.
    """
    place = {name.strip().lower(): at for at, name in reversed(list(enumerate(table.header)))}

    def column(names: Sequence[str]) -> list[str] | None:
        at = next((place[name] for name in names if name in place), None)
        return None if at is None else table.column(at)

    image = column(IMAGE)
    if image is None:
        raise InputError(f"{table.origin}: a column image is needed; there are {table.header}")
    names = tuple(plain_name(unguarded(cell.strip())) for cell in image)
    said, notes = _said(table, place, column, classes)
    made = _made(table.origin, names, said, table.lines)
    cost = column(_COST)
    costs = () if cost is None else tuple(Money.parse(c, f"{table.origin}: cost") for c in cost)
    return MachineTable(made.images, made.said, costs, (*table.notes, *notes))


def _said(
    table: RowTable, place: Mapping[str, int], column: Any, classes: Sequence[str]
) -> tuple[Floats, tuple[str, ...]]:
    """Probabilities of the columns of classes; else of label and confidence."""
    at = [place.get(f"p({name})".lower(), place.get(name.lower())) for name in classes]
    if all(each is not None for each in at):
        columns = [_numbers(table, table.column(each)) for each in at if each is not None]
        return np.stack(columns, axis=1), ()
    label, confidence = column(_LABEL), column(_CONFIDENCE)
    if label is None:
        raise InputError(
            f"{table.origin}: give a column for each class ({', '.join(classes[:5])}), or columns "
            f"label and confidence; there are {', '.join(table.header)}"
        )
    known = match_classes(f"{table.origin}: label", label, classes)
    codes = np.array(label_codes(table.origin, "label", label, table.lines, known))
    if (codes < 0).any():
        line = table.lines[int(np.flatnonzero(codes < 0)[0])]
        raise InputError(f"{table.origin}: row {line} has no label; leave the row out")
    sure = np.ones(len(codes)) if confidence is None else _numbers(table, confidence)
    sure = np.clip(sure, 1 / len(classes), 1.0)
    rest = (1 - sure) / (len(classes) - 1)
    said = np.repeat(rest[:, None], len(classes), axis=1)
    said[np.arange(len(codes)), codes] = sure
    return said, known.notes


def _numbers(table: RowTable, cells: Sequence[str]) -> Floats:
    values = np.empty(len(cells))
    for at, (cell, line) in enumerate(zip(cells, table.lines, strict=True)):
        try:
            values[at] = float("nan") if is_missing(cell) else float(cell)
        except ValueError:
            values[at] = float("nan")
        if not 0 <= values[at] <= 1:
            raise InputError(f"{table.origin}: row {line}: {cell!r} is no probability from 0 to 1")
    return values


def _made(origin: str, names: tuple[str, ...], said: Floats, lines: Sequence[int]) -> MachineTable:
    if len(set(names)) < len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise InputError(f"{origin}: image {twice!r} is listed twice; keep one row")
    total = said.sum(axis=1)
    wrong = np.flatnonzero(~(np.isfinite(total) & (total > 0) & (said >= 0).all(axis=1)))
    if len(wrong):
        raise InputError(f"{origin}: row {lines[int(wrong[0])]} holds no probabilities")
    return MachineTable(names, said / total[:, None])
