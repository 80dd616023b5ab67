"""The command line as a user meets it: exit codes, one clear line, clean stdout."""

from __future__ import annotations

import errno
import json
import re
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import hpo.study.study
from hpo.data.dataset import load
from hpo.settings.config import make_config
from tests.commands import in_a_process, labelworth, small_flags, started
from tests.conftest import Command
from tests.work import work_of

HEAVY = ("torch", "timm", "toloka", "crowdkit", "clearml", "pandas", "sklearn", "optuna")


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    """76,000 calls as measured, .15 s; numpy alone would add 130,000."""
    work = work_of("--help")
    assert work.loaded(HEAVY) == []
    assert "How much should we invest in annotations?" in work.output
    assert work.calls <= 100_000


@pytest.mark.parametrize("words", [("run", "--help-all"), ("view", "--help")])
def test_examples_of_the_help_name_classes_of_the_default_images(
    words: tuple[str, str], command: Command
) -> None:
    default = load(make_config({"budget": "1"})).classes
    _, said, _ = command(*words)
    examples = re.findall(r"(?:label|class)\s+[!=]=\s+'(\w+)'", said)
    assert examples
    assert set(examples) <= set(default)


BAD = (
    ("words", "said"),
    [
        (["--budget", "twenty"], "--budget: 'twenty' is not an amount of dollars"),
        (["--budget", "-5"], "--budget: -5 is negative"),
        (["--budget=nan"], "--budget: 'nan' is not a finite amount"),
        (["--budget", "0"], "--budget: 0 buys nothing"),
        ([], "--budget: how much may be spent?"),
        (["--budget", "5", "--sampler", "tep"], "did you mean 'tpe'?"),
        (["--budget", "5", "--data", "digitz"], "--data: 'digitz' is not known; did you mean"),
        (["--budget", "5", "--scenario", "defaul"], "default"),
        (["--budget", "5", "--price", "0.0001"], "below the platform's smallest reward"),
        (["--budget", "5", "--controls", "10"], "leave no room in a suite of 10"),
        (["--budget", "5", "--overlap", "5000"], "more than the crowd 'default' can bear"),
        (["--budget", "5", "--tasks", "2000"], "the pool has 980 images"),
        (["--budget", "5", "--data", "npz:none.npz"], "none.npz"),
        (["--budget", "5", "--config", "none.toml"], "none.toml: no such file"),
        (["--budget", "5", "--backbone", "resnet_18"], "resnet"),
        (["--budget", "5", "--backbone", "resnet18", "--backbone-file", "x.safetensors"], "x.saf"),
        (["--budjet", "5"], "unrecognized arguments: --budjet"),
        (["status", "nowhere"], "nowhere: no study here"),
        (["report", "nowhere"], "nowhere: no study here"),
    ],
)


def check_refused(code: int, out: str, err: str, said: str, folder: Path) -> None:
    """Exit code 2, one clear line, a clean stdout, and no study."""
    assert code == 2, err
    last = err.strip().splitlines()[-1]
    assert last.startswith("labelworth: ")
    assert said in last
    assert "Traceback" not in err
    assert out == ""
    assert not list(folder.glob("runs/*/study.json"))


