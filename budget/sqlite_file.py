"""A SQLite file on disk: made in one step, looked at for a lost end, its troubles in words."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from budget import seals
from budget.errors import LedgerCorrupt, StorageError
from budget.files import sync_folder

SIDE_FILES = ("-wal", "-shm")
"""What SQLite puts beside a database: endings of the names."""

TROUBLES = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space and run the same command again"),
    sqlite3.SQLITE_BUSY: (
        "the database is locked by another process",
        "wait for that process or stop it, then run the same command again",
    ),
    sqlite3.SQLITE_LOCKED: ("the database is locked", "run the same command again"),
    sqlite3.SQLITE_READONLY: ("the database cannot be written", "check the permissions"),
    sqlite3.SQLITE_PERM: ("access is denied", "check the permissions"),
    sqlite3.SQLITE_CANTOPEN: (
        "the database cannot be opened",
        "check that the folder exists and may be written",
    ),
    sqlite3.SQLITE_IOERR: ("the disk reports an error", "check the disk and its free space"),
    sqlite3.SQLITE_NOMEM: ("memory is exhausted", "run the same command again with more memory"),
}
"""Problem and remedy, as the user reads them, of SQLite's primary result codes."""


def create_file(path: Path) -> None:
    """Put an empty database in WAL mode at the path, in one step.

    The database is made under another name and then linked to the path. So an empty file at the
    path is a damaged database, never a new one. A link, unlike a rename, does not replace a
    database that another process created in the meantime.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        os.close(handle)
    except OSError as error:
        raise os_trouble(path, error) from error
    try:
        maker = sqlite3.connect(name, isolation_level=None)
        try:
            maker.execute("PRAGMA synchronous=FULL")
            maker.execute("PRAGMA journal_mode=WAL")
        finally:
            maker.close()
        os.link(name, path)
        sync_folder(path.parent)
    except FileExistsError:
        # Another process was faster: its database is as good as this one.
        pass
    except OSError as error:
        raise os_trouble(path, error) from error
    except sqlite3.Error as error:
        raise sqlite_trouble(str(path), error) from error
    finally:
        for suffix in ("", *SIDE_FILES):
            Path(name + suffix).unlink(missing_ok=True)


def reading_alone(path: Path) -> str:
    """The URI that opens a SQLite file for reading alone: nothing is created or written.

    A file without a log is opened by no process. To read it alone then leaves no log behind.
    """
    path = path.resolve()
    alone = "" if path.with_name(path.name + SIDE_FILES[0]).exists() else "&immutable=1"
    return f"{path.as_uri()}?mode=ro{alone}"


def cut_short(path: Path, pragma: Callable[[str], int]) -> str:
    """What is wrong with a SQLite file that lost its end, by a byte or more; empty if nothing is.

    SQLite itself counts a cut last page as whole and reads zeros for what is missing. The file is
    looked at by its name only: to open and close it would drop SQLite's locks on it.

    Args:
        path: the file.
        pragma: the value of a pragma, on a connection whose transaction has begun to read.
    """
    path = path.resolve()  # SQLite, too, puts the log beside the file that a link leads to
    # While the log holds rows, a killed checkpoint may have left the file short. While it is empty,
    # the transaction reads the file alone, which keeps checkpoints of other processes away.
    log = path.with_name(path.name + SIDE_FILES[0])
    if log.exists() and log.stat().st_size:
        return ""
    page, pages, size = pragma("page_size"), pragma("page_count"), path.stat().st_size
    if size % page == 0 and size >= page * pages:
        return ""
    return f"the file is cut short: {size} bytes of {page * pages}"


def sqlite_trouble(path: str, error: BaseException) -> StorageError:
    """The error of the tree for an error of SQLite."""
    code = getattr(error, "sqlite_errorcode", None)
    # Extended result codes, such as SQLITE_IOERR_FSYNC, carry the primary code in the low byte.
    if code is not None and code & 0xFF in TROUBLES:
        return StorageError(path, *TROUBLES[code & 0xFF])
    line = " ".join(str(error).split())
    return LedgerCorrupt(path, f"the database is damaged or not ours ({line})")


def os_trouble(path: Path, error: OSError) -> StorageError:
    """The error of the tree for a database that cannot be created."""
    reason = error.strerror or str(error)
    return StorageError(
        str(path),
        f"the database cannot be created ({reason})",
        "check that the folder exists, may be written and lies on a local disk with free space",
    )


def configure(connection: sqlite3.Connection, _record: object) -> None:
    """Make a new connection one of ours."""
    # The driver would open a plain BEGIN before the first write; here the engine alone opens one.
    connection.isolation_level = None
    seals.teach(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def empty_log(cursor: Any) -> None:
    """Move the rows of the write-ahead log into the file, unless another process reads."""
    # No waiting: a busy checkpoint costs nothing, a wait of `wait_s` stalls every commit.
    wait_ms = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        cursor.execute(f"PRAGMA busy_timeout={wait_ms}")
