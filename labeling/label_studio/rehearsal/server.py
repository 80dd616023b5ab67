"""A Label Studio server of this machine: on loopback, with SQLite, without calls home."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from budget.errors import InputError, StorageError
from budget.files import private, private_folder, write_whole
from labeling.label_studio.client import http

EXECUTABLE = "LABELWORTH_LABEL_STUDIO"
ADMIN = "admin@office.example"
_START_S, _STOP_S = 240.0, 20.0
_QUIET = {
    "DJANGO_DB": "sqlite",
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "COLLECT_ANALYTICS": "False",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "LATEST_VERSION_CHECK": "False",
    "TASK_LOCK_TTL": "300",
}


def executable() -> str:
    """The program label-studio: named by the environment, or installed here, or on the path.

    Raises:
        InputError: there is none.
    """
    named = os.environ.get(EXECUTABLE)
    made = Path(".label-studio") / "bin" / "label-studio"
    found = named or (str(made.absolute()) if made.exists() else shutil.which("label-studio"))
    if not found or not Path(found).exists():
        raise InputError(
            f"{EXECUTABLE}: no program label-studio; make label-studio installs one, or name it"
        )
    return found


@dataclass(frozen=True, slots=True)
class StudioServer:
    """A running server.

    Attributes:
        url: where it answers.
        token_file: a private file with the administrator's token.
        password: of the administrator, whose name is `ADMIN`.
        process: the server.
    """

    url: str
    token_file: Path
    password: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Let the server end; what it knows is on disk."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(folder: Path, port: int = 0, program: str | None = None) -> StudioServer:
    """Start a server, or start it again where it stood.

    Args:
        folder: where its database lies.
        port: where it listens, on 127.0.0.1; 0 for any free one.
        program: label-studio; found by itself by default.

    Raises:
        InputError: label-studio is not installed.
        StorageError: the server does not start; its log is named.
    """
    program, port = program or executable(), port or _free_port()
    private_folder(folder)
    token, password = _kept(folder / "token", 20), _kept(folder / "password", 8)
    variables = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        **_QUIET,
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder.absolute()),
        "LABEL_STUDIO_USERNAME": ADMIN,
        "LABEL_STUDIO_PASSWORD": password,
        "LABEL_STUDIO_USER_TOKEN": token,
    }
    words = ["start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    with open(folder / "server.log", "ab", opener=private) as log:
        process = subprocess.Popen(  # noqa: S603 - the user's own program
            [program, *words],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = StudioServer(f"http://127.0.0.1:{port}", folder / "token", password, process)
    _await(server, folder / "server.log")
    return server


def _await(server: StudioServer, log: Path) -> None:
    httpx, until = http(), time.monotonic() + _START_S
    while time.monotonic() < until and server.process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{server.url}/health", timeout=5.0).status_code == 200:
                return
        time.sleep(0.3)
    server.stop()
    raise StorageError(str(log), "Label Studio did not start", "read the log, and start it again")


def _kept(path: Path, length: int) -> str:
    """A random secret in a private file, the same at every start."""
    if not path.exists():
        write_whole(path, secrets.token_hex(length).encode())
        path.chmod(0o600)
    return path.read_text().strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
