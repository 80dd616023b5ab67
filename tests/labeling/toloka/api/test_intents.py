"""The journal of intents: what was written survives; torn lines and other processes do not harm."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from budget.errors import StorageError
from labeling.toloka.api.clock import WallClock
from labeling.toloka.api.intents import DONE, INTENT, IntentLog


def journal(folder: Path) -> IntentLog:
    return IntentLog(folder / "market", WallClock())


def test_a_new_process_knows_what_was_written(tmp_path: Path) -> None:
    first = journal(tmp_path)
    first.write("pool", "a", INTENT)
    first.write("pool", "a", DONE, id="1")
    first.write("pool", "b", INTENT)
    again = journal(tmp_path)
    done, last = again.done("pool", "a"), again.last("pool", "b")
    assert done is not None
    assert done["id"] == "1"
    assert again.done("pool", "b") is None
    assert last is not None
    assert last["state"] == INTENT
    assert [record["key"] for record in again.records("pool")] == ["a", "a", "b"]


def test_two_processes_see_each_others_records(tmp_path: Path) -> None:
    one, other = journal(tmp_path), journal(tmp_path)
    one.write("pool", "a", DONE, id="1")
    other.write("pool", "b", DONE, id="2")
    for each in (one, other):
        assert each.done("pool", "a") is not None
        assert each.done("pool", "b") is not None


@pytest.mark.parametrize("cut", [2, 5, 40])
def test_a_line_torn_by_a_crash_is_no_record_and_spoils_none(cut: int, tmp_path: Path) -> None:
    first = journal(tmp_path)
    first.write("pool", "a", DONE, id="1")
    first.write("pool", "b", DONE, id="2")
    os.truncate(first.path, first.path.stat().st_size - cut)
    again = journal(tmp_path)
    assert again.done("pool", "a") is not None
    assert again.done("pool", "b") is None
    again.write("pool", "c", DONE, id="3")
    last = journal(tmp_path)
    assert [last.done("pool", key) is not None for key in "abc"] == [True, False, True]
    lines = [line for line in last.path.read_text().splitlines() if '"c"' in line]
    assert json.loads(lines[0])["id"] == "3"


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    made = journal(tmp_path)
    assert made.path.stat().st_mode & 0o077 == 0


def test_one_at_a_time_has_a_name_to_itself(tmp_path: Path) -> None:
    one, other = journal(tmp_path), journal(tmp_path)
    with one.alone("order") as mine, other.alone("order") as theirs, other.alone("else") as free:
        assert (mine, theirs, free) == (True, False, True)
    with other.alone("order") as theirs:
        assert theirs


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "market").write_text("a file in the way")
    with pytest.raises(StorageError, match="market"):
        journal(tmp_path)
