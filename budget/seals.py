"""Seals of SQLite tables: a row that was not written by the program is noticed.

A seal is the exclusive or of the hashes of a part's rows, such as the answers of an order. Triggers
keep the seals: a row and its seal are written in one transaction, by every statement of the
program. The triggers call a function that only the program's connections have, so a statement of
another program fails; where the triggers were taken away, or the file itself was changed, rows and
seals differ.

Seals defend against damage and against edits, not against an attacker who writes seals, too.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from typing import Any

# The part -1 of a sealed table names the column of its parts.
_CREATE = (
    "CREATE TABLE seals (name TEXT NOT NULL, part INTEGER NOT NULL, state NOT NULL, "
    "PRIMARY KEY (name, part)) WITHOUT ROWID"
)
# The rows that a statement adds or takes: exclusive or is its own inverse.
_EVENTS = {"INSERT": ("NEW",), "DELETE": ("OLD",), "UPDATE": ("OLD", "NEW")}
# SQLite has no exclusive or; the result of this difference is that of one, bit by bit.
_XOR = "(state | excluded.state) - (state & excluded.state)"


class SealingConnection(sqlite3.Connection):
    """A connection that can write sealed tables, for `sqlite3.connect(factory=...)`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        teach(self)


def teach(connection: sqlite3.Connection) -> None:
    """Give a connection the function that the triggers call."""
    connection.create_function("seal_hash", -1, _hash_of, deterministic=True)


def cover(connection: sqlite3.Connection, tables: Mapping[str, str]) -> list[str]:
    """Seal tables as they are, but for those sealed already; in the caller's transaction.

    Args:
        connection: knows the function of `teach`.
        tables: for each table the column of whole numbers that its parts are told apart by; "" for
            a table of one part.

    Returns:
        Names of the tables that held rows which no seal had covered until now.
    """
    if not _sealed(connection):
        connection.execute(_CREATE)
    known = _registered(connection)
    held = []
    for name, column in tables.items():
        if name not in known and _cover(connection, name, column):
            held.append(name)
    return held


def is_covered(connection: sqlite3.Connection, tables: Collection[str]) -> bool:
    """Whether all of some tables are sealed."""
    return _sealed(connection) and set(tables) <= _registered(connection).keys()


def renew(connection: sqlite3.Connection, name: str) -> None:
    """Seal a sealed table anew, whose columns the program has changed in this transaction."""
    if not _sealed(connection) or name not in (known := _registered(connection)):
        return
    for event in _EVENTS:
        connection.execute(f"DROP TRIGGER {_trigger(name, event)}")
    connection.execute("DELETE FROM seals WHERE name = ?", (name,))
    _cover(connection, name, known[name])


def broken(connection: sqlite3.Connection) -> str:
    """Compare all sealed tables with their seals; the caller's transaction reads one state.

    Returns:
        What differs; empty if nothing does.

    Raises:
        sqlite3.Error: the rows cannot be read.
    """
    present = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
    if not _sealed(connection):
        left = sorted(name for name in present if name.startswith("seal_"))
        return "the table of seals is missing" if left else ""
    known = _registered(connection)
    if not known:
        return "the seals are missing"
    if problem := _broken_triggers(connection, known, present):
        return problem
    stored: dict[str, dict[Any, Any]] = {name: {} for name in known}
    for name, part, state in connection.execute("SELECT name, part, state FROM seals"):
        if part != -1 and name in stored:
            stored[name][part] = state
        elif part != -1:
            return f"a seal names table {name!r}, which is not sealed"
    for name, column in known.items():
        if _used(stored[name]) != _used(_made(connection, name, column)):
            return f"table {name!r}: its rows are not the rows that were written"
    return ""


def _broken_triggers(
    connection: sqlite3.Connection, known: Mapping[str, str], present: Mapping[str, str]
) -> str:
    """What is wrong with the triggers of the sealed tables; empty if nothing is."""
    ours = {_trigger(name, event) for name in known for event in _EVENTS}
    if strays := {name for name in present if name.startswith("seal_")} - ours:
        return f"trigger {min(strays)!r} belongs to no seal"
    for name, column in known.items():
        columns = _columns(connection, name)
        if not columns or column not in ("", *columns):
            return f"table {name!r} is missing, or its seal is damaged"
        wanted = _triggers(name, column, columns)
        if any(present.get(trigger) != sql for trigger, sql in wanted.items()):
            return f"table {name!r}: a trigger of its seal is missing or changed"
    return ""


