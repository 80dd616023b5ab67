"""An open database, of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from budget.database import open_database
from tests.conftest import new_place


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where a new database may be opened: the contract runs on both kinds, always."""
    return new_place(request, tmp_path)


@pytest.fixture
def engine(database: str | Path) -> Iterator[Engine]:
    """The database of the test, open."""
    opened = open_database(database)
    yield opened
    opened.dispose()
