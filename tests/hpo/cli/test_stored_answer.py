"""A finished study's answer is printed as it was stored, at once, and is never out of date."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from budget.files import write_whole
from hpo.settings.stored_answer import printable_report, to_json
from hpo.study import study as study_module
from hpo.study.study import open_study
from tests import ROOT
from tests.commands import labelworth
from tests.conftest import Command
from tests.heads import FixedHeads

HEAVY = ("numpy", "torch", "sklearn", "optuna", "scipy", "sqlalchemy", "pandas", "crowdkit")


def cpu_seconds(words: list[str]) -> float:
    """The least CPU seconds of five starts."""
    spent = []
    for _ in range(5):
        child = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        spent.append(used.ru_utime + used.ru_stime)
    return min(spent)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["report", "status"])
def test_a_stored_answer_is_printed_in_half_a_second_of_cpu(command: str, studied: Path) -> None:
    bare = cpu_seconds(["-c", "pass"])  # 0.012 s, and more on a busy machine
    assert cpu_seconds(["-m", "hpo.run", command, str(studied)]) <= max(0.7, 50 * bare)


@pytest.mark.parametrize("command", ["report", "status"])
def test_a_stored_answer_takes_no_data_model_or_heavy_library(command: str, studied: Path) -> None:
    code = (
        "import sys; from hpo.run import main\n"
        f"main([{command!r}, {str(studied)!r}])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
    told = {"report": ("Recommended", "Spend"), "status": ("answer written",)}[command]
    assert any(words in done.stdout for words in told)


def test_the_stored_answer_is_printed_as_it_stands(folder: Path, command: Command) -> None:
    stored = json.loads((folder / "report.json").read_text())
    marked = to_json({**stored, "stopped": "as the stored file says"})
    write_whole(folder / "report.json", marked.encode())
    assert command("report", str(folder), "--json", "full")[1] == marked
    assert "as the stored file says" in command("report", str(folder), "--details")[1]


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"schema": 0}', b"\xff"])
def test_without_a_stored_answer_it_is_made_anew(
    content: bytes | None, folder: Path, command: Command
) -> None:
    path = folder / "report.json"
    stored = path.read_text()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert printable_report(folder) is None
    code, out, _ = command("report", str(folder), "--json", "full")
    assert (code, json.loads(out)) == (0, json.loads(stored))


@pytest.mark.slow
def test_a_new_purchase_takes_the_stored_answer_away_before_it_spends(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[bool] = []
    inner = study_module.run_trial

    def watched(*of: Any) -> Any:
        there.append((folder / "report.json").exists())
        return inner(*of)

    monkeypatch.setattr(study_module, "run_trial", watched)
    raw = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({**raw, "trials": 4}, indent=1) + "\n")
    study = open_study(folder, FixedHeads())
    try:
        assert study.run()["stopped"]
    finally:
        study.close()
    assert there
    assert not any(there)
    assert (folder / "report.json").exists()


def test_a_search_that_was_killed_is_not_told_as_finished(folder: Path, command: Command) -> None:
    before = json.loads((folder / "report.json").read_text())
    raw = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({**raw, "trials": 4}, indent=1) + "\n")
    study = open_study(folder, FixedHeads())

    class KilledError(Exception):
        pass

    def stop(progress: Any) -> None:
        if progress.purchases == 3:
            raise KilledError

    with pytest.raises(KilledError):
        study.run(stop)
    study.close()
    told = json.loads(command("report", str(folder), "--json", "full")[1])
    assert told["stopped"] == "not finished"
    assert len(told["purchases"]) == len(before["purchases"]) + 1
    assert not json.loads(command("status", str(folder), "--json")[1])["answered"]


def test_a_raised_budget_takes_the_stored_answer_away(folder: Path, small_study) -> None:
    study = small_study(runs=folder.parent, study="s", trials=2, budget="0.4")
    assert not (folder / "report.json").exists()
    study.run()
    stored = json.loads((folder / "report.json").read_text())
    assert stored["money"]["cap"]["usd"] == "0.40"


def test_a_study_that_only_answers_again_keeps_its_answer(folder: Path, small_study) -> None:
    stored = (folder / "report.json").read_bytes()
    seen: list[bool] = []
    study = small_study(runs=folder.parent, study="s", trials=2)
    study.run(lambda progress: seen.append((folder / "report.json").exists()))
    assert all(seen)
    assert (folder / "report.json").read_bytes() == stored


def test_a_damaged_folder_is_no_study(folder: Path) -> None:
    (folder / "study.json").unlink()
    done = labelworth("report", str(folder), cwd=folder)
    assert done.returncode == 2
    assert "no study here" in done.stderr
