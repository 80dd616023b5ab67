"""A finished small study, and copies of its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def studied(bought_twice: Path) -> Path:
    """The folder of a finished small study; tests that change something copy it."""
    return bought_twice


@pytest.fixture
def folder(studied: Path, tmp_path: Path) -> Path:
    """A copy of the finished study's folder."""
    return Path(shutil.copytree(studied, tmp_path / "runs/s"))
