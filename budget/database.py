"""SQL databases, opened so that a commit is a commit: SQLite files, PostgreSQL by URL.

SQLite runs with a write-ahead log, synchronous=FULL (a commit survives a power cut) and
BEGIN IMMEDIATE for transactions that write. Under a plain BEGIN, a transaction that reads first
and writes later fails at once when another process wrote in between; BEGIN IMMEDIATE waits.
PostgreSQL has many writers at a time: who must be alone says so by `alone`.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeAlias, cast

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
)
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.schema import CreateColumn

from budget import seals
from budget.errors import InputError, LedgerCorrupt, StorageError
from budget.fair_queue import turn
from budget.postgres import seals as server_seals
from budget.postgres.address import Address, read_address
from budget.postgres.patience import idempotent as idempotent
from budget.postgres.patience import patient
from budget.postgres.server import (
    address_of,
    check_version,
    open_server,
    snapshot,
    to_reader,
    trouble,
)
from budget.postgres.server import alone as alone
from budget.sqlite_file import (
    TROUBLES,
    configure,
    create_file,
    cut_short,
    empty_log,
    os_trouble,
    reading_alone,
    sqlite_trouble,
)

Database: TypeAlias = Engine
"""An opened database; the other packages use this name."""

_WRITES, _WAIT_S = "labelworth_writes", "labelworth_wait_s"
_LOOKS = "labelworth_looks"
_MAKING = "tables"  # who makes or changes tables is alone


def open_database(place: str | Path | Address, *, wait_s: float = 30.0) -> Engine:
    """Open a database, also for forked children; create a SQLite file (mode 0600) if it is missing.

    Args:
        place: path of a SQLite file, or an address such as postgresql://host/name.
        wait_s: how long a transaction waits for the lock of another transaction, in seconds.

    Raises:
        StorageError: the place cannot be read or written, or another process holds the lock.
        LedgerCorrupt: the file is not a database, or is cut short.
        InputError: the URL cannot be understood, or names a database of an unknown kind.
    """
    if isinstance(place, str) and "://" in place:
        place = _place_of(place)
    if isinstance(place, Address):
        return _open_server(place)
    path = Path(place).expanduser()
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        create_file(path)
    except OSError as error:
        raise os_trouble(path, error) from error
    else:
        # `create_file` links a finished database to this name: an empty file is a lost one.
        if size == 0:
            raise LedgerCorrupt(str(path), "the file is empty, which no database ever is")
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": wait_s},
        execution_options={_WAIT_S: wait_s},
    )
    _check(engine, path)
    return engine


def look_into(place: Path | Address) -> Engine:
    """Open a database for reading alone: nothing is created, and nothing is written.

    Raises:
        InputError: there is no such file.
        StorageError: the file cannot be read.
        LedgerCorrupt: as for `open_database`.
    """
    if isinstance(place, Address):
        return _open_server(place, **{_LOOKS: True})
    path = place
    if not path.exists():
        raise InputError(f"{path}: missing; there is no study here, or its database was taken away")
    source = reading_alone(path)
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        creator=lambda: sqlite3.connect(source, uri=True, check_same_thread=False),
        execution_options={_WAIT_S: 30.0, _LOOKS: True},
    )
    _check(engine, path)
    return engine


def _check(engine: Engine, path: Path) -> None:
    """Make a new engine of a SQLite file ready, and verify the file.

    Raises:
        StorageError: the file cannot be read or written.
        LedgerCorrupt: the file is no database, is cut short, or holds rows that nobody wrote.
    """
    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", _begin)
    _engines.add(engine)
    with reading(engine) as connection:

        def pragma(name: str) -> Any:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

        mode = pragma("journal_mode")
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        problem = cut_short(path, pragma) or seals.broken(driver(connection))
    # A file that is read alone has no journal.
    if mode != "wal" and not looks_only(engine):
        raise LedgerCorrupt(str(path), f"its journal mode is {mode!r}, not 'wal' as it was made")
    if problem:
        raise LedgerCorrupt(str(path), problem)


def looks_only(engine: Engine) -> bool:
    """Whether an engine is one of `look_into`."""
    return bool(engine.get_execution_options().get(_LOOKS, False))


def driver(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection, in the same transaction."""
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def check_parts(connection: Connection, tables: Collection[str], parts: Collection[int]) -> None:
    """Verify the seals of some rows, in the transaction that reads them.

    Raises:
        LedgerCorrupt: the rows are not the rows that were written.
    """
    if connection.dialect.name == "sqlite":
        problem = seals.broken_parts(driver(connection), tables, parts)
    else:
        problem = server_seals.broken_parts(connection, tables, parts)
    if problem:
        raise LedgerCorrupt(name_of(connection.engine), problem)


