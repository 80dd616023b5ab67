"""Fixtures: no test meets a developer's ClearML; some meet the stand-in, or a server that is given.

`CLEARML_API_HOST` with keys in the environment of pytest names a real server; the tests marked
`clearml_server` then run against it instead of the stand-in.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clearml_server.server import StandIn

_GIVEN = {name: value for name, value in os.environ.items() if name.startswith("CLEARML_")}


class RealServer:
    """A server given by the environment: the same settings, and nothing to inject or count."""

    real = True

    def settings(self) -> dict[str, str]:
        """The environment variables as they were given."""
        return dict(_GIVEN)


@pytest.fixture(autouse=True)
def no_clearml(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide whatever ClearML is configured on this machine, and keep its cache out of the home."""
    for name in list(os.environ):
        if name.startswith(("CLEARML_", "TRAINS_")):
            monkeypatch.delenv(name)
    folder = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("CLEARML_CONFIG_FILE", str(folder / "no-clearml.conf"))
    monkeypatch.setenv("CLEARML_CACHE_DIR", str(folder / "clearml-cache"))


@pytest.fixture(scope="session")
def _stand_in() -> Iterator[StandIn]:
    """One for all tests: the SDK keeps to the first server that a process talks to."""
    server = StandIn()
    yield server
    server.stop()


@pytest.fixture
def stand_in(_stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """An empty stand-in without faults, named by the environment as the SDK reads it."""
    _stand_in.reset()
    for name, value in _stand_in.settings().items():
        monkeypatch.setenv(name, value)
    if "clearml" in sys.modules:
        from clearml.debugging.log import LoggerRoot

        for handler in LoggerRoot.get_base_logger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream.closed:
                handler.stream = sys.__stderr__  # an earlier test's was captured
    return _stand_in


@pytest.fixture
def clearml_server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> StandIn | RealServer:
    """The server given by the environment of pytest, else the stand-in."""
    if "CLEARML_API_HOST" not in _GIVEN:
        found: StandIn = request.getfixturevalue("stand_in")
        return found
    server = RealServer()
    for name, value in server.settings().items():
        monkeypatch.setenv(name, value)
    return server


def config_file(folder: Path, server: StandIn) -> Path:
    """A clearml.conf that names a server, for tests of what a user has at home."""
    given = server.settings()
    path = folder / "clearml.conf"
    path.write_text(
        "api {\n"
        f'  api_server: "{given["CLEARML_API_HOST"]}"\n'
        f'  web_server: "{given["CLEARML_WEB_HOST"]}"\n'
        f'  files_server: "{given["CLEARML_FILES_HOST"]}"\n'
        "  credentials {\n"
        f'    "access_key" = "{given["CLEARML_API_ACCESS_KEY"]}"\n'
        f'    "secret_key" = "{given["CLEARML_API_SECRET_KEY"]}"\n'
        "  }\n}\n"
    )
    return path
