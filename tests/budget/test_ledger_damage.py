"""A damaged ledger is refused or reads the same: never a silently changed amount."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from budget.book import GENESIS, Book, digest_of
from budget.database import look_into, open_database
from budget.errors import AlreadyResolved, LedgerCorrupt, StorageError
from budget.ledger import Ledger, LedgerEntry
from budget.money import Money
from tests.drawn import examples
from tests.forks import forked

CAP = Money.parse("20")


def write_ledger(path: Path) -> None:
    engine = open_database(path)
    ledger = Ledger.open(engine, "study", CAP)
    for number in range(4):
        hold = ledger.reserve(f"order-{number}", Money(1_000_000 + number), note="tranche 0")
        if number < 2:
            ledger.settle(hold, Money(900_000))
    ledger.void(hold)
    engine.dispose()


def read_ledger(path: Path) -> tuple[LedgerEntry, ...]:
    engine = open_database(path)
    try:
        return Ledger.open(engine, "study", CAP).entries()
    finally:
        engine.dispose()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "study.sqlite"
    write_ledger(path)
    assert len(read_ledger(path)) == 8
    return path


UNGUARDED = (
    "DROP TRIGGER no_update_of_rows",
    "DROP TRIGGER no_delete_of_rows",
    "DROP TRIGGER no_delete_of_heads",
    "DROP TRIGGER no_skip_of_heads",
)


@pytest.mark.parametrize(
    "edits",
    [
        ["UPDATE ledger_rows SET micros = 1 WHERE key = 'order-0' AND kind = 'settle'"],
        ["UPDATE ledger_rows SET micros = 40000000 WHERE kind = 'cap'"],
        ["UPDATE ledger_rows SET micros = '900000x' WHERE seq = 3"],
        ["UPDATE ledger_rows SET note = '' WHERE seq = 2"],
        ["UPDATE ledger_rows SET at = '2020-02-02T02:02:02+00:00' WHERE seq = 2"],
        ["UPDATE ledger_rows SET at = NULL WHERE seq = 2"],
        ["UPDATE ledger_rows SET key = 'order-9' WHERE seq = 6"],
        ["UPDATE ledger_rows SET kind = 'void' WHERE seq = 3"],
        ["UPDATE ledger_rows SET study = 'other' WHERE seq = 8"],
        ["UPDATE ledger_rows SET study = 'other'"],
        ["UPDATE ledger_heads SET study = 'other'"],
        ["DELETE FROM ledger_rows WHERE seq = 8"],
        ["DELETE FROM ledger_rows WHERE seq > 3"],
        ["DELETE FROM ledger_rows WHERE seq = 4"],
        ["DELETE FROM ledger_rows"],
        ["DELETE FROM ledger_heads"],
        ["DROP TABLE ledger_rows"],
        ["DROP TABLE ledger_heads"],
        [
            "DELETE FROM ledger_rows WHERE seq = 8",
            "UPDATE ledger_heads SET seq = 7",
        ],
        [
            "INSERT INTO ledger_rows SELECT study, 9, 'void', 'order-2', 0, '', hash, hash, at"
            " FROM ledger_rows WHERE seq = 8",
            "UPDATE ledger_heads SET seq = 9",
        ],
    ],
)
def test_edited_rows_are_refused(good: Path, tmp_path: Path, edits: list[str]) -> None:
    path = tmp_path / "study.sqlite"
    shutil.copyfile(good, path)
    vandal = sqlite3.connect(path, isolation_level=None)
    for statement in (*UNGUARDED, *edits):
        vandal.execute(statement)
    vandal.close()
    with pytest.raises(LedgerCorrupt, match="restore it from a backup"):
        read_ledger(path)


def test_a_row_rewritten_with_a_hash_of_its_own_is_refused(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    shutil.copyfile(good, path)
    vandal = sqlite3.connect(path, isolation_level=None)
    for statement in UNGUARDED:
        vandal.execute(statement)
    columns = "prev, study, seq, kind, key, micros, note, at"
    row = list(vandal.execute(f"SELECT {columns} FROM ledger_rows WHERE seq = 3").fetchone())
    row[5] = 1
    digest = hashlib.sha256(json.dumps(row).encode()).hexdigest()
    vandal.execute("UPDATE ledger_rows SET micros = 1, hash = ? WHERE seq = 3", (digest,))
    vandal.close()
    with pytest.raises(LedgerCorrupt, match="row 4: it does not follow the one before"):
        read_ledger(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_rows SET micros = 1",
        "DELETE FROM ledger_rows WHERE seq = 8",
        "DELETE FROM ledger_heads",
        "UPDATE ledger_heads SET seq = 1",
    ],
)
def test_the_database_itself_forbids_changes(good: Path, tmp_path: Path, statement: str) -> None:
    path = tmp_path / "study.sqlite"
    shutil.copyfile(good, path)
    vandal = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        vandal.execute(statement)
    vandal.close()
    assert read_ledger(path) == read_ledger(good)


def test_the_database_itself_forbids_a_second_row_of_a_kind_and_key(good: Path) -> None:
    # Beside the checks of the program: of two that hold money under one key at once one fails.
    with closing(sqlite3.connect(good)) as database:
        kinds = [
            ("cap", "cap-1"),
            ("reserve", "order-0"),
            ("settle", "order-0"),
            ("void", "order-3"),
        ]
        for kind, key in kinds:
            row = f"study, 9, '{kind}', '{key}', 5, '', hash, hash, at"
            with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
                database.execute(
                    f"INSERT INTO ledger_rows SELECT {row} FROM ledger_rows WHERE seq = 8"
                )
        row = "study, 9, 'settle', 'order-3', 5, '', hash, hash, at FROM ledger_rows WHERE seq = 8"
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            database.execute(f"INSERT INTO ledger_rows SELECT {row}")  # it was voided
        row = row.replace("settle", "reserve").replace("order-3", "order-9")
        database.execute(f"INSERT INTO ledger_rows SELECT {row}")
        database.rollback()


def outcome(path: Path) -> tuple[LedgerEntry, ...] | None:
    """The ledger's rows, or None when it was refused."""
    try:
        return read_ledger(path)
    except StorageError:
        return None


