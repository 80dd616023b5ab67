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
        cells = [[_text(value) for value in column] for column in columns.values()]
    except Exception as error:  # damaged files and odd types fail in many ways
        told = " ".join(str(error).split())
        raise InputError(f"{file}: cannot be read as Parquet: {told}; save it as CSV") from None
    rows = tuple(zip(*cells, strict=True))
    return RowTable(str(file), tuple(columns), rows, tuple(range(2, len(rows) + 2)), ",", ())


def _text(value: Any) -> str:
    """A cell as text; older programs write texts as bytes.

    Raises:
        ValueError: bytes that are not UTF-8.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return "" if value is None else str(value)
