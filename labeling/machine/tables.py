"""Rows of a machine's answers: an image, and a probability of each class or a label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from budget.errors import InputError
from budget.money import Money
from labeling.tables.arrays import read_arrays
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
    arrays, held = read_arrays(file, (array, _NAMES), setting)
    if array not in arrays:
        raise InputError(
            f"{setting}: {file}: it holds no array {array}; there are {', '.join(held) or 'none'}: "
            f"name one as {file.name}#NAME"
        )
    said = arrays[array]
    if said.ndim != 2 or said.shape[1] != classes or said.dtype.kind not in "biuf":
        raise InputError(
            f"{setting}: {file}: {array} is {said.dtype}{list(said.shape)}; give numbers, a row "
            f"for each image and a column for each of the {classes} classes"
        )
    listed = _listed(f"{setting}: {file}: {_NAMES}", arrays.get(_NAMES), len(said))
    return _made(f"{file}: {array}", listed, said.astype(np.float64), range(len(listed)))


def _listed(origin: str, names: NDArray[Any] | None, count: int) -> tuple[str, ...]:
    """Names of the images; their places where the file names none."""
    if names is None:
        return tuple(map(str, range(count)))
    if names.shape != (count,) or names.dtype.kind not in "USiu":
        raise InputError(
            f"{origin}: {names.dtype}{list(names.shape)} are no names of {count} images; give one "
            "text for each"
        )
    try:
        return tuple(np.char.decode(names, "utf-8") if names.dtype.kind == "S" else map(str, names))
    except UnicodeDecodeError:
        raise InputError(f"{origin}: the names are not UTF-8; save them as texts") from None


def machine_table(table: RowTable, classes: Sequence[str]) -> MachineTable:
    """A machine's answers in a table.

    Args:
        table: the table.
        classes: the classes, in code order.

    Raises:
        InputError: as `read_machine_file`.
    """
    place = _places(table)

    def column(names: Sequence[str]) -> list[str] | None:
        at = next((place[name] for name in names if name in place), None)
        return None if at is None else table.column(at)

    image = column(IMAGE)
    if image is None:
        raise InputError(
            f"{table.origin}: a column image is needed; there are {', '.join(table.header)}"
        )
    names = tuple(plain_name(unguarded(cell.strip())) for cell in image)
    said, notes = _said(table, place, column, classes)
    made = _made(table.origin, names, said, table.lines)
    cost = column(_COST)
    costs = () if cost is None else tuple(_costs(table, cost))
    return MachineTable(made.images, made.said, costs, (*table.notes, *notes))


def _places(table: RowTable) -> dict[str, int]:
    """Place of each column by its name, and by its lower case where that names one column.

    Raises:
        InputError: two columns have one name.
    """
    exact: dict[str, int] = {}
    lower: dict[str, list[int]] = {}
    for at, name in enumerate(cell.strip() for cell in table.header):
        if name and exact.setdefault(name, at) != at:
            raise InputError(f"{table.origin}: two columns have the name {name!r}; keep one")
        lower.setdefault(name.lower(), []).append(at)
    return {name: at[0] for name, at in lower.items() if len(at) == 1} | exact


def _costs(table: RowTable, cells: Sequence[str]) -> Iterator[Money]:
    for cell, line in zip(cells, table.lines, strict=True):
        yield Money.price(cell, f"{table.origin}: row {line}, column cost")


def _said(
    table: RowTable, place: Mapping[str, int], column: Any, classes: Sequence[str]
) -> tuple[Floats, tuple[str, ...]]:
    """Probabilities of the columns of classes; else of label and confidence."""
    at = [_place_of(place, name) for name in classes]
    found = [each for each in at if each is not None]
    if len(set(found)) == len(classes):
        return np.stack([_numbers(table, each) for each in found], axis=1), ()
    label = column(_LABEL)
    if label is None:
        raise InputError(
            f"{table.origin}: give a column for each class ({', '.join(classes[:5])}), or columns "
            f"label and confidence; there are {', '.join(table.header)}"
        )
    known = match_classes(f"{table.origin}: label", label, classes)
    codes = np.array(label_codes(table.origin, "label", label, table.lines, known), dtype=np.int64)
    if (codes < 0).any():
        line = table.lines[int(np.flatnonzero(codes < 0)[0])]
        raise InputError(f"{table.origin}: row {line} has no label; leave the row out")
    sure_at = next((place[name] for name in _CONFIDENCE if name in place), None)
    sure = np.ones(len(codes)) if sure_at is None else _numbers(table, sure_at)
    sure = np.clip(sure, 1 / len(classes), 1.0)
    rest = (1 - sure) / (len(classes) - 1)
    said = np.repeat(rest[:, None], len(classes), axis=1)
    said[np.arange(len(codes)), codes] = sure
    return said, known.notes


def _place_of(place: Mapping[str, int], name: str) -> int | None:
    spelled = [each for form in (f"p({name})", name) for each in (form, form.lower())]
    return next((place[each] for each in spelled if each in place), None)


def _numbers(table: RowTable, place: int) -> Floats:
    values = np.empty(len(table.rows))
    for at, (cell, line) in enumerate(zip(table.column(place), table.lines, strict=True)):
        try:
            values[at] = float("nan") if is_missing(cell) else float(cell)
        except ValueError:
            values[at] = float("nan")
        if not 0 <= values[at] <= 1:
            raise InputError(
                f"{table.origin}: row {line}, column {table.header[place]}: {cell!r} is no "
                "probability from 0 to 1"
            )
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
