"""Connections to a PostgreSQL server, its locks of a name, and its troubles in words."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text

from budget.errors import DatabaseLost, InputError, StorageError
from budget.postgres.address import VARIABLE, Address

_LEAST_VERSION = 14
# A server notices within a minute that a machine is gone, and drops its sessions with their locks.
_ALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_SESSION = {
    "labelworth.program": "on",  # what the triggers ask for: this is our program
    **{f"tcp_{name}": str(value) for name, value in _ALIVE.items()},
    "extra_float_digits": "1",  # these two are part of how a row is written, and so of its seal
    "datestyle": "ISO",
    "synchronous_commit": "on",  # else a server that crashes takes back what it has confirmed
}
# The server went away or ended the session; two transactions waited for each other: the
# transaction came to nothing, and may be run again.
_LOST = ("08", "57P0", "40001", "40P01")
_ADDRESS = "labelworth_address"  # the execution option that an engine's address stands under
_FULL = ("53100", "the disk is full", "free some space and run the same command again")


def open_server(address: Address, **options: Any) -> Engine:
    """An engine for a database on a server; nothing connects yet.

    Args:
        address: the database.
        options: further ones of SQLAlchemy's `create_engine`.

    Raises:
        InputError: the driver is not installed.
    """
    url, arguments = how_to_connect(address)
    kept = {**options.pop("execution_options", {}), _ADDRESS: address}
    try:
        engine = create_engine(
            url,
            connect_args=arguments,
            execution_options=kept,
            **{"pool_pre_ping": True, **options},
        )
    except ImportError as error:
        raise InputError(
            f"{address}: the driver is not installed ({error}); "
            "pip install 'labelworth[postgres]' brings it"
        ) from error
    # Many rows in one statement: a trigger for seals then runs once, not once a row.
    engine.dialect.use_insertmanyvalues_wo_returning = True
    return engine


def how_to_connect(address: Address) -> tuple[URL, dict[str, Any]]:
    """SQLAlchemy's URL, which holds no password, and the driver's arguments, which do."""
    url, whole = make_url(address.url), address.complete()
    own = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    asked = url.query.get("options", "")
    arguments = {
        **dict(whole.secrets),
        **_ALIVE,
        "connect_timeout": 10,
        "application_name": this_process(),
        "options": f"{asked if isinstance(asked, str) else ' '.join(asked)} {own}".strip(),
    }
    return url.set(drivername="postgresql+psycopg").difference_update_query(["options"]), arguments


def address_of(engine: Engine) -> Address:
    """The address, with its password, that `open_server` was given."""
    address: Address = engine.get_execution_options()[_ADDRESS]
    return address


def this_process() -> str:
    """How the server calls this process's sessions."""
    return f"labelworth {os.getpid()} on {socket.gethostname()}"[:60]


def check_version(connection: Connection, place: str) -> None:
    """Refuse a server that is too old.

    Raises:
        InputError: naming the oldest release that works.
    """
    number = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    if number < _LEAST_VERSION * 10_000:
        raise InputError(
            f"{place}: the server is PostgreSQL {number // 10_000}; "
            f"{_LEAST_VERSION} or later is needed"
        )


def number_of(*names: str) -> int:
    """The number of an advisory lock of a name."""
    content = json.dumps(["labelworth", *names]).encode()
    digest = hashlib.blake2b(content, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def alone(connection: Connection, *names: str) -> None:
    """Wait until no other transaction is here under the same names; until this one ends.

    On SQLite it changes nothing: a writer is alone from its beginning.
    """
    if connection.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(:number)")
        connection.execute(lock, {"number": number_of(*names)})


def snapshot(connection: Connection) -> str:
    """What the transaction sees, as a text: the same text, the same rows."""
    return str(connection.execute(text("SELECT pg_current_snapshot()::text")).scalar_one())


def to_reader(connection: Connection) -> Connection:
    """The connection, whose next transaction reads one state of the database and writes nothing."""
    return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def trouble_of(place: str, error: BaseException) -> StorageError:
    """The error of the tree for an error of a library above the driver."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(orig := getattr(cause, "orig", None), BaseException):
            return trouble(place, orig)
        cause = cause.__cause__ or cause.__context__
    return trouble(place, error)


def trouble(place: str, error: BaseException) -> StorageError:
    """The error of the tree for an error of the server or of the way there."""
    line = " ".join(str(error).split())
    state = getattr(error, "sqlstate", None)
    if state == _FULL[0]:
        return StorageError(place, *_FULL[1:])
    if "password" in line:
        remedy = f"give the URL with its password in {VARIABLE}, or the password in PGPASSWORD"
        return StorageError(place, line, remedy)
    # A connection that breaks has no state: the server did not live to name one.
    broke = state is None and type(error).__name__ in ("OperationalError", "InterfaceError")
    if broke or (state or "").startswith(_LOST):
        return DatabaseLost(place, line or "the connection is lost")
    return StorageError(place, line, "check the database server")
