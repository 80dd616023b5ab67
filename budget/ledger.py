"""The account of a study: money is held before it is spent, and never beyond the cap.

The ledger only adds rows: the cap, then for each key a reserve and later its settle or void. Each
row carries the hash of the row before it, and a head row names the last row. So the ledger notices
an edited, inserted or deleted row. To open it is to verify all rows. A later call verifies the rows
that were added since: its numbers come from rows that were verified, never from a stored balance.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    exists,
    insert,
    inspect,
    or_,
    select,
    text,
    union,
    update,
)

from budget.book import Balance as Balance
from budget.book import Book, digest_of
from budget.book import Hold as Hold
from budget.book import LedgerEntry as LedgerEntry
from budget.database import (
    add_columns,
    alone,
    check_integrity,
    checkpoint,
    create_tables,
    idempotent,
    looks_only,
    name_of,
    reading,
    writing,
)
from budget.errors import AlreadyResolved, BudgetExceeded, InputError, LedgerCorrupt
from budget.money import ZERO, Money

_TABLES = MetaData()
_ROWS = Table(
    "ledger_rows",
    _TABLES,
    Column("study", String(200), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),
    Column("key", String(200), nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("prev", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("at", String(32)),  # null in the rows of an older release
    UniqueConstraint("study", "kind", "key"),
    CheckConstraint("kind IN ('cap', 'reserve', 'settle', 'void')"),
    CheckConstraint("micros >= 0"),
)
_RESOLUTION = text("kind IN ('settle', 'void')")
_ONE_RESOLUTION = Index(
    "ledger_one_resolution", _ROWS.c.study, _ROWS.c.key, unique=True, sqlite_where=_RESOLUTION
)


@event.listens_for(_ROWS, "before_create")
def _condition(table: Table, connection: Connection, **_: object) -> None:
    if connection.dialect.name == "postgresql":  # above, the word would import all of its dialect
        _ONE_RESOLUTION.dialect_options["postgresql"]["where"] = _RESOLUTION


_HEADS = Table(
    "ledger_heads",
    _TABLES,
    Column("study", String(200), primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)


def _forbid(table: Table, name: str, change: str, when: str = "") -> None:
    """Make the database itself refuse a change of the table, always or in one case."""
    trigger = f"CREATE TRIGGER {name} BEFORE {change} ON {table.name}"
    statements = {
        "sqlite": (
            f"{trigger}{when and f' WHEN {when}'} BEGIN SELECT RAISE(ABORT, 'append-only'); END",
        ),
        "postgresql": (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'append-only'; END $$",
            f"{trigger} FOR EACH ROW{when and f' WHEN ({when})'} EXECUTE FUNCTION {name}()",
        ),
    }
    for dialect, words in statements.items():
        for statement in words:
            ddl = DDL(statement)  # type: ignore[no-untyped-call]
            event.listen(table, "after_create", ddl.execute_if(dialect=dialect))


_forbid(_ROWS, "no_update_of_rows", "UPDATE")
_forbid(_ROWS, "no_delete_of_rows", "DELETE")
_forbid(_HEADS, "no_delete_of_heads", "DELETE")
# Every added row moves the head on by one; any other change of a head is a fault.
_forbid(_HEADS, "no_skip_of_heads", "UPDATE", "NEW.seq <> OLD.seq + 1")


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The account of one study in a database; any number of processes may use it."""

    def __init__(self, engine: Engine, study: str, clock: Callable[[], datetime] = _now) -> None:
        """Use `open`, which verifies the stored rows."""
        self._engine = engine
        self._study = study
        self._clock = clock
        self._columns = list(_ROWS.columns)
        self._verified = Book()

    @classmethod
    def open(
        cls,
        engine: Engine,
        study: str,
        cap: Money | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> Ledger:
        """Open a study's ledger, create it on first use, and verify all of its rows.

        Args:
            engine: from `budget.database.open_database`.
            study: name of the study.
            cap: the most that the study may spend; a higher cap than the stored one is added as a
                row. None opens an existing ledger at its stored cap.
            clock: dates new rows.

        Raises:
            InputError: the cap is not positive, is below the stored cap, or is missing for a new
                ledger.
            LedgerCorrupt: the stored rows are not the rows that were written.
        """
        if cap is not None and cap <= ZERO:
            raise InputError(f"budget: {cap} cannot buy anything; give a positive amount")
        check_integrity(engine)
        create_tables(engine, _TABLES)
        ledger = cls(engine, study, clock)
        if looks_only(engine):
            ledger._columns = _present(engine)
        else:
            add_columns(engine, _ROWS)
        book = ledger._book()
        if cap is None and not book.entries:
            raise InputError(f"study {study!r}: it has no ledger here; start it with a budget")
        if cap is not None and cap != book.cap:
            ledger._set_cap(cap)
        return ledger

    @idempotent
    def reserve(self, key: str, amount: Money, note: str = "") -> Hold:
        """Hold money under a key. The same call again returns the same hold.

        A settled key still returns its hold. A voided key holds no money and is refused.

        Raises:
            BudgetExceeded: settled money, open holds and this amount exceed the cap.
            AlreadyResolved: the key has a hold of another amount, or was voided.
            InputError: the amount is negative.
        """
        if amount < ZERO:
            raise InputError(f"hold {key!r}: {amount} is negative")
        with writing(self._engine) as connection:
            # The balance is read under the lock: beside it no other process can hold money, so the
            # check against the cap and the new row belong together.
            book = self._replay(connection, lock=True)
            resolution = book.resolved.get(key)
            if resolution is not None and resolution.kind == "void":
                raise AlreadyResolved(key, "a void", f"a hold of {amount}")
            reserved = book.reserved.get(key)
            if reserved is not None and reserved != amount:
                raise AlreadyResolved(key, f"a hold of {reserved}", f"one of {amount}")
            # After a crash the caller cannot tell whether the hold was written and asks again: an
            # existing hold is not checked against the cap a second time.
            if reserved is None:
                left = book.balance().left
                if amount > left:
                    raise BudgetExceeded(str(amount), str(left))
                self._append(connection, book, "reserve", key, amount, note)
        checkpoint(self._engine)
        return Hold(key, amount)

    @idempotent
    def settle(self, hold: Hold, paid: Money, note: str = "") -> None:
        """Record the payment for a hold and release the rest. The same call again changes nothing.

        A payment above its hold is recorded as well, and sets `overrun`.

        Raises:
            AlreadyResolved: the hold was settled at another amount, or voided.
            InputError: the hold is not in this ledger, or the payment is negative.
        """
        if paid < ZERO:
            raise InputError(f"payment for {hold.key!r}: {paid} is negative")
        self._resolve(hold, "settle", paid, note)

    @idempotent
    def void(self, hold: Hold, note: str = "") -> None:
        """Release a hold; the caller is certain that no payment was or will be made for it.

        Raises:
            AlreadyResolved: the hold was settled.
            InputError: the hold is not in this ledger.
        """
        self._resolve(hold, "void", ZERO, note)

    def balance(self) -> Balance:
        """Cap, spent, held and left at one moment. Verifies the rows since the last call."""
        return self._book().balance()

    @property
    def name(self) -> str:
        """The account's name: STUDY for the search, STUDY/PURCHASE for a later purchase."""
        return self._study

    def open_holds(self) -> tuple[Hold, ...]:
        """Holds neither settled nor voided, oldest first."""
        return self._book().open_holds()

    def entries(self) -> tuple[LedgerEntry, ...]:
        """All rows, oldest first."""
        return tuple(self._book().entries)

    def mark(self) -> tuple[int, str]:
        """Number of rows and hash of the last row, to be kept elsewhere: see `holds`."""
        book = self._book()
        return len(book.entries), book.head

    @idempotent
    def holds(self, rows: int, digest: str) -> bool:
        """Whether the ledger still holds what it held when it gave a mark, and perhaps more."""
        where = (_ROWS.c.study == self._study, _ROWS.c.seq == rows)
        with reading(self._engine) as connection:
            self._replay(connection)
            return connection.execute(select(_ROWS.c.hash).where(*where)).scalar() == digest

    @idempotent
    def _book(self) -> Book:
        with reading(self._engine) as connection:
            return self._replay(connection)

    @idempotent
    def _set_cap(self, cap: Money) -> None:
        with writing(self._engine) as connection:
            book = self._replay(connection, lock=True)
            if cap < book.cap:
                raise InputError(
                    f"budget: {cap} is below the {book.cap} this study was given before; "
                    "a cap can only be raised"
                )
            if cap > book.cap:
                self._append(connection, book, "cap", f"cap-{len(book.entries) + 1}", cap, "")
        checkpoint(self._engine)

    def _resolve(self, hold: Hold, kind: str, amount: Money, note: str) -> None:
        with writing(self._engine) as connection:
            book = self._replay(connection, lock=True)
            if book.reserved.get(hold.key) != hold.amount:
                raise InputError(f"hold {hold.key!r} of {hold.amount} is not in this ledger")
            resolution = book.resolved.get(hold.key)
            if resolution is None:
                self._append(connection, book, kind, hold.key, amount, note)
            elif (resolution.kind, resolution.amount) != (kind, amount):
                raise AlreadyResolved(
                    hold.key, f"{resolution.kind} {resolution.amount}", f"{kind} {amount}"
                )
        checkpoint(self._engine)

    def _append(
        self, connection: Connection, book: Book, kind: str, key: str, amount: Money, note: str
    ) -> None:
        seq = len(book.entries) + 1
        at = self._clock().isoformat(timespec="seconds")
        digest = digest_of(book.head, self._study, seq, kind, key, amount.micros, note, at)
        row = {"kind": kind, "key": key, "micros": amount.micros, "note": note, "prev": book.head}
        row["at"] = at
        connection.execute(insert(_ROWS).values(study=self._study, seq=seq, hash=digest, **row))
        head = {"seq": seq, "hash": digest}
        # Row and head are written in one transaction: a crash leaves both or neither.
        if seq == 1:
            connection.execute(insert(_HEADS).values(study=self._study, **head))
        else:
            connection.execute(update(_HEADS).where(_HEADS.c.study == self._study).values(**head))

    def _replay(self, connection: Connection, lock: bool = False) -> Book:
        """Read and verify the rows that were added since the last call, and the head.

        With `lock`, no other process writes until the commit.
        """
        if lock:
            alone_with_accounts(connection, self._study)
        wanted = select(_HEADS).where(_HEADS.c.study == self._study)
        head = connection.execute(wanted).one_or_none()
        # Until all is verified nothing is kept: the next call begins again with the first row.
        book, self._verified = self._verified, Book()
        rows = connection.execute(
            select(*self._columns)
            .where(_ROWS.c.study == self._study, _ROWS.c.seq > len(book.entries))
            .order_by(_ROWS.c.seq)
        )
        for row in rows:
            problem = book.take(*row)
            if problem:
                raise LedgerCorrupt(name_of(self._engine), f"ledger row {row.seq}: {problem}")
        # The chain of hashes proves the rows that are there; only the head shows a cut-off end.
        last = (len(book.entries), book.head) if book.entries else None
        if last != ((head.seq, head.hash) if head else None):
            raise LedgerCorrupt(name_of(self._engine), "ledger: the last rows are not as written")
        self._verified = book
        return book


def _present(engine: Engine) -> list[Column[Any]]:
    """The columns that a ledger has which is only looked at: an older release made fewer."""
    with reading(engine) as connection:
        names = {column["name"] for column in inspect(connection).get_columns(_ROWS.name)}
    return [column for column in _ROWS.columns if column.name in names]


@idempotent
def accounts_of(engine: Engine, study: str) -> tuple[str, ...]:
    """Names of a study's account and of the accounts of its later purchases, sorted."""
    with reading(engine) as connection:
        if not inspect(connection).has_table(_HEADS.name):
            return ()
        return tuple(sorted(connection.execute(_names(study)).scalars()))


@lru_cache(maxsize=16)  # it is asked for many times in a study
def _names(study: str) -> CompoundSelect[Any]:
    # By rows, too: an account whose head was lost is damaged, not absent.
    heads = select(_HEADS.c.study).where(_belongs(_HEADS, study))
    first = select(_ROWS.c.study).where(_ROWS.c.seq == 1, _belongs(_ROWS, study))
    return union(heads, first)


def alone_with_accounts(connection: Connection, study: str) -> None:
    """Let nobody else write a study's accounts until the transaction ends."""
    alone(connection, "accounts", study.partition("/")[0])


def is_reserved(connection: Connection, study: str, key: str) -> bool:
    """Whether an account of a study in this database ever held money under a key."""
    if not inspect(connection).has_table(_ROWS.name):
        return False
    where = (_belongs(_ROWS, study), _ROWS.c.kind == "reserve", _ROWS.c.key == key)
    return connection.execute(select(exists().where(*where))).scalar_one()


def _belongs(table: Table, study: str) -> ColumnElement[bool]:
    name = table.c.study
    return or_(name == study, name.startswith(f"{study}/", autoescape=True))
