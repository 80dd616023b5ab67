"""Bits flipped in every table of a study's databases: no changed content is accepted.

Half of FAULT_RUNS values of each table are damaged, and ten times as many bytes of the files.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from budget.errors import LedgerCorrupt
from hpo.cli.main import main
from hpo.settings.exit_codes import explain
from hpo.study.study import open_study
from hpo.study.views.version_catalogue import keep_view, open_catalogue
from labeling.views import parse_view
from tests.faults.studies import RUNS, Undisturbed, chance
from tests.heads import FixedHeads
from tests.unsealed import unseal_driver

FLIPS = max(1, RUNS // 2)
FILES = ("labelworth.sqlite", "optuna.sqlite")
REFUSED = 6
DAMAGED = (2, 6)


@pytest.fixture(scope="module")
def sound(
    undisturbed: Callable[[str], Undisturbed], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A finished study whose catalogue is filled, closed."""
    runs = tmp_path_factory.mktemp("sound") / "runs"
    shutil.copytree(undisturbed("money").runs, runs, symlinks=True)
    with open_catalogue(runs / "s") as catalogue:
        keep_view(catalogue, "sure", catalogue.bind(parse_view("confidence >= 0.8")))
    return runs / "s"


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A copy to be damaged; `restore` mends it."""
    shutil.copytree(sound, tmp_path / "s")
    return tmp_path / "s"


def restore(sound: Path, folder: Path) -> None:
    for name in FILES:
        for side in ("-wal", "-shm", "-queue"):
            (folder / (name + side)).unlink(missing_ok=True)
        shutil.copyfile(sound / name, folder / name)


def tables_of(path: Path) -> dict[str, int]:
    """Every table and its number of rows, seals included."""
    with closing(sqlite3.connect(path)) as database:
        names = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        return {
            name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in names
        }


def content(path: Path) -> dict[str, list[Any]] | None:
    """All rows of all tables but the seals; None where they cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as database:
            database.text_factory = bytes
            names = [name for name in tables_of(path) if name != "seals"]
            return {name: rows_of(database, name) for name in sorted(names)}
    except (sqlite3.Error, UnicodeDecodeError, ValueError):
        return None


def rows_of(database: sqlite3.Connection, name: str) -> list[Any]:
    return sorted(repr(row) for row in database.execute(f'SELECT * FROM "{name}" NOT INDEXED'))


def flipped(value: Any, chance: random.Random) -> Any:
    """A value with one bit changed; the same kind of value."""
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(16))
    raw = bytearray(struct.pack(">d", value) if isinstance(value, float) else value.encode())
    at = chance.randrange(len(raw))
    raw[at] ^= 1 << chance.randrange(6 if isinstance(value, float) else 5)
    return struct.unpack(">d", raw)[0] if isinstance(value, float) else raw.decode()


