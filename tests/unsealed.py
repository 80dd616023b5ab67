"""A database as a release before the seals left it."""

from __future__ import annotations

import sqlite3

from sqlalchemy import Connection

from budget.database import driver


def unseal(connection: Connection) -> None:
    """Take the seals of a database away, in a transaction that writes."""
    unseal_driver(driver(connection))


def unseal_driver(connection: sqlite3.Connection, tables: bool = True) -> None:
    """The same for SQLite's own connection.

    Args:
        connection: to the database.
        tables: take the seals away, too, and not the triggers alone.
    """
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'seal_%'"
    for (name,) in connection.execute(query).fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    if tables:
        connection.execute("DROP TABLE IF EXISTS seals")
