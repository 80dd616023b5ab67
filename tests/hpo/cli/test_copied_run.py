"""A run directory that was copied or renamed is the study that it holds, for every command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hpo.settings.run_folder import runs_of
from hpo.study.study import open_study
from tests.conftest import Command


@pytest.fixture
def copied(studied: Path, tmp_path: Path) -> Path:
    """The run under another name and in another folder."""
    return Path(shutil.copytree(studied, tmp_path / "elsewhere/another name"))


def names(folder: Path) -> set[str]:
    """What lies in a folder, but for what all studies share."""
    return {path.name for path in folder.iterdir()} - {".features"}


@pytest.mark.slow
@pytest.mark.parametrize("stored", [True, False])
def test_a_copied_run_tells_what_its_own_folder_holds(
    stored: bool, copied: Path, command: Command
) -> None:
    report = (copied / "report.json").read_text()
    if not stored:
        (copied / "report.json").unlink()
    code, out, _ = command("report", str(copied), "--json", "full")
    assert (code, out) == (0, report)
    assert str(copied / "versions") in command("report", str(copied))[1]
    assert names(copied.parent) == {copied.name}


def test_every_command_of_a_copied_run_is_about_that_run(copied: Path, command: Command) -> None:
    report = json.loads((copied / "report.json").read_text())
    status = json.loads(command("status", str(copied), "--json")[1])
    assert status["study"] == "s"
    assert status["spent"] == report["money"]["spent"]
    assert status["orders"] >= len(report["purchases"]) == 2
    assert int(command("view", str(copied), "confidence >= 0.0", "--count")[1]) > 0
    assert json.loads(command("data", "list", str(copied), "--json")[1])
    assert command("report", str(copied), "--view", "confidence >= 0.0")[0] == 0
    assert names(copied.parent) == {copied.name}


def test_what_is_bought_in_a_copy_is_paid_from_the_copy(
    copied: Path, studied: Path, command: Command
) -> None:
    def money(folder: Path) -> object:
        return json.loads(command("status", str(folder), "--json")[1])["bought"]

    code, _, err = command("buy", str(copied), "--plan", "p0.002-k2-c1-n5", "--tasks", "10")
    assert code == 0, err
    assert [purchase["plan"] for purchase in money(copied)] == ["p0.002-k2-c1-n10"]
    assert money(studied) == []
    assert names(copied.parent) == {copied.name}


def test_a_copied_study_goes_on_as_the_original_would(copied: Path, studied: Path) -> None:
    study = open_study(copied)
    try:
        assert study.config.study == "s"
        assert study.folder == copied
        assert study.report() == json.loads((studied / "report.json").read_text())
    finally:
        study.close()


def test_a_run_is_opened_from_inside_its_folder(
    copied: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = (copied / "report.json").read_text()
    (copied / "report.json").unlink()
    monkeypatch.chdir(copied)
    before = {path.name for path in copied.iterdir()}
    assert command("report", ".", "--json", "full")[1] == report
    assert {path.name for path in copied.iterdir()} == before
    assert runs_of(Path()) == copied.parent
