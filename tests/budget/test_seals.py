"""Seals: whatever the program writes is covered, and whatever it did not write is noticed."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Double, Integer, MetaData, String, Table, insert

from budget import seals
from budget.database import (
    add_columns,
    check_parts,
    create_tables,
    look_into,
    open_database,
    reading,
    seal_tables,
    writing,
)
from budget.errors import InputError, LedgerCorrupt, StorageError
from tests.drawn import examples
from tests.unsealed import unseal_driver

NUMBERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False)
VALUES = st.one_of(st.none(), NUMBERS, FLOATS, st.text(max_size=6), st.binary(max_size=6))
ROWS = st.tuples(st.integers(0, 3), st.integers(0, 5), st.one_of(FLOATS, NUMBERS), VALUES)
STATEMENTS = {
    "insert": "INSERT OR IGNORE INTO t VALUES (?, ?, ?, ?)",
    "upsert": "INSERT INTO t VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
    "update": "UPDATE t SET part = ?, other = ?, number = ?, value = ? WHERE other = ?2",
    "delete": "DELETE FROM t WHERE part = ?1 AND other = ?2 AND (1 OR ?3 OR ?4)",
    "empty": "DELETE FROM t WHERE 1 OR ?1 OR ?2 OR ?3 OR ?4",
}


def opened() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", factory=seals.SealingConnection, isolation_level=None)
    made.execute(
        "CREATE TABLE t (part INTEGER, other INTEGER, number DOUBLE, value, "
        "PRIMARY KEY (part, other))"
    )
    return made


@settings(deadline=None, max_examples=examples(100))
@given(
    st.lists(ROWS, max_size=4),
    st.lists(st.tuples(st.sampled_from(sorted(STATEMENTS)), ROWS), max_size=12),
)
def test_every_statement_of_the_program_is_covered(
    before: Sequence[tuple[Any, ...]], steps: Sequence[tuple[str, tuple[Any, ...]]]
) -> None:
    with closing(opened()) as database:
        database.executemany(STATEMENTS["insert"], before)
        seals.cover(database, {"t": "part"})
        for name, row in steps:
            with suppress(sqlite3.IntegrityError):  # an update to a key that is taken
                database.execute(STATEMENTS[name], row)
            assert seals.broken(database) == ""
            assert seals.broken_parts(database, ["t"], range(4)) == ""


@settings(deadline=None, max_examples=examples(100))
@given(st.lists(ROWS, min_size=1, max_size=6), st.data())
def test_every_edit_of_a_value_is_noticed(rows: Sequence[tuple[Any, ...]], data: Any) -> None:
    with closing(opened()) as database:
        seals.cover(database, {"t": "part"})
        database.executemany(STATEMENTS["insert"], rows)
        triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        sql = dict(triggers.fetchall())
        for name in sql:
            database.execute(f"DROP TRIGGER {name}")
        before = database.execute("SELECT * FROM t ORDER BY part, other").fetchall()
        part, other, *_ = data.draw(st.sampled_from(before))
        column = data.draw(st.sampled_from(["part", "other", "number", "value"]))
        value = data.draw({"number": FLOATS, "value": VALUES}.get(column, NUMBERS))
        query = f"UPDATE OR IGNORE t SET {column} = ? WHERE part = ? AND other = ?"
        database.execute(query, (value, part, other))
        for trigger in sql.values():
            database.execute(trigger)
        after = database.execute("SELECT * FROM t ORDER BY part, other").fetchall()
        assert (seals.broken(database) == "") == (repr(before) == repr(after))


def test_a_number_s_sign_and_kind_are_content() -> None:
    hashes = {seals._hash_of(value) for value in (0, -0.0, 1, "1", b"1", None, "None", math.inf)}
    assert len(hashes) == 8
    assert seals._hash_of(3.0) == seals._hash_of(3)  # a column of floats keeps them alike


T = Table(
    "t",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("word", String(10)),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    engine = open_database(tmp_path / "study.sqlite")
    create_tables(engine, T.metadata)
    assert seal_tables(engine, {"t": "id"}) == []
    with writing(engine) as connection:
        connection.execute(insert(T), [{"id": n, "word": f"w{n}"} for n in range(1, 6)])
    engine.dispose()
    return tmp_path / "study.sqlite"


@pytest.mark.parametrize(
    "edits",
    [
        ["UPDATE t SET word = 'v' WHERE id = 2"],
        ["DELETE FROM t WHERE id = 2"],
        ["INSERT INTO t VALUES (9, 'v')"],
        ["UPDATE t SET word = (SELECT word FROM t WHERE id = 3) WHERE id = 2"],
        ["UPDATE seals SET state = 1 WHERE part = 2"],
        ["DELETE FROM seals WHERE part = 2"],
        ["DELETE FROM seals"],
        ["DELETE FROM seals WHERE part = -1"],
        ["UPDATE seals SET state = 'word' WHERE part = -1"],
        ["UPDATE seals SET name = 'u'"],
        ["DROP TABLE seals"],
        ["DROP TABLE t"],
    ],
)
@pytest.mark.parametrize("has_triggers", [True, False])
def test_an_edit_by_another_program_is_refused(
    edits: list[str], has_triggers: bool, path: Path
) -> None:
    vandal = sqlite3.connect(path, isolation_level=None)
    triggers = vandal.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    unseal_driver(vandal, tables=False)
    for statement in edits:
        vandal.execute(statement)
    if has_triggers and "DROP TABLE t" not in edits:
        for (sql,) in triggers:
            vandal.execute(sql)
    vandal.close()
    if has_triggers or "DROP TABLE seals" not in edits:  # with them every mark of a seal is gone
        for look in (open_database, look_into):
            with pytest.raises(LedgerCorrupt, match="restore it from a backup"):
                look(path)


def test_a_missing_or_changed_trigger_is_refused(path: Path) -> None:
    vandal = sqlite3.connect(path, isolation_level=None)
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    triggers = vandal.execute(query).fetchall()
    assert len(triggers) == 3
    for name, sql in triggers:
        for planted in ("", f"{sql.removesuffix('END')}SELECT 1; END"):
            vandal.execute(f"DROP TRIGGER {name}")
            if planted:
                vandal.execute(planted)
            with pytest.raises(LedgerCorrupt, match="a trigger of its seal is missing or changed"):
                open_database(path)
            vandal.execute(f"DROP TRIGGER IF EXISTS {name}")
            vandal.execute(sql)
    vandal.close()
    open_database(path).dispose()


def test_another_program_s_statement_fails(path: Path) -> None:
    vandal = sqlite3.connect(path)
    for statement in ("UPDATE t SET word = 'v'", "DELETE FROM t", "INSERT INTO t VALUES (9, 'v')"):
        with pytest.raises(sqlite3.OperationalError, match="no such function: seal_hash"):
            vandal.execute(statement)
    vandal.close()
    open_database(path).dispose()


def test_an_edit_while_the_database_is_open_shows_when_the_part_is_read(path: Path) -> None:
    engine = open_database(path)
    vandal = sqlite3.connect(path, isolation_level=None)
    unseal_driver(vandal, tables=False)
    vandal.execute("UPDATE t SET word = 'v' WHERE id = 2")
    vandal.close()
    with reading(engine) as connection:
        check_parts(connection, ["t"], [1, 3])
        with pytest.raises(LedgerCorrupt, match="'t': its rows are not the rows"):
            check_parts(connection, ["t"], [1, 2])
    engine.dispose()


def test_tables_of_an_older_release_are_sealed_once_as_they_are(path: Path) -> None:
    vandal = sqlite3.connect(path, isolation_level=None)
    unseal_driver(vandal)
    vandal.close()
    engine = open_database(path)
    assert seal_tables(engine, {"t": "id"}) == ["t"]
    assert seal_tables(engine, {"t": "id"}) == []
    engine.dispose()
    open_database(path).dispose()


def test_columns_added_by_a_later_release_are_covered(path: Path) -> None:
    later = Table("t", MetaData(), Column("id", Integer, primary_key=True), Column("more", Double))
    engine = open_database(path)
    add_columns(engine, later)
    with writing(engine) as connection:
        connection.execute(insert(later), [{"id": 9, "more": 2}])
    engine.dispose()
    open_database(path).dispose()
    vandal = sqlite3.connect(path, isolation_level=None)
    unseal_driver(vandal, tables=False)
    vandal.execute("UPDATE t SET more = 3 WHERE id = 9")
    vandal.close()
    with pytest.raises(LedgerCorrupt):
        open_database(path)


def test_a_look_creates_and_writes_nothing(path: Path, tmp_path: Path) -> None:
    open_database(path).dispose()
    content = {each: each.read_bytes() for each in tmp_path.iterdir()}
    tmp_path.chmod(0o500)
    path.chmod(0o400)
    try:
        engine = look_into(path)
        assert seal_tables(engine, {"u": ""}) == []
        with pytest.raises(StorageError, match="cannot be written"), writing(engine) as connection:
            connection.execute(insert(T), [{"id": 77, "word": "x"}])
        with pytest.raises(InputError, match="nothing was bought yet"):
            create_tables(engine, other_tables())
        engine.dispose()
    finally:
        tmp_path.chmod(0o700)
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == content
    with pytest.raises(InputError, match="missing"):
        look_into(tmp_path / "none.sqlite")


def other_tables() -> MetaData:
    tables = MetaData()
    Table("u", tables, Column("id", Integer, primary_key=True))
    return tables


def test_a_look_sees_what_a_killed_process_left_in_the_log(path: Path) -> None:
    engine = open_database(path)
    with writing(engine) as connection:
        connection.execute(insert(T), [{"id": 50, "word": "late"}])
    assert path.with_name(path.name + "-wal").stat().st_size  # the rows lie in the log
    with reading(look := look_into(path)) as connection:
        words = connection.exec_driver_sql("SELECT word FROM t WHERE id = 50").scalar_one()
    assert words == "late"
    look.dispose()
    engine.dispose()
