"""Rehearsal: the code that spends real money, to the very answer of the simulated market."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hpo.answer.plan_in_words import counted
from hpo.market.local_platform import TOKEN
from labeling.toloka.describe.spec import fact
from tests import canary, oracle
from tests.commands import Running, labelworth, small_flags

CANARY = "canary-5f2c9d1e"


def same(report: dict) -> dict:
    """A report without the market's name."""
    config = {**report["config"], "market": ""}
    notes = [note for note in report["notes"] if not note.startswith("Rehearsal: ")]
    return {**report, "config": config, "market": "", "notes": notes}


def sim(study, what: str) -> dict:
    """What the local server of an open study says of itself."""
    address = study.world.source.source.api._address
    headers = {"Authorization": f"OAuth {TOKEN}"}
    return httpx.get(f"{address}/sim/{what}", headers=headers).json()


def servers(folder: Path) -> list[int]:
    """Processes that serve a folder's rehearsal, by what they have open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
            here = os.readlink(process / "cwd")
        except OSError:
            continue
        if "toloka-server" in words and here.startswith(str(folder)):
            found.append(int(process.name))
    return found


def gone(folder: Path, seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while servers(folder) and time.monotonic() < until:
        time.sleep(0.05)
    return not servers(folder)


@pytest.mark.slow
def test_a_rehearsal_answers_as_the_simulated_market_does_and_its_account_agrees(
    small_study, tmp_path: Path
) -> None:
    simulated = small_study(study="s", runs=tmp_path / "a", budget="0.08").run()
    study = small_study(study="s", runs=tmp_path / "b", budget="0.08", market="rehearsal")
    rehearsed = study.run()
    assert same(rehearsed) == same(simulated)
    assert rehearsed["market"]["kind"] == "rehearsal"
    assert not rehearsed["market"]["real_money"]
    assert any("from a server on this machine" in note for note in rehearsed["notes"])
    account = sim(study, "account")
    assert (
        account["charged"]
        == rehearsed["money"]["spent"]["micros"]
        == study.world.ledger.balance().spent.micros
    )
    assert account["reserved"] == 0
    assert sim(study, "counts")["open_pools"] == []
    study.close()
    assert gone(tmp_path / "b")
    # A raised budget goes on with the same platform.
    more = small_study(study="s", runs=tmp_path / "b", budget="0.12", market="rehearsal")
    larger = more.run()
    assert sim(more, "account")["charged"] == larger["money"]["spent"]["micros"]
    again = small_study(study="s", runs=tmp_path / "a", budget="0.12").run()
    assert same(larger) == same(again)


def pools(study) -> list:
    """The pools that a study has bought in."""
    source = study.world.source.source
    found = source.api.read(lambda client: list(client.get_pools()))
    return [pool for pool in found if source.marker.owns(pool)]


@pytest.mark.slow
def test_a_study_that_is_over_leaves_archived_pools_and_a_larger_budget_goes_on_in_new_ones(
    small_study, tmp_path: Path
) -> None:
    simulated = small_study(study="s", runs=tmp_path / "a", budget="0.08").run()
    study = small_study(study="s", runs=tmp_path / "b", budget="0.08", market="rehearsal")
    notes: list[str] = []
    keep = lambda progress: progress.note and notes.append(progress.note)  # noqa: E731
    assert same(study.run(keep, archive=True)) == same(simulated)
    first = pools(study)
    assert first
    assert {pool.status.value for pool in first} == {"ARCHIVED"}
    assert study.parting == [f"Archived {counted(len(first), 'pool')}: the study is over."]
    assert notes == []
    study.close()
    more = small_study(study="s", runs=tmp_path / "b", budget="0.16", market="rehearsal")
    larger = more.run(keep)
    assert re.match(
        r"Pools of this study are archived, in (\d+) of its \1 conditions\. .* from new pools, to",
        notes[0],
    )
    assert larger["money"]["spent"]["micros"] > simulated["money"]["spent"]["micros"]
    assert sim(more, "account")["charged"] == larger["money"]["spent"]["micros"]
    later = {pool.id for pool in pools(more)} - {pool.id for pool in first}
    assert later
    assert "They stay for a larger --budget" in more.parting[0]
    # Whoever has answered an image is not asked about it in a new pool.
    assert oracle.paid_twice(tmp_path / "b/s") == 0


@pytest.mark.slow
def test_a_pool_in_which_nothing_is_left_to_buy_is_archived_by_itself(small_study) -> None:
    one = {"price": "0.002", "overlap": "1", "controls": "1", "tasks": "100%", "exam": "off"}
    study = small_study(**one, market="rehearsal", budget="0.6", confirm="0.1")
    study.run()
    found = {fact(p, "condition"): p.status.value for p in pools(study)}
    (plan,) = study.world.space.plans
    assert found.pop(study.world.condition(plan).key) == "ARCHIVED"
    assert set(found.values()) == {"CLOSED"}  # its confirmation grows with the budget
    assert "1 pool in which nothing is left to buy archived" in study.parting[0]


@pytest.mark.slow
def test_buying_beside_a_rehearsed_study_is_rehearsed_too(small_study, tmp_path: Path) -> None:
    from hpo.study.next_purchase import Wish, carry_out, prepare

    study = small_study(study="s", market="rehearsal", trials=1)
    study.run()
    study.close()
    purchase = prepare(tmp_path / "runs/s", Wish(plan="p0.002-k1-c1-n1", tasks=40))
    try:
        report = carry_out(purchase, lambda doing: None)
        charged = sim(purchase, "account")["charged"]
        assert sim(purchase, "counts")["open_pools"] == []
    finally:
        purchase.world.close()
    spent = json.loads(labelworth("status", "runs/s", "--json", cwd=tmp_path).stdout)["spent"]
    assert charged == report["money"]["spent"]["micros"] + spent["micros"]
    assert report["market"]["kind"] == "rehearsal"


def rehearsal(data: str) -> list[str]:
    return small_flags(data, study="s", market="rehearsal", confirm="0", trials=3)


@pytest.fixture
def started(tmp_path: Path, small_data: str) -> Iterator[Running]:
    """A rehearsal as a command, in which a purchase has just been made."""
    command = Running(*rehearsal(small_data), cwd=tmp_path, TOLOKA_TOKEN=CANARY)
    command.until("purchases 1")
    yield command
    if command.running():
        command.send(signal.SIGKILL)
        command.end()


def test_killed_its_server_is_gone_no_token_is_anywhere_and_the_command_goes_on(
    started: Running, tmp_path: Path, small_data: str
) -> None:
    (server,) = servers(tmp_path)
    assert CANARY.encode() not in Path(f"/proc/{server}/environ").read_bytes()
    assert canary.in_command_lines(CANARY) == []
    started.send(signal.SIGKILL)
    assert started.end().returncode == -signal.SIGKILL
    assert gone(tmp_path)
    done = labelworth(*rehearsal(small_data), "--json", "full", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["money"]["held"]["micros"] == 0
    assert CANARY not in done.stdout + done.stderr
    canary.check(CANARY, tmp_path)


def test_a_server_that_dies_is_one_line(started: Running, tmp_path: Path) -> None:
    (server,) = servers(tmp_path)
    os.kill(server, signal.SIGKILL)
    done = started.end()
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr
    assert "start the same command again" in done.stderr.strip().splitlines()[-1]
