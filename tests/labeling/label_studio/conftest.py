"""One server for all tests of this folder; each test has a market of its own on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.label_studio.rehearsal.server import StudioServer
from tests.labeling.label_studio.ground import StudioGround, studio


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioServer]:
    with studio(tmp_path_factory.mktemp("studio") / "data") as running:
        yield running


@pytest.fixture
def ground(server: StudioServer, tmp_path: Path, request: pytest.FixtureRequest) -> StudioGround:
    return StudioGround(server, tmp_path / "market", f"label-studio:{request.node.name}")
