"""The command line as a user meets it: exit codes, one clear line, clean stdout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import ROOT
from tests.conftest import SMALL

HEAVY = ("torch", "timm", "toloka", "crowdkit", "clearml", "pandas", "sklearn", "optuna")


def labelworth(*words: str, cwd: Path, **more) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    command = [sys.executable, "-m", "hpo.run", *words]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, **more
    )


def small_flags(data: str) -> list[str]:
    flags = ["--data", data]
    for name, value in SMALL.items():
        flags += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return flags


def test_help_is_quick_and_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from hpo.run import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )

    def seconds(words: list[str]) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - start

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "How much should we invest in annotations?" in done.stdout
    bare = min(seconds(["-c", "pass"]) for _ in range(5))
    ours = min(seconds(["-m", "hpo.run", "--help"]) for _ in range(5))
    assert ours <= max(0.15, 5 * bare)


@pytest.mark.parametrize(
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
        (["--budget", "5", "--controls", "9", "--suite-size", "100", "--exam", "on"], ""),
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
def test_bad_input_is_one_line_exit_2_and_leaves_nothing(
    words: list[str], said: str, tmp_path: Path
) -> None:
    if said == "":  # a valid but odd plan: must not be refused as bad input
        assert labelworth("plan", *words, cwd=tmp_path).returncode in (0, 3)
        return
    done = labelworth(*words, cwd=tmp_path, timeout=120)
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("labelworth: ")
    assert said in last
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.glob("runs/*/study.json"))


def test_a_folder_that_cannot_be_written(tmp_path: Path, small_data: str) -> None:
    (tmp_path / "runs").write_text("a file in the way")
    done = labelworth(*small_flags(small_data), cwd=tmp_path)
    assert done.returncode == 2
    assert "runs: cannot be made" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_one_line_and_nothing_is_lost(tmp_path: Path, small_data: str) -> None:
    """The disk is full when the second label version is written, and has room again later."""
    runs = tmp_path / "runs"
    script = (
        "import errno, hpo.settings.run_folder, hpo.study.study, sys\n"
        "count = [0]\n"
        "inner = hpo.study.study.save_version\n"
        "def full(trained, world):\n"
        "    count[0] += 1\n"
        "    if count[0] == 2: raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "    return inner(trained, world)\n"
        "hpo.study.study.save_version = full\n"
        "from hpo.run import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = [*small_flags(small_data), "--runs", str(runs), "--study", "s"]
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "the disk is full; what was bought is kept" in done.stderr
    assert "Traceback" not in done.stderr
    again = labelworth(*words, "--json", cwd=tmp_path)
    whole = labelworth(*small_flags(small_data), "--study", "s", "--json", cwd=tmp_path / "..")
    assert again.returncode == 0
    assert again.stdout == whole.stdout


def test_json_on_stdout_logs_on_stderr_no_escape_codes(tmp_path: Path, small_data: str) -> None:
    words = [*small_flags(small_data), "--study", "s"]
    done = labelworth(*words, "--json", cwd=tmp_path)
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["schema"] == 1
    assert done.stdout == (tmp_path / "runs/s/report.json").read_text()
    assert "purchases 1 |" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert (tmp_path / "runs/s/front.png").stat().st_size > 10_000

    words_again = labelworth(*words, cwd=tmp_path).stdout
    assert "Recommended: $" in words_again
    assert "platform fee" in words_again
    assert "\x1b" not in words_again
    stored = labelworth("report", "runs/s", "--json", cwd=tmp_path)
    assert stored.stdout == done.stdout
    status = json.loads(labelworth("status", "runs/s", "--json", cwd=tmp_path).stdout)
    assert status["spent"] == report["money"]["spent"]
    assert status["orders_open"] == 0
    assert status["answered"]


def test_nothing_affordable_is_exit_3(tmp_path: Path, small_data: str) -> None:
    done = labelworth(*small_flags(small_data), "--budget", "0.01", cwd=tmp_path)
    assert done.returncode == 3
    assert "nothing could be bought" in done.stdout


def test_a_damaged_ledger_is_exit_6(tmp_path: Path, small_data: str) -> None:
    words = [*small_flags(small_data), "--study", "s", "--trials", "1"]
    assert labelworth(*words, cwd=tmp_path).returncode == 0
    path = tmp_path / "runs/s/labelworth.sqlite"
    content = bytearray(path.read_bytes())
    at = content.find(b"settle")
    content[at : at + 6] = b"sattle"
    path.write_bytes(content)
    done = labelworth(*words, cwd=tmp_path)
    assert done.returncode == 6, done.stderr
    assert "ledger refused, nothing was bought" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_published_campaign_is_quoted_to_the_cent(tmp_path: Path) -> None:
    words = ["plan", "--tasks", "980", "--overlap", "3", "--controls", "1", "--price", "0.002"]
    done = labelworth(*words, cwd=tmp_path)
    assert done.returncode == 3  # above 40 % of the default $20
    lines = {tuple(line.split()[-1:]): line for line in done.stdout.splitlines() if line.split()}
    assert any("assignments expected" in line and "327" in line for line in lines.values())
    assert any("reward" in line and "$6.54" in line for line in lines.values())
    assert any("platform fee" in line and "$1.962" in line for line in lines.values())
    quoted = json.loads(labelworth(*words, "--json", cwd=tmp_path).stdout)
    assert {row["assignments"] for row in quoted} == {327}
    assert {row["reward"]["usd"] for row in quoted} == {"6.54"}
    assert {row["fee"]["usd"] for row in quoted} == {"1.962"}
    assert not (tmp_path / "runs").exists()


def test_the_whole_space_can_be_quoted(tmp_path: Path) -> None:
    done = labelworth("plan", cwd=tmp_path)
    assert done.returncode == 0
    assert "1680 plans" in done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_a_signal_and_resumed(
    number: signal.Signals, code: int, tmp_path: Path, small_data: str
) -> None:
    words = [*small_flags(small_data), "--study", "s"]
    whole = labelworth(*words, "--json", "--runs", "whole", cwd=tmp_path).stdout
    command = [sys.executable, "-m", "hpo.run", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        stdout=subprocess.DEVNULL,
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if "purchases 2" in line:
                break
        child.send_signal(number)
        said = child.stderr.read()
        assert child.wait(timeout=60) == code
    assert "the same command goes on where it stood" in said
    assert "Traceback" not in said
    assert labelworth(*words, "--json", cwd=tmp_path).stdout == whole


def test_a_toml_file_and_flags_that_win(tmp_path: Path, small_data: str) -> None:
    (tmp_path / "study.toml").write_text('budget = 3\nseed = 4\n[space]\noverlap = "1:3:1"\n')
    done = labelworth("--config", "study.toml", "--seed", "9", "--print-config", cwd=tmp_path)
    assert done.returncode == 0
    assert 'budget = "3.00"' in done.stdout
    assert "seed = 9" in done.stdout
    assert "overlap = [1, 2, 3]" in done.stdout
    (tmp_path / "bad.toml").write_text("bugdet = 3\n")
    done = labelworth("--config", "bad.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "bad.toml: bugdet: no such setting; did you mean 'budget'?" in done.stderr


def test_a_stranger_in_the_working_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "budget").mkdir()
    (tmp_path / "budget/__init__.py").write_text("")
    done = labelworth("--budget", "5", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "another package of this name is in the way" in done.stderr


@pytest.mark.parametrize("damage", ["garbage", "cut"])
def test_a_damaged_search_database_is_one_line(
    damage: str, tmp_path: Path, small_data: str
) -> None:
    words = [*small_flags(small_data), "--study", "s", "--trials", "1"]
    assert labelworth(*words, cwd=tmp_path).returncode == 0
    path = tmp_path / "runs/s/optuna.sqlite"
    path.write_bytes(b"x" * 5000 if damage == "garbage" else path.read_bytes()[:7000])
    done = labelworth(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "search database cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
