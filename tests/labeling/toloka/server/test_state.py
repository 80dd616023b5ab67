"""The platform's state outlives its server, also one that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from budget.errors import InputError
from budget.money import Money
from labeling.crowd.scenario import load_scenario
from labeling.toloka.server import RequestLog, Settings, read_truth, serve, write_truth
from tests import ROOT
from tests.conftest import Command

from .campaign import everything, fill, finish, poll, run
from .wire import Wire, address

SETTINGS = Settings(load_scenario("spam-heavy"), seed=5)
RULES = {
    "configs": [
        {
            "collector_config": {"type": "GOLDEN_SET", "parameters": {}},
            "rules": [
                {
                    "conditions": [
                        {
                            "key": "golden_set_incorrect_answers_rate",
                            "operator": "GT",
                            "value": 0,
                        }
                    ],
                    "action": {
                        "type": "RESTRICTION_V2",
                        "parameters": {"scope": "POOL", "duration_unit": "PERMANENT"},
                    },
                }
            ],
        }
    ]
}


@contextmanager
def _kept(path: Path, settings: Settings = SETTINGS) -> Iterator[Wire]:
    with serve(settings, journal=RequestLog(path, settings)) as server:
        wire = Wire(server.url)
        yield wire
        wire.close()


def test_a_server_goes_on_where_the_last_one_stood(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    with _kept(path) as wire:
        key = fill(wire, quality_control=RULES)
        wire.post(f"/v1/pools/{key}/open")
        for _ in range(12):
            poll(wire, key)
        before = everything(wire)
    with _kept(path) as wire:
        assert everything(wire) == before
        done = finish(wire, key)
        whole = everything(wire)
    with serve(SETTINGS) as server:
        undisturbed = Wire(server.url)
        assert run(undisturbed, quality_control=RULES)[1] == done
        assert everything(undisturbed) == whole
        undisturbed.close()


def test_a_line_that_a_kill_has_torn_has_not_happened(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    with _kept(path) as wire:
        fill(wire)
        before = everything(wire)
    with path.open("ab") as file:
        file.write(b'{"do":["POST","/v1/proj')
    with _kept(path) as wire:
        assert everything(wire) == before
        fill(wire)
    with _kept(path) as wire:
        assert wire.get("/sim/counts")["created"]["pools"] == 2


def test_a_platform_begun_anew_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    with _kept(path) as wire:
        fill(wire)
        wire.post("/sim/reset", {"seed": 9, "balance": "7.5"})
        fill(wire, tasks=3)
        before = everything(wire)
    with _kept(path) as wire:
        assert everything(wire) == before
        assert wire.get("/v1/requester")["balance"] == 7.5
        assert wire.get("/sim/counts")["created"]["tasks"] == 23


@pytest.mark.parametrize("change", [{"seed": 6}, {"balance": Money(1)}, {"quotas": True}])
def test_another_platform_does_not_go_on_in_this_ones_state(
    change: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "state.jsonl"
    with _kept(path):
        pass
    other = Settings(**{"scenario": SETTINGS.scenario, "seed": 5, **change})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"begun with {next(iter(change))}"):
        RequestLog(path, other)


def test_a_state_is_held_by_one_server(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    with _kept(path), pytest.raises(InputError, match="another server uses"):
        RequestLog(path, SETTINGS)


def test_what_is_no_state_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n")
    with pytest.raises(InputError, match="not a state file"):
        RequestLog(path, SETTINGS)
    assert path.read_text() == "dear diary\n"
    with pytest.raises(InputError, match="cannot be written"):
        RequestLog(tmp_path / "none" / "state", SETTINGS)


def test_true_answers_that_have_changed_are_noticed(tmp_path: Path) -> None:
    from labeling.crowd.people.items import make_items

    path, truth = tmp_path / "state.jsonl", tmp_path / "truth.json"
    items = make_items(SETTINGS.scenario, [0, 1, 2], 3, 0)
    write_truth(truth, "shape", [address(row) for row in range(3)], items)
    settings = Settings(SETTINGS.scenario, truth=read_truth(truth))
    with _kept(path, settings):
        pass
    with _kept(path, settings):
        pass
    write_truth(truth, "shape", [address(row) for row in range(4, 7)], items)
    with pytest.raises(InputError, match="begun with truth"):
        RequestLog(path, Settings(SETTINGS.scenario, truth=read_truth(truth)))


# --- killed ---


class _Command:
    """`labelworth toloka-server` as a process of its own."""

    def __init__(self, *flags: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hpo.run", "toloka-server", *flags],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.wire = Wire(self.process.stdout.readline().strip())

    def end(self, number: int) -> int:
        """Send a signal; returns the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(10)
        self.close()
        return code

    def close(self) -> None:
        """Let go of everything that is left."""
        self.wire.close()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.mark.slow
def test_killed_between_requests_nothing_is_lost(tmp_path: Path) -> None:
    flags = ("--scenario", "spam-heavy", "--seed", "5", "--state", str(tmp_path / "state"))
    command = _Command(*flags)
    key = fill(command.wire, quality_control=RULES)
    command.wire.post(f"/v1/pools/{key}/open")
    for polls in (3, 9, 17):
        for _ in range(polls):
            poll(command.wire, key)
        before = everything(command.wire)
        assert command.end(signal.SIGKILL) == -signal.SIGKILL
        command = _Command(*flags)
        assert everything(command.wire) == before
    done = finish(command.wire, key)
    whole = everything(command.wire)
    assert command.end(signal.SIGTERM) == 128 + signal.SIGTERM
    with serve(SETTINGS) as server:
        undisturbed = Wire(server.url)
        assert run(undisturbed, quality_control=RULES)[1] == done
        assert everything(undisturbed) == whole
        undisturbed.close()


def test_the_server_ends_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    command = _Command("--parent", str(parent.pid))
    assert command.wire.get("/v1/requester")["balance"] == 1000
    parent.kill()
    parent.wait()
    assert command.process.wait(5) == 0
    command.close()


def test_bad_flags_are_one_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text(json.dumps([{"kind": "rain"}]))
    for flags, expected in (
        (("--scenario", "nobody"), "there is no scenario"),
        (("--balance", "much"), "--balance: 'much' is not an amount"),
        (("--speed", "0"), "--speed: 0 must lie above 0"),
        (("--port", "99999"), "--port: 99999 cannot be used"),
        (("--truth", "none.json"), "none.json: cannot be read"),
        (("--faults", str(tmp_path / "faults.json")), "kind 'rain' is none of"),
    ):
        code, out, err = command("toloka-server", *flags)
        assert (code, out) == (2, "")
        assert err.startswith("labelworth: ")
        assert expected in err
        assert err.count("\n") == 1