def broken_parts(
    connection: sqlite3.Connection, names: Iterable[str], parts: Collection[int]
) -> str:
    """Compare some parts of sealed tables with their seals, as `broken` does with all.

    Tables that are not sealed are left out.
    """
    if not _sealed(connection):
        return ""
    known = _registered(connection)
    for name in names:
        if name not in known:
            continue
        for part in parts:
            query = "SELECT state FROM seals WHERE name = ? AND part = ?"
            row = connection.execute(query, (name, part)).fetchone()
            stored = {part: row[0]} if row else {}
            if _used(stored) != _used(_made(connection, name, known[name], part)):
                return f"table {name!r}: its rows are not the rows that were written"
    return ""


def _sealed(connection: sqlite3.Connection) -> bool:
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
    return bool(connection.execute(query, ("seals",)).fetchone()[0])


def _registered(connection: sqlite3.Connection) -> dict[str, str]:
    query = "SELECT name, state FROM seals WHERE part = -1 ORDER BY name"
    return dict(connection.execute(query))


def _columns(connection: sqlite3.Connection, name: str) -> list[str]:
    return [row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')]


def _cover(connection: sqlite3.Connection, name: str, column: str) -> bool:
    rows: list[tuple[object, ...]] = [(name, -1, column)]
    rows += [(name, part, seal) for part, seal in _made(connection, name, column).items()]
    connection.executemany("INSERT INTO seals VALUES (?, ?, ?)", rows)
    for sql in _triggers(name, column, _columns(connection, name)).values():
        connection.execute(sql)
    return len(rows) > 1


def _trigger(name: str, event: str) -> str:
    return f"seal_{name}_{event.lower()}"


def _triggers(name: str, column: str, columns: Iterable[str]) -> dict[str, str]:
    """The triggers of a table, by name, as the database's schema keeps them."""
    columns = list(columns)
    made = {}
    for event, rows in _EVENTS.items():
        body = ""
        for row in rows:
            part = f'{row}."{column}"' if column else "0"
            values = ", ".join(f'{row}."{one}"' for one in columns)
            body += (
                f"INSERT INTO seals VALUES ('{name}', {part}, seal_hash({values})) "  # noqa: S608
                f"ON CONFLICT DO UPDATE SET state = {_XOR}; "
            )
        trigger = _trigger(name, event)
        made[trigger] = f'CREATE TRIGGER {trigger} AFTER {event} ON "{name}" BEGIN {body}END'
    return made


def _made(
    connection: sqlite3.Connection, name: str, column: str, only: int | None = None
) -> dict[Any, int]:
    """The seal of each part of a table, of its rows as they are now."""
    columns = _columns(connection, name)
    place = columns.index(column) if column else None
    chosen = ", ".join(f'"{one}"' for one in columns)
    query = f'SELECT {chosen} FROM "{name}"'  # noqa: S608 - names of its own schema
    bound: tuple[int, ...] = ()
    if only is not None and column:
        query, bound = f'{query} WHERE "{column}" = ?', (only,)
    made: dict[Any, int] = {}
    for row in connection.execute(query, bound):
        part = 0 if place is None else row[place]
        made[part] = made.get(part, 0) ^ _hash_of(*row)
    return made


def _used(seals: Mapping[Any, Any]) -> dict[Any, Any]:
    """Seals without parts that have no rows any more."""
    return {part: seal for part, seal in seals.items() if seal != 0}


def _hash_of(*row: Any) -> int:
    content = repr(tuple(map(_plain, row))).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True)


def _plain(value: Any) -> Any:
    # A trigger may be given a whole number where the table, whose column holds floats, keeps one.
    if type(value) is float and value.is_integer() and math.copysign(1.0, value) > 0:
        return int(value)
    return value
