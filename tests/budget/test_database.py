"""A database that cannot be used says so in one line; one that can keeps what was committed."""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Boolean, Column, Engine, Integer, MetaData, Table, Text, func, insert, select

from budget.database import (
    add_columns,
    check_integrity,
    create_tables,
    open_database,
    reading,
    writing,
)
from budget.errors import InputError, LedgerCorrupt, StorageError

TABLES = MetaData()
NUMBERS = Table("numbers", TABLES, Column("n", Integer, primary_key=True))
BLOBS = Table("blobs", TABLES, Column("n", Integer, primary_key=True))


def count(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(select(func.count()).select_from(NUMBERS)).scalar_one())


def put(engine: Engine, number: int) -> None:
    with writing(engine) as connection:
        connection.execute(insert(NUMBERS).values(n=number))


def one_line(error: pytest.ExceptionInfo[StorageError], path: Path) -> str:
    """The error's message, which names the path and is one line."""
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert error.value.remedy in message
    return message


# --- what cannot be opened -----------------------------------------------------------------------


def test_a_missing_folder(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "study.sqlite"
    with pytest.raises(StorageError) as error:
        open_database(path)
    assert "No such file or directory" in one_line(error, path)


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    path = tmp_path / "file" / "study.sqlite"
    with pytest.raises(StorageError) as error:
        open_database(path)
    assert "Not a directory" in one_line(error, path)


def test_a_folder_where_the_file_should_be(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as error:
        open_database(tmp_path)
    assert "cannot be opened" in one_line(error, tmp_path)


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"short"])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.sqlite"
    path.write_bytes(content)
    with pytest.raises(LedgerCorrupt) as error:
        open_database(path)
    assert "damaged or not ours" in one_line(error, path)


def test_a_database_cut_to_nothing_is_not_mistaken_for_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    path.write_bytes(b"")
    with pytest.raises(LedgerCorrupt) as error:
        open_database(path)
    assert "empty" in one_line(error, path)


def test_a_database_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    stranger = sqlite3.connect(path)
    stranger.execute("CREATE TABLE theirs (x)")
    stranger.close()
    with pytest.raises(LedgerCorrupt) as error:
        open_database(path)
    assert "journal mode" in one_line(error, path)


def test_tables_of_which_one_is_missing(engine: Engine, tmp_path: Path) -> None:
    create_tables(engine, TABLES)
    with writing(engine) as connection:
        connection.exec_driver_sql("DROP TABLE blobs")
    with pytest.raises(LedgerCorrupt) as error:
        create_tables(engine, TABLES)
    assert "'blobs' is missing" in one_line(error, tmp_path / "study.sqlite")


def test_a_table_gets_the_columns_that_it_lacks_and_keeps_its_rows(engine: Engine) -> None:
    create_tables(engine, TABLES)
    put(engine, 7)
    wider = Table(
        NUMBERS.name,
        MetaData(),
        Column("n", Integer),
        Column("text", Text),
        Column("flag", Boolean),
    )
    add_columns(engine, wider)
    add_columns(engine, wider)
    with writing(engine) as connection:
        connection.execute(insert(wider), {"n": 8, "text": "x", "flag": True})
        rows = connection.execute(select(wider).order_by(wider.c.n)).all()
    assert [tuple(row) for row in rows] == [(7, None, None), (8, "x", True)]


def test_a_column_cannot_be_added_while_another_process_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    engine = open_database(path, wait_s=0.05)
    create_tables(engine, TABLES)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    wider = Table(NUMBERS.name, MetaData(), Column("n", Integer), Column("text", Text))
    with pytest.raises(StorageError) as error:
        add_columns(engine, wider)
    assert "the database is locked by another process" in one_line(error, path)
    holder.close()
    add_columns(engine, wider)
    put(engine, 1)
    assert count(engine) == 1
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://somebody:secret@host/name", "'mysql' is not supported"),
        ("://", "cannot be read"),
        ("sqlite://", "by its path"),
        ("sqlite:///x.sqlite?mode=ro", "by its path"),
    ],
)
def test_urls_that_lead_nowhere(url: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as error:
        open_database(url)
    assert "secret" not in str(error.value)


def test_a_sqlite_url_is_a_path(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/study.sqlite")
    assert (tmp_path / "study.sqlite").exists()
    engine.dispose()


# --- what cannot be written ----------------------------------------------------------------------


def test_a_full_disk_keeps_nothing_of_the_step_and_goes_on_later(
    engine: Engine, tmp_path: Path
) -> None:
    create_tables(engine, TABLES)
    with reading(engine) as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageError) as error, writing(engine) as connection:
        connection.execute(insert(NUMBERS), [{"n": n} for n in range(10_000)])
    assert "the disk is full; free some space" in one_line(error, tmp_path / "study.sqlite")
    assert count(engine) == 0
    with reading(engine) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    put(engine, 1)
    assert count(engine) == 1


def test_a_lock_held_too_long(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    engine = open_database(path, wait_s=0.05)
    create_tables(engine, TABLES)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError) as error:
        put(engine, 1)
    assert "locked by another process" in one_line(error, path)
    assert count(engine) == 0  # reading goes on
    holder.execute("ROLLBACK")
    holder.close()
    put(engine, 1)
    engine.dispose()


def as_nobody(work: Callable[[], None]) -> int:
    """Exit status of a child that does the work without the rights of root."""
    child = os.fork()
    if child == 0:
        status = 9
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_folder_that_may_not_be_written() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old, new = folder / "old.sqlite", folder / "new.sqlite"
        engine = open_database(old)
        create_tables(engine, TABLES)
        engine.dispose()
        old.chmod(0o444)
        folder.chmod(0o555)

        def work() -> None:
            with pytest.raises(StorageError, match=r"cannot be created \(Permission denied\)"):
                open_database(new)
            with pytest.raises(StorageError, match=r"cannot be (opened|written)"):
                put(open_database(old), 1)

        assert as_nobody(work) == 0
        folder.chmod(0o755)


# --- what is kept --------------------------------------------------------------------------------


def test_settings_on_which_promises_rest(engine: Engine, tmp_path: Path) -> None:
    with reading(engine) as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} <= {
        "study.sqlite",
        "study.sqlite-wal",
        "study.sqlite-shm",
    }


def test_a_failed_transaction_leaves_nothing(engine: Engine) -> None:
    create_tables(engine, TABLES)
    put(engine, 1)
    with pytest.raises(StorageError), writing(engine) as connection:
        connection.execute(insert(NUMBERS), [{"n": 2}, {"n": 1}])
    assert count(engine) == 1


def test_an_engine_may_be_carried_through_a_fork(engine: Engine) -> None:
    create_tables(engine, TABLES)
    put(engine, 1)
    with reading(engine) as connection:
        of_parent = connection.connection.dbapi_connection
    child = os.fork()
    if child == 0:
        status = 9
        try:
            put(engine, 2)
            assert count(engine) == 2
            with reading(engine) as connection:
                assert connection.connection.dbapi_connection is not of_parent
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    put(engine, 3)
    assert count(engine) == 3
    check_integrity(engine)


def test_two_openers_of_a_new_file_get_the_same_database(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    children = []
    for number in range(6):
        child = os.fork()
        if child == 0:
            status = 9
            try:
                engine = open_database(path)
                create_tables(engine, TABLES)
                put(engine, number)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children] == [0] * 6
    engine = open_database(path)
    assert count(engine) == 6
    engine.dispose()