def flip_a_value(path: Path, table: str, chance: random.Random) -> str:
    """Flip a bit of a stored value, and leave every trigger as it was; tells what was changed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as vandal:
        vandal.execute("PRAGMA ignore_check_constraints = ON")
        triggers = vandal.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        for name, _ in (kept := triggers.fetchall()):
            vandal.execute(f"DROP TRIGGER {name}")
        columns = [row[1] for row in vandal.execute(f'PRAGMA table_info("{table}")')]
        rows = vandal.execute(f'SELECT * FROM "{table}"').fetchall()
        told = ""
        while not told:
            row = chance.choice(rows)
            column, value = chance.choice(list(zip(columns, row, strict=True)))
            if value is None or value == "":
                continue
            where = " AND ".join(f'"{one}" IS ?' for one in columns)
            query = f'UPDATE OR IGNORE "{table}" SET "{column}" = ? WHERE {where}'
            try:
                new = flipped(value, chance)
                done = vandal.execute(query, (new, *row)).rowcount
            except (UnicodeDecodeError, sqlite3.Error):
                continue
            told = f"{table}.{column}: {value!r} became {new!r}" if done else ""
        for _, sql in kept:
            vandal.execute(sql)
        return told


def cases() -> Iterator[tuple[str, str]]:
    store = ("ledger_rows", "ledger_heads", "orders", "order_tasks", "assignments", "answers")
    for table in (*store, "catalogue_versions", "catalogue_labels", "catalogue_answers", "views"):
        yield FILES[0], table
    for table in ("studies", "study_directions", "study_user_attributes", "trials", "trial_params"):
        yield FILES[1], table
    yield FILES[1], "study_system_attributes"
    for table in ("trial_values", "trial_user_attributes", "version_info", "alembic_version"):
        yield FILES[1], table
    for name in FILES:
        yield name, "seals"


def test_every_table_with_rows_is_damaged(sound: Path) -> None:
    filled = {(name, t) for name in FILES for t, rows in tables_of(sound / name).items() if rows}
    assert filled - set(cases()) <= {(FILES[0], "restrictions"), (FILES[0], "further_answers")}
    assert set(cases()) <= filled


@pytest.mark.drawn
@pytest.mark.parametrize(("name", "table"), [*cases()])
def test_no_flipped_value_is_accepted(
    name: str,
    table: str,
    sound: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    draw = chance(table)
    for _ in range(FLIPS):
        told = flip_a_value(folder / name, table, draw)
        assert main(["report", str(folder)]) == REFUSED, told
        assert main(["status", str(folder)]) == REFUSED, told
        said = capsys.readouterr()
        assert said.out == "", told
        assert len(said.err.splitlines()) == 2, said.err
        restore(sound, folder)
    told = flip_a_value(folder / name, table, draw)
    with pytest.raises(Exception, match=r"seal|rows|ledger") as refused:
        open_study(folder, FixedHeads()).close()
    assert explain(refused.value)[0] == REFUSED, told
    record_property("flipped values", FLIPS + 1)


@pytest.mark.drawn
@pytest.mark.parametrize("name", FILES)
def test_no_flipped_byte_of_a_file_changes_content_unseen(
    name: str,
    sound: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    draw, whole, before = chance(name), (sound / name).read_bytes(), content(sound / name)
    changed = accepted = 0
    for _ in range(10 * FLIPS):
        at, bit = draw.randrange(len(whole)), draw.randrange(8)
        damaged = bytearray(whole)
        damaged[at] ^= 1 << bit
        (folder / name).write_bytes(damaged)
        is_changed = content(folder / name) != before
        code = main(["report", str(folder)])
        assert code in (0, *DAMAGED), f"byte {at}, bit {bit}"
        assert not (is_changed and code == 0), f"byte {at}, bit {bit}: changed and accepted"
        said = capsys.readouterr().err
        assert len(said.splitlines()) == (code != 0), said
        changed, accepted = changed + is_changed, accepted + (code == 0)
        restore(sound, folder)
    record_property("flipped bits of files", 10 * FLIPS)
    assert changed >= FLIPS
    assert main(["report", str(folder)]) == 0


@pytest.mark.parametrize(
    "table", ["ledger_rows", "orders", "order_tasks", "assignments", "answers", "seals"]
)
def test_a_lost_last_row_is_noticed(table: str, folder: Path) -> None:
    """As a file that lost its last pages would be, were its triggers whole."""
    with closing(sqlite3.connect(folder / FILES[0], isolation_level=None)) as vandal:
        triggers = vandal.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        for name, _ in (kept := triggers.fetchall()):
            vandal.execute(f"DROP TRIGGER {name}")
        columns = [row[1] for row in vandal.execute(f'PRAGMA table_info("{table}")')]
        last = vandal.execute(f'SELECT * FROM "{table}"').fetchall()[-1]
        where = " AND ".join(f'"{one}" IS ?' for one in columns)
        assert vandal.execute(f'DELETE FROM "{table}" WHERE {where}', last).rowcount == 1
        for _, sql in kept:
            vandal.execute(sql)
    assert main(["status", str(folder)]) == REFUSED


def test_labels_edited_by_another_program_are_refused(folder: Path) -> None:
    path = folder / FILES[0]
    vandal = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="no such function"):
        vandal.execute("UPDATE answers SET label = 9 - label")
    triggers = vandal.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in triggers:
        vandal.execute(f"DROP TRIGGER {name}")
    answers = vandal.execute("SELECT count(*) FROM answers").fetchone()[0]
    assert vandal.execute("UPDATE answers SET label = 9 - label").rowcount == answers >= 30
    vandal.close()
    for words in (["report"], ["status"], ["view"]):
        assert main([*words, str(folder)]) == REFUSED, words


def test_an_edit_before_there_were_seals_shows_where_it_changes_money(folder: Path) -> None:
    with closing(sqlite3.connect(folder / FILES[0], isolation_level=None)) as vandal:
        unseal_driver(vandal)
        vandal.execute("UPDATE assignments SET reward_micros = reward_micros + 1 WHERE rowid = 1")
    for words in (["report"], ["status"]):
        assert main([*words, str(folder)]) == REFUSED, words
    with pytest.raises(LedgerCorrupt, match="and its assignments cost"):
        open_study(folder, FixedHeads())


def test_a_lost_order_that_was_paid_for_is_noticed(folder: Path) -> None:
    with closing(sqlite3.connect(folder / FILES[0], isolation_level=None)) as vandal:
        unseal_driver(vandal)
        for table in ("further_answers", "answers", "assignments", "restrictions", "order_tasks"):
            vandal.execute(f"DELETE FROM {table} WHERE order_id = 1")
        vandal.execute("DELETE FROM orders WHERE id = 1")
    assert main(["status", str(folder)]) == REFUSED


def test_a_study_of_an_older_release_is_sealed_once_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in FILES:
        with closing(sqlite3.connect(folder / name, isolation_level=None)) as older:
            unseal_driver(older)
    assert main(["status", str(folder)]) == 0  # a look seals nothing
    notes = []
    for _ in range(2):
        study = open_study(folder, FixedHeads())
        study.run(lambda progress: notes.append(progress.note))
        study.close()
    assert [note for note in notes if note] == [
        "This study was begun by an older release. Its rows were sealed as they are today."
    ]
    assert flip_a_value(folder / FILES[0], "answers", random.Random(1))
    assert main(["status", str(folder)]) == REFUSED
