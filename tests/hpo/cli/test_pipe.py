"""A reader that goes away, such as `head`, ends a command quietly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.commands import small_flags


def unread(*words: str, cwd: Path, both: bool = False) -> tuple[int, str]:
    """Exit code and errors of a command whose output nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "hpo.run", *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=writer,
        stderr=writer if both else subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    os.close(writer)
    return done.returncode, done.stderr or ""


COMMANDS = [
    ("report", "RUN"),
    ("report", "RUN", "--json"),
    ("status", "RUN"),
    ("status", "RUN", "--json"),
    ("view", "RUN"),
    ("view", "RUN", "confidence >= 0.0"),
    ("view", "RUN", "confidence >= 0.0", "--count"),
    ("data", "list", "RUN"),
    ("crowd", "list"),
    ("run", "--budget", "5", "--print-config"),
    ("--help",),
    ("--version",),
    ("run", "--help"),
]


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_output_that_nobody_reads_ends_a_command_quietly(
    words: tuple[str, ...], studied: Path, tmp_path: Path
) -> None:
    told = [str(studied) if word == "RUN" else word for word in words]
    code, said = unread(*told, cwd=tmp_path)
    assert said == ""
    assert code == 141 or (code == 0 and "--help" in words)  # argparse passes over a long help


@pytest.mark.slow
def test_quotes_and_purchases_end_quietly_too(
    studied: Path, tmp_path: Path, small_data: str
) -> None:
    code, said = unread("plan", *small_flags(small_data), cwd=tmp_path)
    assert code == 141
    assert all(line.startswith(("Data: ", "Classes: ", "Note: ")) for line in said.splitlines())
    code, said = unread("run", *small_flags(small_data, study="p", trials=1), cwd=tmp_path)
    assert code == 141
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert (tmp_path / "runs/p/report.json").exists()  # the study had ended


def test_errors_that_nobody_reads_end_it_too(tmp_path: Path) -> None:
    assert unread("status", "nowhere", cwd=tmp_path, both=True)[0] in (2, 141)


def test_head_gets_its_line(studied: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m hpo.run report {studied} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    first, code = done.stdout.splitlines()
    assert first
    assert code in ("0", "141")  # 0 where all was written before head left


def test_another_pipe_that_breaks_is_told(tmp_path: Path) -> None:
    code = (
        "import sys, hpo.cli.commands.studies.status as status\n"
        "def broken(*_): raise BrokenPipeError('the market hung up')\n"
        "status.show_status = broken\n"
        "from hpo.cli.main import main\n"
        "sys.exit(main(['status', 'x']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "the market hung up" in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", ">&- 2>&- <&-"])
def test_a_process_without_streams_tells_its_code_and_writes_into_no_file_of_ours(
    closed: str, studied: Path
) -> None:
    """A file that is opened next would get the number of the stream."""
    sound = {path: path.read_bytes() for path in studied.rglob("*") if path.is_file()}
    for words, code in (("report", 0), ("status", 0), ("no-such-command", 2)):
        line = f"{sys.executable} -m hpo.run {words} {studied} {closed}"
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
    assert all(path.read_bytes() == content for path, content in sound.items())
