"""A study mirrored while it runs: the study does not notice, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from budget.errors import InputError
from hpo.tracking.clearml.live import destination, mirroring
from hpo.tracking.clearml.mirror import publish
from tests.clearml_server import StandIn
from tests.clearml_server.faults import CUT, DROPPED, OK
from tests.clearml_server.fixtures import config_file
from tests.commands import Running, flags, in_a_process, labelworth
from tests.hpo.tracking.conftest import (
    FOUR,
    Seen,
    differences,
    mirrored,
    until,
    wait_for_mirror,
)

pytest.importorskip("clearml")
SECRET = "stand-in-secret"


def words_of(data: str, study: str, **more: object) -> list[str]:
    return flags(**{**FOUR, "data": data, "study": study, **more})


def run_without_clearml(words: list[str], root: Path) -> str:
    """The study with --clearml off: no network, no clearml, and no file outside its folder."""
    home, work = root / "home", root / "work"
    home.mkdir(parents=True)
    work.mkdir()
    (home / "clearml.conf").write_text("api { credentials { access_key: x } }")
    code = (
        "import sys, socket\n"
        "def refuse(*_, **__): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "from hpo.run import main\n"
        "from tests.heads import quick\n"
        "quick()\n"
        "code = main(sys.argv[1:])\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'clearml']\n"
        "sys.exit(code)\n"
    )
    environment = {"HOME": str(home), "MPLCONFIGDIR": str(root)}
    named = os.environ.pop("CLEARML_CONFIG_FILE")
    try:
        flags = (*words, "--clearml", "off", "--json", "full")
        done = in_a_process(*flags, cwd=work, code=code, **environment)
    finally:
        os.environ["CLEARML_CONFIG_FILE"] = named
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == "ClearML: off"
    assert [path.name for path in home.iterdir()] == ["clearml.conf"]
    assert {path.name for path in work.iterdir()} == {"runs"}
    assert not list(work.glob("runs/*/clearml*"))
    return done.stdout


@pytest.mark.slow
@pytest.mark.clearml_server
def test_live_and_published_afterwards_leave_the_same(
    clearml_server: Any, small_data: str, unique: str, tmp_path: Path
) -> None:
    words = words_of(small_data, unique)
    done = labelworth(*words, "--clearml", "on", "--json", "full", cwd=tmp_path)
    err = done.stderr
    assert done.returncode == 0, err
    assert err.startswith("ClearML: reports to http")
    assert f"project labelworth/{unique}" in err.splitlines()[0]
    folder = tmp_path / "runs" / unique
    wait_for_mirror(folder)
    server = Seen(unique)
    live = server.everything()
    kinds = [task["type"] for task in live.values()]
    assert kinds.count("optimizer") == 1
    assert kinds.count("training") >= 4
    assert {task["status"] for task in live.values()} == {"completed"}

    server.forget()
    assert server.everything() == {}
    assert mirrored(folder).problems == []
    assert differences(server.everything(), live) == []

    assert run_without_clearml(words, tmp_path / "off") == done.stdout
    report = (folder / "report.json").read_bytes()
    assert report == (tmp_path / "off" / "work" / "runs" / unique / "report.json").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("raised", [False, True])
def test_however_often_a_mirror_looks_it_leaves_what_one_look_leaves(
    raised: bool, stand_in: StandIn, folder: Path
) -> None:
    """A look after every line of the journal, also of a study whose cap was raised half-way."""
    journal = folder / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    if raised:
        begun = json.loads(lines[0])
        more = {"cap": 2 * begun["cap"], "config": {**begun["config"], "trials": 40}}
        lines.insert(len(lines) // 2, json.dumps({**begun, **more, "key": "raised"}) + "\n")
    follower = publish._Follower(folder, None, lambda _: None)
    for at in range(1, len(lines) + 1):
        journal.write_text("".join(lines[:at]))
        assert follower.step(running=at < len(lines))
    looked = Seen("four").everything()
    stand_in.reset()
    assert mirrored(folder).problems == []
    assert differences(Seen("four").everything(), looked) == []


@pytest.mark.slow
def test_nothing_is_lost_against_a_server_that_is_down_half_of_the_time(
    stand_in: StandIn, small_study: Callable[..., Any], unique: str
) -> None:
    start_s = time.monotonic()
    faults = (500, CUT, 503, DROPPED)

    def down(number: int, endpoint: str) -> int | str:
        phase = int((time.monotonic() - start_s) / 0.3)
        return faults[phase // 2 % 4] if phase % 2 else OK

    stand_in.faults.rule(down)
    study = small_study(**{**FOUR, "study": unique})
    folder = study.folder
    with mirroring(folder, on=True):
        study.run()
    wait_for_mirror(folder)
    stand_in.faults.clear()
    server = Seen(unique)
    found = server.everything()
    assert {task["status"] for task in found.values()} == {"completed"}
    again = server.updates()
    assert mirrored(folder).problems == []
    assert server.updates() == again, "something was missing"
    stand_in.reset()
    mirrored(folder)
    assert differences(Seen(unique).everything(), found) == []


def controllers(server: StandIn) -> list[dict[str, Any]]:
    return [task for task in server.api.tasks if task["type"] == "optimizer"]


@pytest.mark.slow
def test_a_killed_study_is_stopped_on_the_server_and_completes_when_it_goes_on(
    stand_in: StandIn, small_data: str, unique: str, tmp_path: Path
) -> None:
    words = words_of(small_data, unique)
    command = Running(*words, cwd=tmp_path)
    command.until("purchases 2")
    command.send(signal.SIGSTOP)  # until the mirror, whose process starts slowly, has seen it
    until(lambda: any(t["status"] == "in_progress" for t in controllers(stand_in)))
    command.send(signal.SIGKILL)
    assert command.end().returncode == -signal.SIGKILL
    folder = tmp_path / "runs" / unique
    wait_for_mirror(folder)
    found = Seen(unique).everything()
    controller = next(task for task in found.values() if task["type"] == "optimizer")
    assert controller["status"] == "stopped"
    assert "the same command goes on" in controller["status_reason"]
    assert sum(task["type"] == "training" for task in found.values()) >= 2

    done = labelworth(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    wait_for_mirror(folder)
    found = Seen(unique).everything()
    assert {task["status"] for task in found.values()} == {"completed"}
    assert sum(task["type"] == "optimizer" for task in found.values()) == 1
    assert sum(task["type"] == "training" for task in found.values()) >= 4


@pytest.mark.slow
def test_a_server_that_never_answers_neither_stops_nor_slows_a_study(
    stand_in: StandIn, small_study: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    stand_in.faults.down(500)
    study = small_study(trials=2)
    with mirroring(study.folder, on=True):
        report = study.run()
        log = study.folder / "clearml.log"
        while "trying again" not in log.read_text():
            time.sleep(0.1)
    os.kill(int((study.folder / "clearml.lock").read_text()), signal.SIGKILL)  # it goes on trying
    assert len(report["purchases"]) == 2
    said = capfd.readouterr().err
    assert "the rest follows in the background" in said
    assert f"labelworth publish {study.folder}" in said


@pytest.mark.slow
@pytest.mark.parametrize("fault", [400, 401])
def test_a_server_that_refuses_is_left_alone_until_it_is_published(
    fault: int, stand_in: StandIn, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stand_in.faults.down(fault)
    log = folder / "clearml.log"
    with mirroring(folder, on=True):
        deadline = time.monotonic() + 60
        while "does not accept the keys" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert "nothing is there yet" in capfd.readouterr().err
    stand_in.faults.clear()
    assert mirrored(folder).problems == []


def test_the_server_hears_of_a_study_that_waits_for_annotators(
    stand_in: StandIn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    follower = publish._Follower(folder, None, said.append)
    assert follower.step(running=True)
    asked = stand_in.requests.total()
    assert follower.step(running=True)
    assert stand_in.requests.total() == asked, "nothing new, nothing said"
    monkeypatch.setattr(publish, "_HEARTBEAT_S", 0.0)
    assert follower.step(running=True)
    assert stand_in.requests["tasks.ping"] == 1
    assert stand_in.requests.total() == asked + 1


# --- where it reports, and that it does not ---


def test_auto_is_on_where_clearml_is_configured(tmp_path: Path, stand_in: StandIn) -> None:
    nothing = {"CLEARML_CONFIG_FILE": str(tmp_path / "none.conf")}
    assert destination("auto", "p", nothing).words == "ClearML: off (not configured)"
    assert not destination("auto", "p", nothing).on
    by_variables = destination("auto", "p", {**nothing, **stand_in.settings()})
    assert by_variables.on
    assert by_variables.words == f"ClearML: reports to {stand_in.host}, project p"
    file = {"CLEARML_CONFIG_FILE": str(config_file(tmp_path, stand_in))}
    assert destination("auto", "p", file) == by_variables
    assert not destination("off", "p", file).on
    hosted = {**nothing, "CLEARML_API_ACCESS_KEY": "a", "CLEARML_API_SECRET_KEY": "b"}
    assert "https://app.clear.ml" in destination("auto", "p", hosted).words


def test_the_first_line_tells_no_secret(tmp_path: Path) -> None:
    found = destination(
        "on",
        "p",
        {
            "CLEARML_CONFIG_FILE": str(tmp_path / "none.conf"),
            "CLEARML_API_HOST": "https://user:hidden@api.example.com",
            "CLEARML_API_ACCESS_KEY": "key-hidden",
            "CLEARML_API_SECRET_KEY": "secret-hidden",
        },
    )
    assert found.words == "ClearML: reports to https://api.example.com, project p"


def test_on_without_configuration_or_an_unknown_word_is_one_line(tmp_path: Path) -> None:
    nothing = {"CLEARML_CONFIG_FILE": str(tmp_path / "none.conf")}
    with pytest.raises(InputError, match="--clearml on: not configured; run clearml-init"):
        destination("on", "p", nothing)
    with pytest.raises(InputError, match="'yes' is not known; give auto, on or off"):
        destination("yes", "p", nothing)


def test_no_secret_reaches_the_server_s_records_or_the_run_directory(
    stand_in: StandIn, folder: Path
) -> None:
    mirrored(folder)
    kept = json.dumps([list(stand_in.api.tasks), list(stand_in.api.models)])
    assert SECRET not in kept
    for path in folder.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path
