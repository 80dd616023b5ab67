"""SQL databases, opened so that a commit is a commit: SQLite files, PostgreSQL by URL.

SQLite runs with a write-ahead log, synchronous=FULL (a commit survives a power cut) and
BEGIN IMMEDIATE for transactions that write. Under a plain BEGIN, a transaction that reads first
and writes later fails at once when another process wrote in between; BEGIN IMMEDIATE waits.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    MetaData,
    Pool,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
)
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.schema import CreateColumn

from budget.errors import InputError, LedgerCorrupt, StorageError
from budget.fair_queue import turn
from budget.files import sync_folder

Database: TypeAlias = Engine
"""An opened database; the other packages use this name."""

_WRITES, _WAIT_S = "labelworth_writes", "labelworth_wait_s"
SIDE_FILES = ("-wal", "-shm")
"""What SQLite puts beside a database: endings of the names."""

# Problem and remedy, as the user reads them, of SQLite's primary result codes.
_TROUBLES = {
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


def open_database(url_or_path: str | Path, *, wait_s: float = 30.0) -> Engine:
    """Open a database; create the SQLite file (mode 0600) if there is none.

    The engine survives a fork: the child opens its own connections.

    Args:
        url_or_path: path of a SQLite file, or an SQLAlchemy URL such as postgresql://host/name.
        wait_s: how long a transaction waits for the lock of another transaction, in seconds.

    Raises:
        StorageError: the place cannot be read or written, or another process holds the lock.
        LedgerCorrupt: the file is not a database, or is cut short.
        InputError: the URL cannot be understood, or names a database of an unknown kind.
    """
    if isinstance(url_or_path, str) and "://" in url_or_path:
        return _open_url(url_or_path)
    path = Path(url_or_path).expanduser()
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        _create_file(path)
    except OSError as error:
        raise _os_trouble(path, error) from error
    else:
        # `_create_file` links a finished database to this name: an empty file is a lost one.
        if size == 0:
            raise LedgerCorrupt(str(path), "the file is empty, which no database ever is")
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": wait_s},
        execution_options={_WAIT_S: wait_s},
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    _engines.add(engine)
    with reading(engine) as connection:

        def pragma(name: str) -> Any:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

        mode = pragma("journal_mode")
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        problem = cut_short(path, pragma)
    if mode != "wal":
        raise LedgerCorrupt(str(path), f"its journal mode is {mode!r}, not 'wal' as it was made")
    if problem:
        raise LedgerCorrupt(str(path), problem)
    return engine


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


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads one consistent state of the database and writes nothing."""
    with _translated(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes, committed as a whole; on SQLite no other writer runs beside it.

    SQLite's writers have their turns in the order in which they asked.
    """
    with _turn(engine) as begun, _translated(engine), engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            begun()
            yield connection


def _turn(engine: Engine) -> AbstractContextManager[Callable[[], None]]:
    if engine.dialect.name != "sqlite":
        return nullcontext(lambda: None)
    path = name_of(engine)
    stuck = StorageError(path, *_TROUBLES[sqlite3.SQLITE_BUSY])
    return turn(Path(f"{path}-queue"), engine.get_execution_options()[_WAIT_S], stuck)


def checkpoint(engine: Engine) -> None:
    """Move the rows of SQLite's write-ahead log into the database file and empty the log.

    A log that is lost or damaged after a crash then takes no committed row with it. While another
    process reads, the log stays: the checkpoint of a later commit empties it.
    """
    if engine.dialect.name != "sqlite":
        return
    with _translated(engine), engine.connect() as connection:
        # The driver's own cursor opens no transaction: SQLite refuses a checkpoint inside one.
        driver = connection.connection.cursor()
        # No waiting: a busy checkpoint costs nothing, a wait of `wait_s` stalls every commit.
        wait_ms = driver.execute("PRAGMA busy_timeout").fetchone()[0]
        driver.execute("PRAGMA busy_timeout=0")
        try:
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            driver.execute(f"PRAGMA busy_timeout={wait_ms}")


def create_tables(engine: Engine, tables: MetaData) -> None:
    """Create the tables unless all of them exist.

    Raises:
        LedgerCorrupt: some of the tables exist and others do not.
    """
    with reading(engine) as connection:
        missing = set(tables.tables) - set(inspect(connection).get_table_names())
    if not missing:
        return
    # The read took no lock: between the two transactions another process may create the tables.
    with writing(engine) as connection:
        missing = set(tables.tables) - set(inspect(connection).get_table_names())
        if missing and len(missing) < len(tables.tables):
            raise LedgerCorrupt(name_of(engine), f"table {min(missing)!r} is missing")
        tables.create_all(connection)


def add_columns(engine: Engine, table: Table) -> None:
    """Add the columns that an existing table lacks. They must allow null, which all rows get.

    Raises:
        StorageError: the database cannot be written.
    """
    with reading(engine) as connection:
        if not _lacking(connection, table):
            return
    # Looked up again under the lock: another process may have added them in between.
    with writing(engine) as connection:
        for column in _lacking(connection, table):
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")


def _lacking(connection: Connection, table: Table) -> list[Column[Any]]:
    present = {column["name"] for column in inspect(connection).get_columns(table.name)}
    return [column for column in table.columns if column.name not in present]


def check_integrity(engine: Engine) -> None:
    """Let the database check all its pages and indexes.

    Raises:
        LedgerCorrupt: the check found damage.
    """
    if engine.dialect.name != "sqlite":
        return
    with reading(engine) as connection:
        report = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
    if report != "ok":
        line = " ".join(str(report).split())
        raise LedgerCorrupt(name_of(engine), f"the integrity check failed ({line})")


def name_of(engine: Engine) -> str:
    """Path or URL of the database for messages; a URL's password is masked."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return engine.url.render_as_string(hide_password=True)


def _open_url(text: str) -> Engine:
    try:
        url = make_url(text)
    except sqlalchemy_errors.ArgumentError:
        raise InputError(
            "database: the URL cannot be read; it looks like postgresql://host/name"
        ) from None  # the cause would show a password
    if url.get_backend_name() == "sqlite":
        if not url.database or url.query:
            raise InputError("database: give a SQLite file by its path, without any option")
        return open_database(Path(url.database))
    if url.get_backend_name() != "postgresql":
        kind = url.get_backend_name()
        raise InputError(f"database: {kind!r} is not supported; use a path or postgresql://...")
    try:
        # READ COMMITTED takes a new snapshot for each statement. The ledger waits for the lock of
        # its head row and then reads the rows: it sees the commit that it waited for. REPEATABLE
        # READ would end the same wait with a serialization error.
        return create_engine(url, isolation_level="READ COMMITTED", pool_pre_ping=True)
    except ImportError as error:
        raise InputError(
            f"database: the driver for {url.drivername} is not installed ({error})"
        ) from error


def _create_file(path: Path) -> None:
    """Put an empty database in WAL mode at the path, in one step.

    The database is made under another name and then linked to the path. So an empty file at the
    path is a damaged database, never a new one. A link, unlike a rename, does not replace a
    database that another process created in the meantime.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        os.close(handle)
    except OSError as error:
        raise _os_trouble(path, error) from error
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
        raise _os_trouble(path, error) from error
    except sqlite3.Error as error:
        raise _sqlite_trouble(str(path), error) from error
    finally:
        for suffix in ("", *SIDE_FILES):
            Path(name + suffix).unlink(missing_ok=True)


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    # The driver would open a plain BEGIN before the first write; here `_begin` alone opens one.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    # IMMEDIATE takes the write lock before the first read: what the transaction read stays true
    # until its commit, so two processes cannot both spend the same money left.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _renew_pools_in_child() -> None:
    """Give a forked child connections of its own; its parent's stay untouched.

    SQLite connections must not cross a fork. The child must not close them either: a close drops
    the parent's file locks.
    """
    for engine in list(_engines):
        # A reference keeps the old pool alive: the garbage collector would close its connections.
        _left_to_parent.append(engine.pool)
        engine.dispose(close=False)


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
_left_to_parent: list[Pool] = []
os.register_at_fork(after_in_child=_renew_pools_in_child)


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    """Turn a database error of the block into a StorageError with one clear line.

    A damaged file can make SQLite's error message undecodable: hence UnicodeDecodeError.
    """
    try:
        yield
    except (sqlalchemy_errors.SQLAlchemyError, sqlite3.Error, UnicodeDecodeError) as error:
        cause = getattr(error, "orig", None) or error
        if engine.dialect.name == "sqlite":
            raise _sqlite_trouble(name_of(engine), cause) from error
        line = " ".join(str(cause).split())
        raise StorageError(name_of(engine), line, "check the database server") from error


def _sqlite_trouble(path: str, error: BaseException) -> StorageError:
    code = getattr(error, "sqlite_errorcode", None)
    # Extended result codes, such as SQLITE_IOERR_FSYNC, carry the primary code in the low byte.
    if code is not None and code & 0xFF in _TROUBLES:
        return StorageError(path, *_TROUBLES[code & 0xFF])
    line = " ".join(str(error).split())
    return LedgerCorrupt(path, f"the database is damaged or not ours ({line})")


def _os_trouble(path: Path, error: OSError) -> StorageError:
    reason = error.strerror or str(error)
    return StorageError(
        str(path),
        f"the database cannot be created ({reason})",
        "check that the folder exists, may be written and lies on a local disk with free space",
    )
