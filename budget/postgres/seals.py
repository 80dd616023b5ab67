"""Seals of PostgreSQL tables, as `budget.seals` keeps them of SQLite's: foreign rows are noticed.

Triggers keep, for each part of a table, the exclusive or of its rows' hashes. They refuse sessions
that are not the program's. Where triggers were switched off, rows and seals differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, inspect, text

_TABLES = (
    "CREATE TABLE sealed_tables (name text PRIMARY KEY, part_column text NOT NULL)",
    "CREATE TABLE seals (name text NOT NULL, part bigint NOT NULL, state bigint NOT NULL, "
    "PRIMARY KEY (name, part))",
    "CREATE FUNCTION seal_hash(line text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS "
    "$$ SELECT ('x' || left(md5(line), 16))::bit(64)::bigint $$",
)
# The rows that a statement adds or takes: exclusive or is its own inverse.
_EVENTS = {
    "insert": "REFERENCING NEW TABLE AS added",
    "delete": "REFERENCING OLD TABLE AS taken",
    "update": "REFERENCING OLD TABLE AS taken NEW TABLE AS added",
}
_GUARD = (
    "IF current_setting('labelworth.program', true) IS DISTINCT FROM 'on' THEN "
    "RAISE EXCEPTION 'only labelworth writes table %', TG_TABLE_NAME; END IF; "
)


def cover(connection: Connection, tables: Mapping[str, str]) -> list[str]:
    """Seal tables as they are, but for those sealed already; in the caller's transaction.

    Args:
        connection: of a transaction that alone changes tables.
        tables: for each table the column of whole numbers that its parts are told apart by; "" for
            a table of one part.

    Returns:
        Names of the tables that held rows which no seal had covered until now.
    """
    if not _has_seals(connection):
        for statement in _TABLES:
            connection.exec_driver_sql(statement)
    known, held = _registered(connection), []
    for name, column in tables.items():
        if name not in known and _cover(connection, name, column):
            held.append(name)
    return held


def is_covered(connection: Connection, tables: Collection[str]) -> bool:
    """Whether all of some tables are sealed."""
    return _has_seals(connection) and set(tables) <= _registered(connection).keys()


def renew(connection: Connection, name: str) -> None:
    """Seal a sealed table anew, whose columns the program has changed in this transaction."""
    if not _has_seals(connection) or name not in (known := _registered(connection)):
        return
    for event in _EVENTS:
        connection.exec_driver_sql(f'DROP TRIGGER {_trigger(name, event)} ON "{name}"')
    for table in ("seals", "sealed_tables"):
        connection.execute(text(f"DELETE FROM {table} WHERE name = :name"), {"name": name})  # noqa: S608
    _cover(connection, name, known[name])


def broken(connection: Connection) -> str:
    """Compare all sealed tables with their seals; the caller's transaction reads one state.

    Returns:
        What differs; empty if nothing does.
    """
    present = _triggers(connection)
    if not _has_seals(connection):
        return "the table of seals is missing" if present else ""
    known = _registered(connection)
    if not known:
        return "the seals are missing"
    wanted = {_trigger(name, event): (name, event) for name in known for event in _EVENTS}
    if strays := present.keys() - wanted.keys():
        return f"trigger {min(strays)!r} belongs to no seal"
    for trigger, (name, event) in wanted.items():
        if present.get(trigger) != _body(name, known[name], event):
            return f"table {name!r}: a trigger of its seal is missing, switched off or changed"
    query = text("SELECT name FROM seals WHERE name <> ALL(:known) LIMIT 1")
    if (stray := connection.execute(query, {"known": list(known)}).scalar()) is not None:
        return f"a seal names table {stray!r}, which is not sealed"
    return _differing(connection, known, None)


def broken_parts(connection: Connection, names: Iterable[str], parts: Collection[int]) -> str:
    """Compare some parts of sealed tables with their seals, as `broken` does with all.

    Tables that are not sealed are left out.
    """
    if not parts or not _has_seals(connection):
        return ""
    known, wanted = _registered(connection), set(names)
    return _differing(connection, {n: c for n, c in known.items() if n in wanted}, parts)


def _differing(
    connection: Connection, known: Mapping[str, str], parts: Collection[int] | None
) -> str:
    bound = {} if parts is None else {"parts": list(parts)}
    for name, column in known.items():
        inside = "true" if parts is None else "part = ANY(:parts)"
        query = text(
            f"SELECT 1 FROM (SELECT part, state AS made FROM ({_made(name, column)}) m "  # noqa: S608
            f"WHERE {inside}) made FULL JOIN (SELECT part, state AS kept FROM seals "
            f"WHERE name = :name AND {inside}) kept USING (part) "
            "WHERE coalesce(made, 0) <> coalesce(kept, 0) LIMIT 1"
        )
        if connection.execute(query, {"name": name, **bound}).first() is not None:
            return f"table {name!r}: its rows are not the rows that were written"
    return ""


def _has_seals(connection: Connection) -> bool:
    return {"seals", "sealed_tables"} <= set(inspect(connection).get_table_names())


def _registered(connection: Connection) -> dict[str, str]:
    rows = connection.execute(text("SELECT name, part_column FROM sealed_tables ORDER BY name"))
    return {name: column for name, column in rows}


def _triggers(connection: Connection) -> dict[str, str]:
    """The bodies of the seals' triggers by name; of one that is switched off, nothing."""
    query = text(
        "SELECT tgname, CASE tgenabled WHEN 'O' THEN prosrc ELSE '' END FROM pg_trigger "
        "JOIN pg_proc ON pg_proc.oid = tgfoid "
        "WHERE tgname LIKE 'seal\\_%' AND pg_table_is_visible(tgrelid)"
    )
    return {name: body for name, body in connection.execute(query)}


