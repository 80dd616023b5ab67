"""An open database, of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from budget.database import open_database


@pytest.fixture
def engine(database: str | Path) -> Iterator[Engine]:
    """The database of the test, open."""
    opened = open_database(database)
    yield opened
    opened.dispose()
