"""Rows as a file: CSV whose texts a spreadsheet reads as texts, or Parquet with column types."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from budget.errors import InputError, StorageError
from budget.files import private_folder, replacing
from labeling.tables.spelling import guarded
from labeling.tables.writing import csv_text

Table = Mapping[str, Sequence[Any]]
"""Columns by name: str, float, int, bool, Decimal (dollars) or datetime.date values, or None."""

KINDS = (".csv", ".parquet")


def write_table(path: Path, table: Table, kinds: Mapping[str, str]) -> None:
    """Write rows whole or not at all; an existing file is replaced.

    Args:
        path: a .csv or .parquet file.
        table: the columns, all of one length.
        kinds: kind of each column, as in `labeling.views.columns`.

    Raises:
        InputError: another kind of file, or Parquet without pyarrow.
        StorageError: the file cannot be written.
    """
    check_kind(path)
    try:
        private_folder(path.parent)
        with replacing(path) as draft:
            if path.suffix == ".csv":
                _write_csv(draft, table)
            else:
                _write_parquet(draft, table, kinds)
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise StorageError(str(path), problem, "check the folder and its free space") from error


def check_kind(path: Path) -> None:
    """Refuse a kind of file that `write_table` cannot write, before the rows are computed.

    Raises:
        InputError: neither .csv nor .parquet, or Parquet without pyarrow.
    """
    if path.suffix not in KINDS:
        raise InputError(f"{path}: rows are written as .csv or .parquet; name such a file")
    if path.suffix == ".parquet":
        _arrow("pyarrow.parquet", path)


def _write_csv(path: Path, table: Table) -> None:
    rows = ([_cell(value) for value in row] for row in zip(*table.values(), strict=True))
    path.write_text(csv_text(list(table), rows), encoding="utf-8", newline="")


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    return guarded(value) if isinstance(value, str) else value


def _write_parquet(path: Path, table: Table, kinds: Mapping[str, str]) -> None:
    parquet, arrow = _arrow("pyarrow.parquet", path), _arrow("pyarrow", path)
    types = {
        "share": arrow.float64(),
        "number": arrow.float64(),
        "count": arrow.int64(),
        "flag": arrow.bool_(),
        "day": arrow.date32(),
        "dollars": arrow.decimal128(18, 6),
    }
    arrays = {
        name: arrow.array(list(column), type=types.get(kinds[name], arrow.string()))
        for name, column in table.items()
    }
    parquet.write_table(arrow.table(arrays), path)


def _arrow(module: str, path: Path) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(
            f"{path}: writing Parquet needs pyarrow; install labelworth[parquet], or name a .csv"
        ) from None