def _cover(connection: Connection, name: str, column: str) -> bool:
    register = text("INSERT INTO sealed_tables VALUES (:name, :column)")
    connection.execute(register, {"name": name, "column": column})
    made = text(f"INSERT INTO seals SELECT :name, part, state FROM ({_made(name, column)}) made")  # noqa: S608
    held = connection.execute(made, {"name": name}).rowcount
    for event, referencing in _EVENTS.items():
        trigger, body = _trigger(name, event), _body(name, column, event)
        connection.exec_driver_sql(
            f"CREATE OR REPLACE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql "
            f"AS $seal${body}$seal$".replace("%", "%%")
        )
        connection.exec_driver_sql(
            f'CREATE TRIGGER {trigger} AFTER {event} ON "{name}" {referencing} '
            f"FOR EACH STATEMENT EXECUTE FUNCTION {trigger}()"
        )
    return bool(held)


def _trigger(name: str, event: str) -> str:
    return f"seal_{name}_{event}"


def _body(name: str, column: str, event: str) -> str:
    """What a trigger does: its statement changes the seals of the rows' parts."""
    rows = {"insert": ("added",), "delete": ("taken",), "update": ("added", "taken")}[event]
    both = " UNION ALL ".join(_hashes(row, column) for row in rows)
    return (
        f"BEGIN {_GUARD}INSERT INTO seals SELECT '{name}', part, bit_xor(hash) "  # noqa: S608
        f"FROM ({both}) changed GROUP BY part ORDER BY part "
        "ON CONFLICT (name, part) DO UPDATE SET state = seals.state # excluded.state; "
        "RETURN NULL; END"
    )


def _made(name: str, column: str) -> str:
    """The query of a table's parts and their seals, of its rows as they are now."""
    return f"SELECT part, bit_xor(hash) AS state FROM ({_hashes(name, column)}) rows_ GROUP BY part"  # noqa: S608


def _hashes(rows: str, column: str) -> str:
    part = f'"{column}"' if column else "0"
    return f'SELECT {part}::bigint AS part, seal_hash("{rows}"::text) AS hash FROM "{rows}"'  # noqa: S608