@pytest.mark.parametrize(*BAD)
def test_bad_input_is_one_line_exit_2_and_leaves_nothing(
    words: list[str], said: str, command: Command, tmp_path: Path
) -> None:
    check_refused(*command(*words), said, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("row", [0, 7, 17])
def test_bad_input_is_refused_by_a_real_process(row: int, tmp_path: Path) -> None:
    words, said = BAD[1][row]
    done = in_a_process(*words, cwd=tmp_path)
    check_refused(done.returncode, done.stdout, done.stderr, said, tmp_path)


def test_a_plan_that_is_odd_but_valid_is_not_bad_input(command: Command) -> None:
    words = ("--budget", "5", "--controls", "9", "--suite-size", "100", "--exam", "on")
    assert command("plan", *words)[0] in (0, 3)


def test_a_folder_that_cannot_be_written(command: Command, tmp_path: Path, small_data: str) -> None:
    (tmp_path / "runs").write_text("a file in the way")
    code, _, err = command(*small_flags(small_data))
    assert code == 2
    assert "runs: cannot be made" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_nothing_is_lost(
    tmp_path: Path, small_data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the second label version is written, and has room again later."""
    words = small_flags(small_data, study="s", trials=3)
    inner, versions = hpo.study.study.save_version, []

    def full(*of: Any) -> str:
        versions.append(of)
        if len(versions) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return inner(*of)

    monkeypatch.setattr(hpo.study.study, "save_version", full)
    done = labelworth(*words, cwd=tmp_path)
    monkeypatch.undo()
    assert done.returncode == 2
    assert "the disk is full; what was bought is kept" in done.stderr
    assert "Traceback" not in done.stderr
    again = labelworth(*words, "--json", "full", cwd=tmp_path)
    whole = labelworth(*words, "--json", "full", "--runs", "whole", cwd=tmp_path)
    assert again.returncode == 0
    assert again.stdout == whole.stdout


@pytest.mark.slow
def test_json_on_stdout_logs_on_stderr_no_escape_codes(tmp_path: Path, small_data: str) -> None:
    """A real process, start to end; what is asked of its study later is answered by others."""
    words = small_flags(small_data, study="s", trials=3)
    done = in_a_process(*words, "--json", "full", cwd=tmp_path)
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["schema"] == 3
    assert done.stdout == (tmp_path / "runs/s/report.json").read_text()
    assert "purchases 1 |" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert (tmp_path / "runs/s/front.png").stat().st_size > 10_000

    words_again = labelworth(*words, "--details", cwd=tmp_path).stdout
    assert "Spend about $" in words_again
    assert "Recommended: " in words_again
    assert "platform fee" in words_again
    assert "\x1b" not in words_again
    stored = labelworth("report", "runs/s", "--json", "full", cwd=tmp_path)
    assert stored.stdout == done.stdout
    status = json.loads(labelworth("status", "runs/s", "--json", cwd=tmp_path).stdout)
    assert status["spent"] == report["money"]["spent"]
    assert status["orders_open"] == 0
    assert status["answered"]


def test_nothing_affordable_is_exit_3(tmp_path: Path, small_data: str) -> None:
    done = labelworth(*small_flags(small_data, budget="0.01"), cwd=tmp_path)
    assert done.returncode == 3
    assert "no plan is inside the limits: the cheapest costs" in done.stdout


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory, small_data: str) -> Path:
    """A folder in which `words_of` has bought once; tests damage a copy of it."""
    folder = tmp_path_factory.mktemp("studied")
    assert labelworth(*words_of(small_data), cwd=folder).returncode == 0
    for path in folder.glob("runs/s/*.sqlite"):  # the last to close one folds its log into it
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


def words_of(data: str) -> list[str]:
    return small_flags(data, study="s", trials=1)


@pytest.fixture
def folder(studied: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(studied, tmp_path / "copy"))


def test_a_damaged_ledger_is_exit_6(folder: Path, small_data: str) -> None:
    path = folder / "runs/s/labelworth.sqlite"
    content = bytearray(path.read_bytes())
    at = content.find(b"settle")
    content[at : at + 6] = b"sattle"
    path.write_bytes(content)
    done = labelworth(*words_of(small_data), cwd=folder)
    assert done.returncode == 6, done.stderr
    assert "ledger refused, nothing was bought" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("damage", ["garbage", "cut", "cut by a byte"])
def test_a_damaged_search_database_is_one_line(damage: str, folder: Path, small_data: str) -> None:
    path = folder / "runs/s/optuna.sqlite"
    whole = path.read_bytes()
    log = path.with_name("optuna.sqlite-wal")
    assert not log.exists() or not log.stat().st_size  # it would bring the cut pages back
    damaged = {"garbage": b"x" * 5000, "cut": whole[:7000], "cut by a byte": whole[:-1]}
    path.write_bytes(damaged[damage])
    done = labelworth(*words_of(small_data), cwd=folder)
    assert done.returncode == 2
    assert "search database cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_published_campaign_is_quoted_to_the_cent(command: Command, tmp_path: Path) -> None:
    words = ["plan", "--tasks", "980", "--overlap", "3", "--controls", "1", "--price", "0.002"]
    code, out, _ = command(*words)
    assert code == 3  # above 40 % of the default $20
    lines = {tuple(line.split()[-1:]): line for line in out.splitlines() if line.split()}
    assert any("assignments expected" in line and "327" in line for line in lines.values())
    assert any("reward" in line and "$6.54" in line for line in lines.values())
    assert any("platform fee" in line and "$1.962" in line for line in lines.values())
    quoted = json.loads(command(*words, "--json")[1])
    assert {row["assignments"] for row in quoted} == {327}
    assert {row["reward"]["usd"] for row in quoted} == {"6.54"}
    assert {row["fee"]["usd"] for row in quoted} == {"1.962"}
    assert not (tmp_path / "runs").exists()


def test_the_whole_space_can_be_quoted(command: Command) -> None:
    code, out, _ = command("plan")
    assert code == 0
    assert "1,680 plans" in out


STOPPED: dict[str, object] = {"study": "s", "trials": 3}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, small_data: str) -> str:
    """The report of a study that nobody stops."""
    words = small_flags(small_data, **STOPPED)
    return labelworth(
        *words, "--json", "full", cwd=tmp_path_factory.mktemp("whole"), heads="real"
    ).stdout


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_a_signal_and_resumed(
    number: signal.Signals, code: int, undisturbed: str, tmp_path: Path, small_data: str
) -> None:
    """A real process is stopped; another goes on to the report of one that nobody stopped."""
    words = small_flags(small_data, **STOPPED)
    with started(*words, cwd=tmp_path) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if "purchases 2" in line:
                break
        child.send_signal(number)
        said = child.stderr.read()
        assert child.wait(timeout=60) == code
    assert "the same command goes on where it stood" in said
    assert "Traceback" not in said
    assert labelworth(*words, "--json", "full", cwd=tmp_path, heads="real").stdout == undisturbed


def test_a_toml_file_and_flags_that_win(command: Command, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text('budget = 3\nseed = 4\n[space]\noverlap = "1:3:1"\n')
    code, out, _ = command("--config", "study.toml", "--seed", "9", "--print-config")
    assert code == 0
    assert 'budget = "3.00"' in out
    assert "seed = 9" in out
    assert "overlap = [1, 2, 3]" in out
    (tmp_path / "bad.toml").write_text("bugdet = 3\n")
    code, _, err = command("--config", "bad.toml")
    assert code == 2
    assert "bad.toml: bugdet: no such setting; did you mean 'budget'?" in err


def test_a_stranger_in_the_working_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "budget").mkdir()
    (tmp_path / "budget/__init__.py").write_text("")
    done = in_a_process("--budget", "5", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "another package of this name is in the way" in done.stderr
