"""Rows as CSV and Parquet files."""

from __future__ import annotations

import csv
import importlib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from budget.errors import InputError, StorageError
from labeling.views.export import write_table

TABLE: dict[str, list[Any]] = {
    "image": ["=cmd()", "b.png", "'c"],
    "confidence": [0.8, 1 / 3, None],
    "answers": [3, 1, 2],
    "price": [Decimal("0.002"), Decimal("0.0015"), Decimal("0")],
    "date": [date(2030, 1, 31)] * 3,
    "usable": [True, False, None],
}
KINDS = {
    "image": "text",
    "confidence": "share",
    "answers": "count",
    "price": "dollars",
    "date": "day",
    "usable": "flag",
}


def test_csv_holds_texts_that_no_spreadsheet_runs(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.csv"
    write_table(path, TABLE, KINDS)
    write_table(path, TABLE, KINDS)
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["image", "confidence", "answers", "price", "date", "usable"],
            ["'=cmd()", "0.8", "3", "0.002", "2030-01-31", "1"],
            ["b.png", "0.3333333333333333", "1", "0.0015", "2030-01-31", "0"],
            ["''c", "", "2", "0", "2030-01-31", ""],
        ]
    assert [p.name for p in path.parent.iterdir()] == ["rows.csv"]


def test_parquet_holds_types_and_exact_dollars(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    write_table(path, TABLE, KINDS)
    found = parquet.read_table(path)
    price = found["price"].to_pylist()
    assert [str(field.type) for field in found.schema] == [
        *("string", "double", "int64", "decimal128(18, 6)", "date32[day]", "bool")
    ]
    assert found.drop(["price"]).to_pydict() == {n: c for n, c in TABLE.items() if n != "price"}
    assert price == TABLE["price"]


def test_parquet_without_pyarrow_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = importlib.import_module

    def missing(name: str) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return inner(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(InputError, match=r"needs pyarrow; install labelworth\[parquet\], or name"):
        write_table(tmp_path / "rows.parquet", TABLE, KINDS)
    assert list(tmp_path.iterdir()) == []


def test_another_kind_of_file_and_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rows\.xlsx: rows are written as \.csv or \.parquet"):
        write_table(tmp_path / "rows.xlsx", TABLE, KINDS)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        write_table(tmp_path / "file" / "rows.csv", TABLE, KINDS)
