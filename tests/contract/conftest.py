"""An open database in a fresh folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from budget.database import open_database


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A SQLite database in `tmp_path / "study.sqlite"`."""
    opened = open_database(tmp_path / "study.sqlite")
    yield opened
    opened.dispose()