@pytest.mark.drawn
def test_flipped_bytes_are_refused_or_change_nothing(good: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    content, expected = good.read_bytes(), read_ledger(good)
    refused, flips = 0, examples(300)
    for position in rng.integers(len(content), size=flips):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        path = tmp_path / "study.sqlite"
        path.write_bytes(damaged)
        found = outcome(path)
        assert found in (None, expected), f"byte {position}"
        refused += found is None
        for left in tmp_path.iterdir():
            left.unlink()
    assert refused > flips / 10  # most of the file is unused space between rows


def test_every_flip_inside_a_row_is_refused(good: Path, tmp_path: Path) -> None:
    content, expected = good.read_bytes(), read_ledger(good)
    start = content.index(b"settleorder-1")
    path = tmp_path / "study.sqlite"
    for position in range(start - 12, start + 160):
        damaged = bytearray(content)
        damaged[position] ^= 0x04
        path.write_bytes(damaged)
        assert outcome(path) in (None, expected), f"byte {position}"
        for left in tmp_path.iterdir():
            left.unlink()


def test_a_file_cut_short_is_refused(good: Path, tmp_path: Path) -> None:
    content, expected = good.read_bytes(), read_ledger(good)
    path = tmp_path / "study.sqlite"
    for length in np.linspace(0, len(content) - 1, 50).astype(int):
        path.write_bytes(content[:length])
        assert outcome(path) is None, f"{length} bytes"
        for left in tmp_path.iterdir():
            left.unlink()
    path.write_bytes(content)
    assert outcome(path) == expected


def test_a_cut_of_bytes_that_nobody_reads_is_refused(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    shutil.copy(good, path)
    editor = sqlite3.connect(path, isolation_level=None)
    editor.execute("CREATE TABLE last (x)")
    editor.execute("INSERT INTO last VALUES (zeroblob(10))")  # the file's last byte is a zero
    editor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    editor.close()
    whole = path.read_bytes()
    assert read_ledger(path) == read_ledger(good)
    for cut in (1, 9, 4096, len(whole) - 4096):
        path.write_bytes(whole[:-cut])
        with pytest.raises(LedgerCorrupt, match=r"cut short|damaged"):
            open_database(path)
        for side in ("-wal", "-shm", "-queue"):
            path.with_name(path.name + side).unlink(missing_ok=True)


def test_a_file_is_whole_to_all_who_open_it_while_others_write(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    write_ledger(path)

    def write() -> None:
        ledger = Ledger.open(open_database(path), "study", CAP)
        for number in range(100):
            ledger.reserve(f"long-{number}", Money(1), note="x" * 20_000)  # the file grows

    child = forked(write)
    opened = 0
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        open_database(path).dispose()
        opened += 1
    assert ended == (child, 0)
    assert opened > 20
    assert len(read_ledger(path)) == 108


def test_a_lost_write_ahead_log_takes_no_row_with_it(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    child = os.fork()
    if child == 0:
        try:
            write_ledger_and_die(path)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert path.with_name("study.sqlite-wal").exists()  # nobody tidied up
    path.with_name("study.sqlite-wal").unlink()
    path.with_name("study.sqlite-shm").unlink()
    entries = read_ledger(path)
    assert [(entry.kind, entry.key) for entry in entries] == [
        ("cap", "cap-1"),
        ("reserve", "a"),
        ("settle", "a"),
        ("reserve", "b"),
    ]


def write_ledger_and_die(path: Path) -> None:
    ledger = Ledger.open(open_database(path), "study", CAP)
    ledger.settle(ledger.reserve("a", Money(5)), Money(4))
    ledger.reserve("b", Money(3))
    os.kill(os.getpid(), signal.SIGKILL)


def test_damage_done_while_the_ledger_is_open_changes_no_number(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    write_ledger(path)
    engine = open_database(path)
    ledger = Ledger.open(engine, "study", CAP)
    before = ledger.balance(), ledger.open_holds(), ledger.entries()
    vandal = sqlite3.connect(path, isolation_level=None)
    for statement in (*UNGUARDED, "UPDATE ledger_rows SET micros = 1 WHERE seq = 3"):
        vandal.execute(statement)
    assert (ledger.balance(), ledger.open_holds(), ledger.entries()) == before
    with pytest.raises(LedgerCorrupt, match="row 3: its content does not match its hash"):
        Ledger.open(engine, "study", CAP)
    # A row that is added is verified before its amount counts, and so is the head.
    vandal.execute("UPDATE ledger_rows SET micros = 900000 WHERE seq = 3")
    row = "study, 9, 'settle', 'order-2', 5, '', hash, hash, at FROM ledger_rows WHERE seq = 8"
    vandal.execute(f"INSERT INTO ledger_rows SELECT {row}")
    for look in (ledger.balance, ledger.open_holds, lambda: ledger.reserve("x", Money(1))):
        with pytest.raises(LedgerCorrupt, match="row 9: its content does not match its hash"):
            look()
    vandal.execute("DELETE FROM ledger_rows WHERE seq = 9")
    vandal.execute("UPDATE ledger_heads SET seq = 7")
    with pytest.raises(LedgerCorrupt, match="the last rows are not as written"):
        ledger.balance()
    vandal.close()
    engine.dispose()


def test_a_call_reads_only_the_rows_added_since_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_database(tmp_path / "study.sqlite")
    ledger, other = Ledger.open(engine, "study", CAP), Ledger.open(engine, "study", CAP)
    taken, take = [], Book.take
    monkeypatch.setattr(Book, "take", lambda book, *row: taken.append(row[1]) or take(book, *row))
    for number in range(20):
        ledger.settle(ledger.reserve(f"order-{number}", Money(5)), Money(4))
        assert ledger.balance().spent == Money(4 * (number + 1))
    assert taken == list(range(1, 42))
    assert other.balance() == ledger.balance() == Ledger.open(engine, "study").balance()
    engine.dispose()


def as_an_older_release_wrote_it(path: Path) -> None:
    """Take the times of all accounts away, and write the hashes that do without them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        triggers = older.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        for name, _ in (kept := triggers.fetchall()):
            older.execute(f"DROP TRIGGER {name}")
        older.execute("ALTER TABLE ledger_rows DROP COLUMN at")
        last: dict[str, str] = {}
        rows = older.execute("SELECT study, seq, kind, key, micros, note FROM ledger_rows")
        for name, seq, *content in sorted(rows.fetchall(), key=lambda row: row[1]):
            before = last.get(name, GENESIS)
            last[name] = digest_of(before, name, seq, *content)
            change = "UPDATE ledger_rows SET prev = ?, hash = ? WHERE study = ? AND seq = ?"
            older.execute(change, (before, last[name], name, seq))
        for name, digest in last.items():
            older.execute("UPDATE ledger_heads SET hash = ? WHERE study = ?", (digest, name))
        for _, sql in kept:
            older.execute(sql)


def test_rows_of_an_older_release_stay_valid_beside_rows_with_their_time(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    write_ledger(path)
    before = read_ledger(path)
    as_an_older_release_wrote_it(path)
    looked = look_into(path)
    assert Ledger.open(looked, "study").entries() == before  # and a look adds no column
    looked.dispose()
    engine = open_database(path)
    when = datetime(2026, 3, 1, 12, tzinfo=UTC)
    ledger = Ledger.open(engine, "study", CAP, clock=lambda: when)
    ledger.settle(ledger.open_holds()[0], Money(5))
    assert [entry.at for entry in ledger.entries()] == [""] * 8 + ["2026-03-01T12:00:00+00:00"]
    assert Ledger.open(engine, "study").balance() == ledger.balance()
    engine.dispose()


def test_a_full_disk_keeps_the_account_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    write_ledger(path)
    engine = open_database(path)
    ledger = Ledger.open(engine, "study", CAP)
    before = ledger.entries()
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageError, match="the disk is full"):
        ledger.reserve("long", Money(1), note="x" * 100_000)
    assert ledger.entries() == before
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    hold = ledger.reserve("long", Money(1), note="x" * 100_000)
    with pytest.raises(AlreadyResolved):
        ledger.reserve("long", Money(2))
    assert hold in ledger.open_holds()
    engine.dispose()
