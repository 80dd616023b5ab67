"""A server for each test, and plain requests to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labeling.crowd.scenario import load_scenario
from labeling.toloka.server import Server, Settings, serve

from ..contract import Contract
from .wire import Wire


@pytest.fixture
def contract(data_folder: Path) -> Iterator[Contract]:
    """The published description; what was said in the test must fit it."""
    judge = Contract(data_folder / "toloka-api")
    yield judge
    problems = judge.problems()
    assert not problems, "\n".join(problems)


@pytest.fixture
def server() -> Iterator[Server]:
    """A platform of the default crowd, its clock event-driven."""
    with serve(Settings(load_scenario("default"))) as running:
        yield running


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    """Requests to it."""
    one = Wire(server.url)
    yield one
    one.close()


@pytest.fixture
def platform() -> Iterator[Callable[..., Wire]]:
    """Start servers with options of their own, and talk to them."""
    running: list[Any] = []

    def start(scenario: str = "default", watch: Any = None, **settings: Any) -> Wire:
        options = {name: settings.pop(name) for name in ("speed", "token") if name in settings}
        server = Server(Settings(load_scenario(scenario), **settings), watch=watch, **options)
        server.start()
        wire = Wire(server.url)
        running.extend((wire, server))
        return wire

    yield start
    for one in running:
        one.close()
