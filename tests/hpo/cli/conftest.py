"""A finished small study, and copies of its folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def studied(module_study: Callable[..., Any]) -> Path:
    """The folder of a finished small study; tests that change something copy it."""
    study = module_study(study="s", trials=2)
    study.run()
    study.close()
    return study.folder


@pytest.fixture
def folder(studied: Path, tmp_path: Path) -> Path:
    """A copy of the finished study's folder."""
    return Path(shutil.copytree(studied, tmp_path / "runs/s"))
