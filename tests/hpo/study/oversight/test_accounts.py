"""The entries of a study's accounts: in words, as CSV, and as a file that beancount balances."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hpo.study.next_purchase import Wish, carry_out, prepare
from hpo.study.oversight import accounts
from hpo.study.oversight.accounts import postings_of, to_beancount, to_csv
from tests import oracle
from tests.budget.test_ledger_damage import as_an_older_release_wrote_it
from tests.conftest import Command
from tests.heads import FixedHeads
from tests.unsealed import unseal_driver


@pytest.fixture(scope="module")
def bought(bought_twice: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study, and a purchase beside it."""
    folder = Path(shutil.copytree(bought_twice, tmp_path_factory.mktemp("accounts") / "s"))
    purchase = prepare(folder, Wish(plan="p0.002-k2-c1-n1"), FixedHeads())
    try:
        carry_out(purchase, lambda doing: None)
    finally:
        purchase.world.close()
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file; SQLite's own index of a log that a living process holds is none of ours."""
    paths = [p for p in folder.rglob("*") if p.is_file() and not p.name.endswith("-shm")]
    return {str(path): path.read_bytes() for path in paths}


def micros(text: str) -> int:
    return int(Decimal(text) * 1_000_000)


def test_every_entry_is_told_with_its_time_and_its_order(bought: Path, command: Command) -> None:
    before = content_of(bought)
    code, out, err = command("ledger", str(bought), "--json")
    assert (code, err) == (0, "")
    entries = json.loads(out)["entries"]
    accounts_named = [row["account"][:12] for row in entries if row["kind"] == "cap"]
    assert accounts_named == ["s", "s/p0.002-k2-"]
    assert all(row["time"].endswith("+00:00") for row in entries)
    settled = [row for row in entries if row["kind"] == "settle"]
    assert sum(row["amount"]["micros"] for row in settled) == oracle.settled(bought)
    assert all(0 < row["fee"]["micros"] < row["amount"]["micros"] for row in settled)
    assert all("answers wanted at $0.00" in row["for"] for row in settled)
    code, out, err = command("ledger", str(bought))
    assert (code, err) == (0, "")
    times = [row["time"][:19].replace("T", " ") for row in entries]
    assert [line[1:20] for line in out.splitlines() if line[1:20] in times] == times
    assert content_of(bought) == before


def test_the_table_adds_up_to_the_ledger(bought: Path, command: Command) -> None:
    code, out, _ = command("ledger", str(bought), "--csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert tuple(rows[0]) == accounts.COLUMNS
    paid = sum(micros(row["usd"]) for row in rows if row["kind"] == "settle")
    assert paid == oracle.settled(bought) == oracle.paid(bought)


def read_by_beancount(text: str) -> tuple[list[Any], list[Any]]:
    """Entries and complaints of beancount's own parser and checks."""
    loader = pytest.importorskip("beancount.loader", reason="beancount is in the dev group")
    entries, errors, _ = loader.load_string(text)
    return entries, errors


def test_beancount_balances_the_entries(bought: Path, command: Command) -> None:
    code, out, _ = command("ledger", str(bought), "--beancount")
    assert code == 0
    entries, errors = read_by_beancount(out)
    assert errors == []
    transactions = [entry for entry in entries if type(entry).__name__ == "Transaction"]
    assert len(transactions) == len(postings_of(bought))
    for entry in transactions:
        assert sum(posting.units.number for posting in entry.postings) == 0
    spent = sum(
        posting.units.number
        for entry in transactions
        for posting in entry.postings
        if posting.account.startswith("Expenses:")
    )
    assert micros(str(spent)) == oracle.settled(bought)
    assert sum(type(entry).__name__ == "Balance" for entry in entries) == 10


def test_beancount_notices_an_amount_that_was_changed(bought: Path) -> None:
    text = to_beancount(postings_of(bought))
    line = next(line for line in text.splitlines() if "Expenses:Study:Fee  0" in line)
    _, errors = read_by_beancount(text.replace(line, line.replace("  0.", "  1.")))
    assert errors


def test_names_that_other_programs_would_run_or_misread_stay_text(bought: Path) -> None:
    odd = [replace(posting, account='=x"\\\n') for posting in postings_of(bought)]
    assert to_csv(odd).splitlines()[1].startswith("\"'=x")
    assert read_by_beancount(to_beancount(odd))[1] == []


def test_entries_of_an_older_release_have_no_time(bought: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bought, tmp_path / "s"))
    as_an_older_release_wrote_it(folder / "labelworth.sqlite")
    with closing(sqlite3.connect(folder / "optuna.sqlite", isolation_level=None)) as trials:
        unseal_driver(trials)
        trials.execute("DELETE FROM study_user_attributes WHERE key = 'ledger'")
    assert {posting.entry.at for posting in postings_of(folder)} == {""}
    assert read_by_beancount(to_beancount(postings_of(folder)))[1] == []


@pytest.mark.parametrize("form", [[], ["--csv"], ["--beancount"], ["--json"]])
def test_a_damaged_ledger_is_refused(
    form: list[str], bought: Path, tmp_path: Path, command: Command
) -> None:
    folder = Path(shutil.copytree(bought, tmp_path / "s"))
    path = folder / "labelworth.sqlite"
    raw = path.read_bytes().replace(b"settle", b"settlE", 1)
    path.write_bytes(raw)
    code, out, err = command("ledger", str(folder), *form)
    assert (code, out, len(err.splitlines())) == (6, "", 1)
