"""The books of a study, verified without its data: ledger, orders, answers and trials.

Nothing heavy is imported here: who prints a stored answer verifies the databases first.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from budget import seals
from budget.book import Book, LedgerEntry
from budget.errors import InputError, LedgerCorrupt
from budget.money import ZERO, Money
from budget.sqlite_file import cut_short, reading_alone, sqlite_trouble
from budget.tariff import Tariff
from budget.tariffs.calls import CallTariff
from budget.tariffs.suite import SuiteTariff
from hpo.settings.rows.staff import PLATFORM
from hpo.settings.stored_answer import SEARCH, STORE, attribute_of, read_object
from labeling.machine import MACHINE

if TYPE_CHECKING:
    from hpo.settings.config import StudyConfig

MARK = "ledger"
"""Attribute of the trials' study: how many rows the ledger had, and the hash of the last."""
LOST = "the ledger lacks entries that the trials rest on: the end of the file or its log was lost"
Read: TypeAlias = Callable[[str, tuple[object, ...]], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A stored order, as far as the books need it.

    Attributes:
        by_call: whether a machine answered it, which charges by the call.
        is_open: whether it has not ended.
        rewards: how many submitted assignments earned each reward.
    """

    by_call: bool
    is_open: bool
    rewards: Mapping[Money, int]

    @property
    def assignments(self) -> int:
        """Assignments submitted, and so paid."""
        return sum(self.rewards.values())

    def paid(self, tariff: Tariff) -> Money:
        """Their cost: rewards with fees."""
        charged = CallTariff() if self.by_call else tariff
        return sum((charged.cost(count, each) for each, count in self.rewards.items()), ZERO)


@dataclass(frozen=True, slots=True)
class Books:
    """The verified books of a study.

    Attributes:
        accounts: its account and those of its later purchases, by name, sorted.
        orders: its orders by key, in the sequence of their creation.
    """

    accounts: Mapping[str, Book]
    orders: Mapping[str, OrderRow]


def look_at_books(folder: Path) -> Books | None:
    """Verify all databases of a study's folder that are there, and write nothing.

    Returns:
        The books; None where they are missing, or were not begun.

    Raises:
        LedgerCorrupt: rows are not the rows that were written, or do not fit each other.
        sqlite3.Error: the file of the trials is damaged.
    """
    if (address := _storage_in(folder)) is not None:
        return _look_at_server(address, folder)
    books, named = None, cache(partial(_study_in, folder))
    if (store := folder / STORE).exists():
        try:
            with closing(sqlite3.connect(reading_alone(store), uri=True)) as database:
                check_rows(database, store)
                names = database.execute("SELECT name FROM sqlite_master").fetchall()
                if {"ledger_rows", "orders"} <= {name for (name,) in names}:  # else killed at once
                    read = partial(_rows, database)
                    books = check_books(read, str(store), *named())
        except sqlite3.Error as error:
            raise sqlite_trouble(str(store), error) from error
    if (search := folder / SEARCH).exists():
        with closing(sqlite3.connect(reading_alone(search), uri=True)) as trials:
            check_rows(trials, search)
            mark = attribute_of(trials, MARK)  # None where an older release wrote them
        if mark is not None and not _holds(store, named()[0], mark):
            raise LedgerCorrupt(str(store), LOST)
    return books


def begun_books(folder: Path, config: StudyConfig) -> Books:
    """The verified books of a study that was begun.

    Raises:
        InputError: they are missing, or were not begun.
        LedgerCorrupt, sqlite3.Error: as for `look_at_books`.
    """
    books = look_at_books(folder)
    if books is not None and config.study in books.accounts:
        return books
    from hpo.settings.run_folder import look_into_store

    look_into_store(folder, config).dispose()  # it says what is missing
    raise InputError(f"{folder}: the study was not begun; its command begins it")


def _holds(store: Path, study: str, mark: Sequence[int | str]) -> bool:
    if not store.exists():
        return True  # that it is missing is said where it is opened
    with closing(sqlite3.connect(reading_alone(store), uri=True)) as database:
        query = "SELECT hash FROM ledger_rows WHERE study = ? AND seq = ?"
        return bool(database.execute(query, (study, mark[0])).fetchone() == (mark[1],))


def _study_in(folder: Path) -> tuple[str, Tariff]:
    """The study's name and tariff, from its configuration."""
    from hpo.settings.run_folder import read_config

    config = read_config(folder)
    if config.pay != PLATFORM:  # own annotators: each answer cost what it earned
        return config.study, SuiteTariff(Fraction(0), ZERO, ZERO)
    return config.study, config.suite_tariff


def _storage_in(folder: Path) -> str | None:
    """The address of the server that a study lies at; None for one in its folder."""
    try:
        address: str | None = read_object(folder / "study.json").get("storage")
    except FileNotFoundError:
        return None
    return address


def _look_at_server(address: str, folder: Path) -> Books:
    from budget.database import look_into, name_of, reading, rows_of
    from budget.postgres.address import read_address

    engine = look_into(read_address(address))
    try:
        with reading(engine) as connection:
            return check_books(partial(rows_of, connection), name_of(engine), *_study_in(folder))
    finally:
        engine.dispose()


def _rows(database: sqlite3.Connection, query: str, given: tuple[object, ...] = ()) -> list[Any]:
    return database.execute(query, given).fetchall()


def check_rows(database: sqlite3.Connection, path: Path) -> None:
    """Verify a database's file and seals; without seals, as older releases left it, it passes.

    Raises:
        LedgerCorrupt: it holds rows that were not written.
        sqlite3.Error: it is no database, or is damaged.
    """

    def pragma(name: str) -> int:
        value: int = database.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    try:
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        problem = cut_short(path, pragma)
        changed = "" if problem else seals.broken(database)
        if not (problem or changed):
            report = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
            problem = "" if report == "ok" else " ".join(str(report).split())
        database.rollback()
    except UnicodeDecodeError as error:  # SQLite's message quotes damaged bytes
        raise sqlite3.DatabaseError(f"the database is damaged ({error.reason})") from error
    if problem:
        raise sqlite3.DatabaseError(problem)
    if changed:
        raise LedgerCorrupt(str(path), changed)


def check_books(read: Read, place: str, study: str, tariff: Tariff) -> Books:
    """Verify a study's accounts, and compare settlements with the assignments of their orders.

    Args:
        read: gives the rows of a query to the database of ledger, orders and answers.
        place: where it lies, for messages.
        study: the study's name.
        tariff: what the market charges; a machine charges by the call.

    Raises:
        LedgerCorrupt: a row is not as written; an order is missing, has not ended, or was settled
            at another amount.
    """
    orders, accounts = _orders(read, study), _accounts(read, place, study)
    for entry in (entry for book in accounts.values() for entry in book.entries):
        if entry.kind in ("settle", "void"):
            problem = _problem(entry, orders.get(entry.key), tariff)
            if problem:
                raise LedgerCorrupt(place, f"order {entry.key[:12]}{problem}")
    return Books(accounts, orders)


def _problem(entry: LedgerEntry, order: OrderRow | None, tariff: Tariff) -> str:
    """How an order does not fit its settlement; "" where it does."""
    if order is None:
        return "" if entry.amount == ZERO else ", which was paid for, is missing"
    if entry.kind == "settle" and order.is_open:
        return " was settled and has no end"
    paid = order.paid(tariff)
    if paid != entry.amount:
        return f" was settled at {entry.amount}, and its assignments cost {paid}"
    return ""


def _orders(read: Read, study: str) -> dict[str, OrderRow]:
    rewards: dict[int, dict[Money, int]] = {}
    query = (
        "SELECT order_id, reward_micros, count(*) FROM assignments "
        "WHERE order_id IN (SELECT id FROM orders WHERE study = ?) GROUP BY order_id, reward_micros"
    )
    for order, micros, count in read(query, (study,)):
        rewards.setdefault(order, {})[Money(micros)] = count
    query = "SELECT key, id, end_reason, condition FROM orders WHERE study = ? ORDER BY id"
    return {
        key: OrderRow(
            by_call=bool(condition) and json.loads(condition)["market"].endswith(MACHINE),
            is_open=end is None,
            rewards=rewards.get(number, {}),
        )
        for key, number, end, condition in read(query, (study,))
    }


def _accounts(read: Read, place: str, study: str) -> dict[str, Book]:
    """A study's accounts, with all rows verified."""
    heads = {name: at for name, *at in read("SELECT study, seq, hash FROM ledger_heads", ())}
    books: dict[str, Book] = {name: Book() for name in heads}
    # The time is the last column, and none in the ledger of an older release.
    for row in read("SELECT * FROM ledger_rows ORDER BY study, seq", ()):
        if problem := books.setdefault(row[0], Book()).take(*row):
            raise LedgerCorrupt(place, f"ledger row {row[1]}: {problem}")
    for name, book in books.items():
        if heads.get(name) != [len(book.entries), book.head]:
            raise LedgerCorrupt(place, "ledger: the last rows are not as written")
    mine = (name for name in books if name == study or name.startswith(f"{study}/"))
    return {name: books[name] for name in sorted(mine)}
