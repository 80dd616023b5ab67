"""PostgreSQL keeps what SQLite keeps: no foreign row, no password shown, one state a reading."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import Boolean, Column, Engine, Integer, MetaData, Table, Text, func, insert, select

from budget.database import add_columns, alone, create_tables, open_database, reading, writing
from budget.database import seal_tables as seal
from budget.errors import DatabaseLost, InputError, LedgerCorrupt, StorageError
from budget.ledger import Ledger
from budget.money import Money
from budget.postgres.address import VARIABLE, read_address
from tests.forks import ended, forked
from tests.postgres import PASSWORD, USER, Server

TABLES = MetaData()
ROWS = Table(
    "rows_",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("part", Integer, nullable=False),
)
ONE = Money.parse("1")


@pytest.fixture
def url(postgres: Server) -> str:
    return postgres.fresh()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_database(url)
    yield opened
    opened.dispose()


def other(postgres: Server, url: str, *statements: str) -> None:
    """Run statements as another program."""
    for statement in statements:
        postgres.run(statement, url.rpartition("/")[2])


def put(engine: Engine, *numbers: int) -> None:
    with writing(engine) as connection:
        connection.execute(insert(ROWS), [{"id": n, "part": n % 3} for n in numbers])


# --- what it refuses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE rows_ SET part = 2 WHERE id = 4", "'rows_'"),
        ("DELETE FROM rows_ WHERE id = 4", "'rows_'"),
        ("INSERT INTO rows_ VALUES (100, 1)", "'rows_'"),
        ("DELETE FROM seals WHERE part = 1", "'rows_'"),
        ("UPDATE seals SET name = 'others'", "'others'"),
        ("DROP TRIGGER seal_rows__delete ON rows_", "trigger"),
        ("ALTER TABLE rows_ DISABLE TRIGGER USER", "trigger"),
        ("DELETE FROM sealed_tables", "seals are missing"),
    ],
)
def test_what_another_program_changed_is_noticed(
    statement: str, table: str, postgres: Server, url: str, engine: Engine
) -> None:
    create_tables(engine, TABLES)
    assert seal(engine, {ROWS.name: "part"}) == []
    put(engine, *range(9))
    open_database(url).dispose()
    other(postgres, url, f"SET session_replication_role = replica; {statement}")
    with pytest.raises(LedgerCorrupt, match=table):
        open_database(url)


def test_another_program_cannot_write_a_sealed_table(
    postgres: Server, url: str, engine: Engine
) -> None:
    import psycopg

    create_tables(engine, TABLES)
    seal(engine, {ROWS.name: ""})
    put(engine, 1)
    for statement in ("UPDATE rows_ SET part = 2", "DELETE FROM rows_"):
        with pytest.raises(psycopg.errors.RaiseException, match="only labelworth writes"):
            other(postgres, url, statement)


def test_rows_that_were_there_before_the_seals_are_told(engine: Engine) -> None:
    create_tables(engine, TABLES)
    put(engine, 1, 2)
    assert seal(engine, {ROWS.name: ""}) == [ROWS.name]
    assert seal(engine, {ROWS.name: ""}) == []


def test_a_sealed_table_gets_columns(url: str, engine: Engine) -> None:
    create_tables(engine, TABLES)
    seal(engine, {ROWS.name: "part"})
    put(engine, 1, 2)
    wider = Table(ROWS.name, MetaData(), Column("text", Text), Column("flag", Boolean))
    add_columns(engine, wider)
    put(engine, 3)
    open_database(url).dispose()


def test_the_ledger_s_rows_are_never_changed(postgres: Server, url: str, engine: Engine) -> None:
    import psycopg

    Ledger.open(engine, "s", ONE).reserve("a", ONE)
    for statement in (
        "UPDATE ledger_rows SET micros = 0",
        "DELETE FROM ledger_rows",
        "DELETE FROM ledger_heads",
        "UPDATE ledger_heads SET seq = 1",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            other(postgres, url, statement)


def test_a_row_of_the_ledger_that_is_lost_all_the_same_is_noticed(
    postgres: Server, url: str, engine: Engine
) -> None:
    Ledger.open(engine, "s", ONE).reserve("a", ONE)
    lost = "SET session_replication_role = replica; DELETE FROM ledger_rows WHERE seq = 2"
    other(postgres, url, lost)
    with pytest.raises(LedgerCorrupt, match="last rows"):
        Ledger.open(engine, "s")


def test_an_address_that_leads_nowhere_is_one_line(postgres: Server) -> None:
    with pytest.raises(DatabaseLost, match="refused"):
        open_database("postgresql://u:secret-word@127.0.0.1:1/d")
    with pytest.raises(StorageError, match="authentication failed"):
        open_database(postgres.url().replace(PASSWORD, "wrong"))
    with pytest.raises(InputError, match="'mysql' is not supported"):
        open_database("mysql://u:secret-word@h/d")


# --- passwords -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:secret-word@h:5433/d",
        "postgres://u:secret-word@h:5433/d?password=secret-word",
        "postgresql://u@h:5433/d?password=secret-word&sslmode=require",
        "postgresql+psycopg://u@h:5433/d?sslpassword=secret-word",
    ],
)
def test_a_password_is_kept_apart(text: str) -> None:
    address = read_address(text)
    assert "secret" not in f"{address} {address!r}"
    assert dict(address.secrets).keys() <= {"password", "sslpassword"}
    assert set(dict(address.secrets).values()) == {"secret-word"}
    assert str(address).startswith("postgresql://u@h:5433/d")


def test_errors_show_no_password() -> None:
    for text in ("postgresql://u:secret-word@h:port/d", "postgresql//secret-word"):
        with pytest.raises(InputError) as error:
            read_address(text)
        assert "secret" not in str(error.value)


def test_the_password_may_stand_in_the_environment(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = read_address(url)
    assert USER in str(address)
    plain = read_address(str(address))
    with pytest.raises(StorageError, match="password"):
        open_database(plain)
    monkeypatch.setenv(VARIABLE, url)
    open_database(plain).dispose()


# --- several processes ---------------------------------------------------------------------------


def test_tables_are_made_once(url: str) -> None:
    def work(number: int) -> None:
        own = open_database(url)
        create_tables(own, TABLES)
        seal(own, {ROWS.name: ""})
        put(own, number)
        own.dispose()

    children = [forked(partial(work, number)) for number in range(4)]
    assert [ended(child) for child in children] == [0] * 4
    own = open_database(url)
    with reading(own) as connection:
        assert connection.execute(select(func.count()).select_from(ROWS)).scalar_one() == 4
    own.dispose()


def test_a_reading_sees_one_state_and_writes_nothing(engine: Engine) -> None:
    create_tables(engine, TABLES)
    count = select(func.count()).select_from(ROWS)
    with reading(engine) as connection:
        assert connection.execute(count).scalar_one() == 0
        put(engine, 1)
        assert connection.execute(count).scalar_one() == 0
    with pytest.raises(StorageError, match="read-only"), reading(engine) as connection:
        connection.execute(insert(ROWS).values(id=2, part=0))


def test_who_is_alone_sees_what_was_committed_meanwhile(engine: Engine, url: str) -> None:
    create_tables(engine, TABLES)

    def add_one() -> None:
        own = open_database(url)
        for _ in range(20):
            with writing(own) as connection:
                alone(connection, "numbers")
                last = connection.execute(select(func.coalesce(func.max(ROWS.c.id), 0)))
                connection.execute(insert(ROWS).values(id=last.scalar_one() + 1, part=0))
        own.dispose()

    assert [ended(child) for child in [forked(add_one) for _ in range(3)]] == [0] * 3
    with reading(engine) as connection:
        assert connection.execute(select(func.max(ROWS.c.id))).scalar_one() == 60


def test_a_server_that_crashes_keeps_what_it_confirmed(postgres: Server, engine: Engine) -> None:
    """Even where the server is set to confirm commits before they are written: as here."""
    assert postgres.run("SHOW synchronous_commit") == [("off",)]
    ledger = Ledger.open(engine, "s", ONE)
    for number in range(3):
        ledger.reserve(f"order {number}", Money(7))
        postgres.stop(signal.SIGQUIT)
        postgres.start()
        assert ledger.balance().held == Money(7 * (number + 1))


def test_a_dropped_connection_is_made_again_where_that_is_safe(
    postgres: Server, engine: Engine
) -> None:
    ledger = Ledger.open(engine, "s", ONE)
    ledger.reserve("a", Money(7))
    drop = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name LIKE 'labelworth%' AND pid <> pg_backend_pid()"
    )
    postgres.run(drop)
    ledger.reserve("b", Money(8))

    def interrupted() -> None:
        with writing(engine) as connection:
            postgres.run(drop)
            connection.execute(select(1))

    with pytest.raises(DatabaseLost):
        interrupted()
    assert ledger.balance().held == Money(15)
