"""The log of a study tells what its processes do, decides nothing, and stops nothing."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from budget.errors import InputError
from hpo.study.logs.log import LOG, last_event, logged, tell, workers
from hpo.study.study import Study
from tests.commands import Running, small_flags
from tests.conftest import Command
from tests.forks import ended, forked

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def at_noon() -> datetime:
    return datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_study_logs_its_orders_and_money(small_study: Callable[..., Study]) -> None:
    study = small_study(study="s", trials=2)
    study.run()
    events = [row["event"] for row in lines_of(study.folder)]
    assert events[0] == "begun"
    assert events[-1] == "ended"
    order = [event for event in events if event in ("held", "placed", "page", "settled")]
    assert order[:2] == ["held", "placed"]
    assert order[-1] == "settled"
    assert order.count("held") == order.count("settled") == len(study.world.store.all_orders())
    told = sum(float(row["usd"]) for row in lines_of(study.folder) if row["event"] == "settled")
    assert told == pytest.approx(study.world.ledger.balance().spent.dollars)
    assert all(row["at"].endswith("+00:00") for row in lines_of(study.folder))
    assert (study.folder / LOG).stat().st_mode & 0o777 == 0o600


def test_times_come_from_the_clock_and_nested_logs_are_one(tmp_path: Path) -> None:
    with logged(tmp_path, at_noon):
        with logged(tmp_path):
            tell("inside", number=1)
        (tmp_path / "other").mkdir()
        with logged(tmp_path / "other", at_noon):
            tell("elsewhere")
    assert [(row["at"], row["event"]) for row in lines_of(tmp_path)] == [
        ("2026-03-01T12:00:00.000+00:00", event) for event in ("begun", "inside", "ended")
    ]
    assert [row["event"] for row in lines_of(tmp_path / "other")] == ["begun", "elsewhere", "ended"]
    tell("to nobody")


def test_a_failure_is_told_by_name_and_only_our_own_words_are_kept(tmp_path: Path) -> None:
    for error in (InputError("--budget: too small"), ValueError("a secret")):
        with pytest.raises(ValueError, match=r"budget|secret"), logged(tmp_path):
            raise error
    ours, other = [row for row in lines_of(tmp_path) if row["event"] == "failed"]
    assert ours["line"] == "--budget: too small"
    assert other["error"] == "ValueError"
    assert "secret" not in (tmp_path / LOG).read_text()


def test_a_line_that_a_power_cut_broke_is_passed_over(tmp_path: Path) -> None:
    assert last_event(tmp_path) is None
    with logged(tmp_path):
        pass
    path = tmp_path / LOG
    path.write_bytes(path.read_bytes()[:-7])
    told = last_event(tmp_path)
    assert told is not None
    assert told["event"] == "begun"
    with logged(tmp_path):
        tell("again")
    assert [line[:1] for line in path.read_text().splitlines()].count("{") == 5
    told = last_event(tmp_path)
    assert told is not None
    assert told["event"] == "ended"


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / LOG).symlink_to("/dev/full")
    with logged(tmp_path):
        tell("lost")
    (tmp_path / LOG).unlink()
    (tmp_path / LOG).mkdir()
    with logged(tmp_path):
        tell("lost")


def test_who_is_at_work_is_known_until_it_dies(tmp_path: Path) -> None:
    def work() -> None:
        with logged(tmp_path):
            signal.pause()

    assert workers(tmp_path) == []
    children = [forked(work) for _ in range(2)]
    until = time.monotonic() + 30
    while workers(tmp_path) != sorted(children) and time.monotonic() < until:
        time.sleep(0.01)
    assert workers(tmp_path) == sorted(children)
    for child in children:
        os.kill(child, signal.SIGKILL)
        assert ended(child) == -signal.SIGKILL
    assert workers(tmp_path) == []


def test_status_tells_of_a_live_and_of_a_dead_study(
    small_data: str, tmp_path: Path, command: Command
) -> None:
    """A rehearsal is stopped in the middle of an order, looked at, killed, and looked at again."""
    words = small_flags(small_data, study="s", market="rehearsal", budget="0.2")
    study = Running(*words, "--clearml", "off", cwd=tmp_path)
    folder = tmp_path / "runs/s"
    until = time.monotonic() + 120
    while (last_event(folder) or {}).get("event") != "placed" and time.monotonic() < until:
        time.sleep(0.002)
    study.send(signal.SIGSTOP)
    live = json.loads(command("status", "runs/s", "--json")[1])
    said = command("status", "runs/s")[1].splitlines()
    study.send(signal.SIGKILL)
    study.send(signal.SIGCONT)
    assert study.end().returncode == -signal.SIGKILL
    assert live["workers"] == [study.pid]
    assert f"at work: process {study.pid}" in said
    assert said[-1].startswith(f"last event: {live['last_event']['at']}")
    dead = json.loads(command("status", "runs/s", "--json")[1])
    assert dead["workers"] == []
    assert dead["orders_open"] == len(dead["open_orders"]) == 1
    (order,) = dead["open_orders"]
    assert order["since"].endswith("+00:00")
    assert f"open since {order['since']}: {order['for']}" in command("status", "runs/s")[1]
    assert dead["last_event"]["pid"] == study.pid
