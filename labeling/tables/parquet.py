"""Parquet files as text tables; the library is imported where there is one to read."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from budget.errors import InputError
from labeling.tables.table import RowTable


def read_parquet(file: Path) -> RowTable:
    """Read a Parquet file as a table of texts.

    Raises:
        InputError: the library is missing, or the file cannot be read.
    """
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(
            f"{file}: reading Parquet needs pyarrow; install labelworth[parquet], or save as CSV"
        ) from None
    try:
        columns = parquet.read_table(file).to_pydict()
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read as Parquet: {error}") from None
    cells = [["" if v is None else str(v) for v in column] for column in columns.values()]
    rows = tuple(zip(*cells, strict=True))
    return RowTable(str(file), tuple(columns), rows, tuple(range(2, len(rows) + 2)), ",", ())
