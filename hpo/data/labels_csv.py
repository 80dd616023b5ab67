"""A labels file: which images there are, with which labels, in which roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from budget.errors import InputError, nearest
from hpo.data.image_names import tidy
from labeling.tables.classes import NO_LABEL, ClassNames, label_codes, match_classes, read_classes
from labeling.tables.columns import IMAGE, Columns, name_columns
from labeling.tables.spelling import plain_name
from labeling.tables.table import read_table

if TYPE_CHECKING:
    from hpo.settings.config import StudyConfig

ROLES = ("pool", "control", "validation", "final")

_KNOWN = {
    "image": IMAGE,
    "label": ("label", "class"),
    "role": ("role",),
    "url": ("url",),
    "group": ("group",),
}


@dataclass(frozen=True, slots=True)
class LabelLine:
    """One line of a labels file, with its number in the file.

    The role is empty where the file gives none.
    """

    number: int
    image: str
    label: str = ""
    role: str = ""
    url: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class LabelsTable:
    """A labels file.

    Attributes:
        lines: its lines, each about another image.
        has_roles: whether it gives each image a role.
        notes: what was noticed in reading, one line each.
    """

    lines: tuple[LabelLine, ...]
    has_roles: bool
    notes: tuple[str, ...]


def read_new_lines(path: Path) -> LabelsTable:
    """A table of new images: image, and where needed label, url and group.

    Raises:
        InputError: naming the line, and what is wrong with it.
    """
    table = read_labels(path, ("image",))
    for line in table.lines:
        if line.role not in ("", "pool"):
            raise InputError(
                f"{path}: line {line.number}: role: {line.role}; new images are bought labels for: "
                "leave the column out, or write pool"
            )
    return table


def read_labels(path: Path, needed: Sequence[str] = ("image", "label")) -> LabelsTable:
    """Read a labels file.

    Args:
        path: CSV, or separated by semicolons or tabs.
        needed: columns that it must have.

    Raises:
        InputError: naming the file, the line and what is wrong with it.
    """
    table = read_table(path)
    columns = name_columns(table, _KNOWN)
    for meaning in needed:
        if meaning not in columns.cells:
            wanted = ",".join(needed)
            raise InputError(f"{path}: column {meaning!r} is missing; needed are {wanted}")
    has_roles = "role" in columns.cells
    lines = [_line(row, number, path, has_roles) for row, number in _rows(columns)]
    if not lines:
        raise InputError(f"{path}: no images are listed")
    _refuse_repeated(lines, path)
    return LabelsTable(tuple(lines), has_roles, (*table.notes, *columns.notes))


def _rows(columns: Columns) -> list[tuple[Mapping[str, str], int]]:
    rows = zip(*columns.cells.values(), strict=True)
    return [
        (dict(zip(columns.cells, row, strict=True)), number)
        for row, number in zip(rows, columns.lines, strict=True)
    ]


def _line(row: Mapping[str, str], number: int, path: Path, has_roles: bool) -> LabelLine:
    cells = {name: cell.strip() for name, cell in row.items()}
    if not cells["image"]:
        raise InputError(f"{path}: line {number}: image: no file name")
    cells["image"] = tidy(cells["image"])
    role = cells.get("role", "").lower()
    if has_roles and role not in ROLES:
        raise InputError(
            f"{path}: line {number}: role: {cells['role']!r} is not known; {nearest(role, ROLES)}"
        )
    return LabelLine(number, **{**cells, "role": role})


def _refuse_repeated(lines: Sequence[LabelLine], path: Path) -> None:
    seen: dict[str, LabelLine] = {}
    for line in lines:
        first = seen.setdefault(line.image, line)
        if first is not line:
            same = plain_name(first.label) == plain_name(line.label)
            what = "listed twice:" if same else "two labels for"
            raise InputError(
                f"{path}: lines {first.number} and {line.number}: {what} {line.image}; keep one"
            )


def class_codes(
    origin: str, lines: Sequence[LabelLine], config: StudyConfig
) -> tuple[ClassNames, list[int]]:
    """The classes, and the code of each line's label, `NO_LABEL` where it has none.

    Args:
        origin: of the lines, for messages.
        lines: the lines.
        config: names the classes; else they are those of the labels.

    Raises:
        InputError: labels look like slips of one another, or are none of the named classes.
    """
    labels = [line.label for line in lines]
    if config.classes is not None:
        names = match_classes(f"{origin}: labels", labels, config.classes)
        numbers = [line.number for line in lines]
        return names, label_codes(origin, "label", labels, numbers, names, "line")
    names = read_classes(f"{origin}: labels", labels, config.keep_classes)
    codes = [names.code(label) if label else NO_LABEL for label in labels]
    return names, [NO_LABEL if code is None else code for code in codes]
