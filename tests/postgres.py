"""A PostgreSQL server of our own, on loopback, for tests and for people who try.

    python -m tests.postgres FOLDER         # make postgres: starts it and says the URL

It runs from the binaries of Debian's package `postgresql`, or those on the PATH. The server refuses
to run as root: then it runs as the user `postgres`, or `nobody`, who must be able to reach the
folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "labelworth", "a-secret"
_START_S = 60.0
_FLEETING = {"fsync": "off", "synchronous_commit": "off", "autovacuum": "off"}


def missing() -> str:
    """Why no server can be started here; empty where one can."""
    if _binary("initdb") is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        return f"no driver: {error} (pip install 'psycopg[binary]')"
    return ""


class Server:
    """A server with its data in a folder.

    Args:
        folder: an empty one, or that of an earlier server.
        durable: whether commits reach the disk; a test's need not.
        port: 0 for one that is free.

    Attributes:
        port: where it listens, on 127.0.0.1.
    """

    def __init__(self, folder: Path, durable: bool = False, port: int = 0) -> None:
        self._folder, self._durable = folder, durable
        self.port = port or _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        if not (folder / "PG_VERSION").exists():
            self._make()
        self.start()

    def url(self, database: str = "postgres") -> str:
        """The URL of a database, with the password."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def fresh(self) -> str:
        """The URL of a new, empty database."""
        name = f"d{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as another program would; returns its rows."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 200,
            **({} if self._durable else _FLEETING),
        }
        words = [f"-c{name}={value}" for name, value in settings.items()]
        log = (self._folder.parent / f"{self._folder.name}.log").open("ab")
        self._process = subprocess.Popen(
            [str(_binary("postgres")), "-D", str(self._folder), *words],
            stdout=log,
            stderr=log,
            **_unprivileged(),  # type: ignore[call-overload]
        )
        log.close()
        end = time.monotonic() + _START_S
        while not self._answers():
            assert self._process.poll() is None, f"the server ended: see {self._folder}.log"
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT drops all connections, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        import psycopg

        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _make(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        key = self._folder.parent / f"{self._folder.name}.key"
        key.write_text(PASSWORD)
        owner = _unprivileged().get("user")
        if owner is not None:
            for path in (self._folder, key):
                os.chown(path, owner, -1)
        words = ["-U", USER, "-A", "scram-sha-256", "--pwfile", str(key), "-E", "UTF8"]
        made = subprocess.run(
            [str(_binary("initdb")), "-D", str(self._folder), *words, "--locale=C", "--no-sync"],
            check=False,
            capture_output=True,
            text=True,
            **_unprivileged(),  # type: ignore[call-overload]
        )
        key.unlink()
        if made.returncode:
            raise SystemExit(f"{self._folder}: no database could be made there: {made.stderr}")


def _unprivileged() -> dict[str, int]:
    """As whom the server runs."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid}


def _binary(name: str) -> Path | None:
    """Where a program of PostgreSQL lies, of its latest release that is installed."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3])
    )
    if debian:
        return debian[-1]
    found = shutil.which(name)
    return Path(found) if found else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def on_loopback() -> Iterator[Server]:
    """A server whose data is gone at the end."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    folder.chmod(0o711)  # for the server's user
    server = Server(folder / "data")
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def main() -> None:
    """Start a server that keeps its data, say its URL, and stop it with Ctrl-C."""
    if why := missing():
        raise SystemExit(why)
    server = Server(Path(sys.argv[1]).resolve(), durable=True, port=5433)
    print(f"export LABELWORTH_STORAGE={server.url()}", flush=True)
    print("PostgreSQL runs until Ctrl-C; its data stays.", file=sys.stderr, flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
