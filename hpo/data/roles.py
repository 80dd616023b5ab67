"""Roles that are drawn because no file gives them, kept in the study's folder as roles.csv.

A study that goes on reads its roles there: images that came into the folder later change nothing.
Another study uses the same roles with `--labels runs/NAME/roles.csv`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from budget.errors import InputError
from budget.files import write_whole
from hpo.data.labels_csv import ROLES, LabelLine
from labeling.tables.spelling import guarded, unguarded
from labeling.tables.writing import csv_text

ROLES_FILE = "roles.csv"


def kept_roles(folder: Path | None) -> dict[str, str] | None:
    """Role of each image as a study's folder keeps it; None where it keeps none.

    Raises:
        InputError: the file is damaged.
    """
    if folder is None or not (folder / ROLES_FILE).exists():
        return None
    path = folder / ROLES_FILE
    try:
        text = io.StringIO(path.read_bytes().decode(), newline="")
        rows = list(csv.DictReader(text, strict=True))
        roles = {unguarded(row["image"]): row["role"] for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise InputError(f"{path}: damaged or unreadable: {error}") from None
    if not roles or not set(roles.values()) <= set(ROLES):
        raise InputError(f"{path}: damaged: it gives no roles; bring it back")
    return roles


def keep_roles(folder: Path, lines: Sequence[LabelLine]) -> None:
    """Write images, labels and roles into a study's folder, once.

    Raises:
        InputError: the file cannot be written.
    """
    path = folder / ROLES_FILE
    if path.exists():
        return
    extra = [name for name in ("url", "group") if any(getattr(line, name) for line in lines)]
    columns = ("image", "label", "role", *extra)
    rows = [[guarded(getattr(line, name)) for name in columns] for line in lines]
    try:
        write_whole(path, csv_text(columns, rows).encode())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
