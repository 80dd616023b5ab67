"""The books of a study, verified without its data: ledger, orders, answers and trials."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from budget import seals
from budget.database import Database, look_into, name_of
from budget.errors import LedgerCorrupt
from budget.ledger import Ledger, accounts_of
from budget.money import ZERO
from budget.sqlite_file import cut_short, reading_alone
from budget.tariff import Tariff
from hpo.settings.run_folder import SEARCH, STORE, has_store, read_config
from labeling.store import Store


def check_books(database: Database, study: str, store: Store, tariff: Tariff) -> None:
    """Compare every settlement and void with the stored assignments of its order.

    Args:
        database: where ledger and store lie.
        study: the study's name.
        store: all of its orders.
        tariff: what the market charges.

    Raises:
        LedgerCorrupt: an order is missing, has not ended, or was settled at another amount.
    """
    # The ledger comes first: another process may be buying, and an order ends before it is settled.
    accounts = [Ledger.open(database, name) for name in accounts_of(database, study)]
    entries = [entry for account in accounts for entry in account.entries()]
    records = {record.order.key: record for record in store.all_orders()}
    for entry in entries:
        record, order = records.get(entry.key), f"order {entry.key[:12]}"
        if entry.kind not in ("settle", "void"):
            continue
        if record is None:
            problem = f"{order}, which was paid for, is missing" if entry.amount != ZERO else ""
        elif entry.kind == "settle" and record.end is None:
            problem = f"{order} was settled and has no end"
        else:
            paid = store.paid(record.order, tariff)
            problem = f"{order} was settled at {entry.amount}, and its assignments cost {paid}"
            problem = "" if paid == entry.amount else problem
        if problem:
            raise LedgerCorrupt(name_of(database), problem)


def look_at_books(folder: Path) -> None:
    """Verify all databases of a study's folder that are there, and write nothing.

    Raises:
        LedgerCorrupt: rows are not the rows that were written, or do not fit each other.
        sqlite3.Error: the file of the trials is damaged.
    """
    if has_store(folder):
        config = read_config(folder)
        database = look_into(folder / STORE)
        try:
            check_books(database, config.study, Store(database, config.study), config.tariff)
        finally:
            database.dispose()
    search = folder / SEARCH
    if search.exists():
        with closing(sqlite3.connect(reading_alone(search), uri=True)) as trials:
            check_rows(trials, search)


def check_rows(database: sqlite3.Connection, path: Path) -> None:
    """Verify the file of the trials; without seals, as older releases left it, its rows pass.

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
