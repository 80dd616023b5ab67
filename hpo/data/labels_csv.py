"""A labels file: which images there are, with which labels, in which roles."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from budget.errors import InputError, nearest

ROLES = ("pool", "control", "validation", "final")


@dataclass(frozen=True, slots=True)
class LabelLine:
    """One line of a labels file, with its number in the file."""

    number: int
    image: str
    label: str = ""
    role: str = ""
    url: str = ""
    group: str = ""


def read_new_lines(path: Path) -> list[LabelLine]:
    """The lines of a CSV that lists new images: image, and where needed label, url and group.

    Raises:
        InputError: naming the line, and what is wrong with it.
    """
    lines = read_lines(path, ("image",))
    for line in lines:
        if line.role not in ("", "pool"):
            raise InputError(
                f"{path}: line {line.number}: role: {line.role}; new images are bought labels for: "
                "leave the column out, or write pool"
            )
    return lines


def read_lines(path: Path, needed: tuple[str, ...] = ("image", "label", "role")) -> list[LabelLine]:
    """The lines of a labels file.

    Args:
        path: the CSV.
        needed: columns that it must have.

    Raises:
        InputError: naming the file, the line and what is wrong with it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = tuple(reader.fieldnames or ())
            _check_columns(columns, path, needed)
            lines = [_line(row, reader.line_num, path) for row in reader]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from None
    if not lines:
        raise InputError(f"{path}: no images are listed")
    seen: dict[str, LabelLine] = {}
    for line in lines:
        first = seen.setdefault(line.image, line)
        if first is not line:
            what = "two labels for" if first.label != line.label else "listed twice:"
            raise InputError(
                f"{path}: lines {first.number} and {line.number}: {what} {line.image}; keep one"
            )
    return lines


def _check_columns(columns: tuple[str, ...], path: Path, needed: tuple[str, ...]) -> None:
    columns_read = ("image", "label", "role", "url", "group")
    for column in columns:
        if column not in columns_read:
            raise InputError(
                f"{path}: column {column!r} is not known; {nearest(column, columns_read)}"
            )
    for column in needed:
        if column not in columns:
            raise InputError(f"{path}: column {column!r} is missing; needed are {','.join(needed)}")


def _line(row: dict[str, str], number: int, path: Path) -> LabelLine:
    if None in row or None in row.values():
        columns = [name for name in row if name is not None]
        words = {2: "two", 3: "three", 4: "four"}.get(len(columns), str(len(columns)))
        raise InputError(f"{path}: line {number}: expected {words} cells: {','.join(columns)}")
    cells = {name: cell.strip() for name, cell in row.items()}
    line = LabelLine(number, **cells)
    if not line.image:
        raise InputError(f"{path}: line {number}: image: no file name")
    if line.role not in ROLES and "role" in cells:
        raise InputError(
            f"{path}: line {number}: role: {line.role!r} is not known; {nearest(line.role, ROLES)}"
        )
    return line