def rows_of(connection: Connection, query: str, given: tuple[object, ...] = ()) -> list[Any]:
    """The rows of a query in plain SQL, whose values stand where it has question marks."""
    if connection.dialect.name != "sqlite":
        query = query.replace("?", "%s")
    return list(connection.exec_driver_sql(query, given).all())


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads one consistent state of the database and writes nothing."""
    with _translated(engine), engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            to_reader(connection)
        with connection.begin():
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
    if engine.dialect.name != "sqlite" or looks_only(engine):
        return nullcontext(lambda: None)
    path = name_of(engine)
    stuck = StorageError(path, *TROUBLES[sqlite3.SQLITE_BUSY])
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
        empty_log(connection.connection.cursor())


@idempotent
def create_tables(engine: Engine, tables: MetaData) -> None:
    """Create the tables unless all of them exist.

    Raises:
        LedgerCorrupt: some of the tables exist and others do not.
        InputError: none exists, in a database that is only looked into.
    """
    with reading(engine) as connection:
        missing = set(tables.tables) - set(inspect(connection).get_table_names())
    if not missing:
        return
    if looks_only(engine) and len(missing) == len(tables.tables):
        raise InputError(f"{name_of(engine)}: nothing was bought yet; the study's command goes on")
    # The read took no lock: between the two transactions another process may create the tables.
    with writing(engine) as connection:
        alone(connection, _MAKING)
        missing = set(tables.tables) - set(inspect(connection).get_table_names())
        if missing and len(missing) < len(tables.tables):
            raise LedgerCorrupt(name_of(engine), f"table {min(missing)!r} is missing")
        tables.create_all(connection)


@idempotent
def seal_tables(engine: Engine, parts: Mapping[str, str]) -> list[str]:
    """Seal tables, unless they are: from now on a row that the program did not write is noticed.

    Args:
        engine: from `open_database`; one of `look_into` stays as it is.
        parts: for each table the column of numbers that its parts are told apart by; "" for none.

    Returns:
        Tables that an older release filled: rows that nothing has covered until now.
    """
    if looks_only(engine):
        return []
    with reading(engine) as connection:
        if _is_covered(connection, parts):
            return []
    with writing(engine) as connection:
        alone(connection, _MAKING)
        if connection.dialect.name == "sqlite":
            return seals.cover(driver(connection), parts)
        return server_seals.cover(connection, parts)


def _is_covered(connection: Connection, tables: Collection[str]) -> bool:
    if connection.dialect.name == "sqlite":
        return seals.is_covered(driver(connection), tables)
    return server_seals.is_covered(connection, tables)


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
        alone(connection, _MAKING)
        lacking = _lacking(connection, table)
        for column in lacking:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")
        if lacking and connection.dialect.name == "sqlite":
            seals.renew(driver(connection), table.name)
        elif lacking:
            server_seals.renew(connection, table.name)


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


def state_of(engine: Engine) -> str:
    """What a transaction at a server would see now, as a text: the same text, the same rows."""

    def look() -> str:
        with reading(engine) as connection:
            return snapshot(connection)

    return patient(look)


def name_of(engine: Engine) -> str:
    """Path or URL of the database for messages, without a password."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return str(address_of(engine))


def _place_of(url: str) -> Path | Address:
    if not url.startswith("sqlite:"):
        return read_address(url)
    path = url.removeprefix("sqlite://").removeprefix("/")
    if not path or "?" in path:
        raise InputError("database: give a SQLite file by its path, without any option")
    return Path(path)


def _open_server(address: Address, **options: bool) -> Engine:
    # READ COMMITTED takes a new snapshot for each statement. Who waited to be alone then reads what
    # was committed meanwhile. REPEATABLE READ would end the same wait with a serialization error.
    engine = open_server(address, isolation_level="READ COMMITTED", execution_options=options)
    _engines.add(engine)
    try:
        with reading(engine) as connection:
            check_version(connection, name_of(engine))
            if problem := server_seals.broken(connection):
                raise LedgerCorrupt(name_of(engine), problem)
    except BaseException:
        engine.dispose()
        raise
    return engine


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
            raise sqlite_trouble(name_of(engine), cause) from error
        raise trouble(name_of(engine), cause) from error
