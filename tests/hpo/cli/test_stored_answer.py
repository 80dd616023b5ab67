"""A finished study's answer is printed as it was stored, at once, and is never out of date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from budget.files import write_whole
from hpo.settings import stored_answer
from hpo.settings.stored_answer import printable_report, to_json
from hpo.study import study as study_module
from hpo.study.study import open_study
from tests.commands import labelworth
from tests.conftest import Command
from tests.heads import FixedHeads
from tests.work import work_of

HEAVY = ("numpy", "torch", "sklearn", "optuna", "scipy", "sqlalchemy", "pandas", "crowdkit")


@pytest.mark.parametrize("command", ["report", "status"])
def test_a_stored_answer_takes_no_data_model_or_heavy_library(command: str, studied: Path) -> None:
    """190,000 calls as measured, .3 s (`benchmarks.stored_answer`); numpy would add 130,000."""
    work = work_of(command, str(studied))
    assert work.loaded(HEAVY) == []
    told = {"report": ("Recommended", "Spend"), "status": ("answer written",)}[command]
    assert any(words in work.output for words in told)
    assert work.calls <= 290_000


def test_the_stored_answer_is_printed_as_it_stands(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an older release, which did not write the answer's hash into the trials' database."""
    monkeypatch.setattr(stored_answer, "_told_digest", lambda _: None)
    stored = json.loads((folder / "report.json").read_text())
    marked = to_json({**stored, "stopped": "as the stored file says"})
    write_whole(folder / "report.json", marked.encode())
    assert command("report", str(folder), "--json", "full")[1] == marked
    assert "as the stored file says" in command("report", str(folder), "--details")[1]


def test_an_edited_answer_is_not_printed_listed_or_bought_by(
    folder: Path, command: Command
) -> None:
    path = folder / "report.json"
    stored = path.read_text()
    edits = [stored.replace(a, b, 1) for a, b in (("0.", "0.9"), ("true", "1"), ("null", '"x"'))]
    for edited in (*edits, stored + " ", "[" * 100_000):
        path.write_text(edited)
        assert printable_report(folder) is None, edited[:50]
        assert "not finished" in command("list", str(folder.parent))[1]
        code, _, err = command("buy", str(folder))
        assert code == 2
        assert "its command writes it again" in err or "the study's command writes it" in err
    path.write_text(edits[0])
    assert command("report", str(folder), "--json", "full")[1] == stored
    assert command("audit", str(folder))[0] == 6  # it names the figure that was edited


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_damaged_settings_are_one_line(content: bytes, folder: Path, command: Command) -> None:
    (folder / "study.json").write_bytes(content)
    for words in (["report"], ["status"], ["ledger"], ["ask", "--accuracy", "0.9"], ["audit"]):
        code, out, err = command(words[0], str(folder), *words[1:])
        assert (code, out) == (2, ""), words
        assert len(err.splitlines()) == 1, err
        assert "study.json" in err, err


@pytest.mark.parametrize("content", [b"[" * 100_000 + b"\n", b"5\n", None])
def test_an_odd_log_changes_no_answer(
    content: bytes | None, folder: Path, command: Command
) -> None:
    (folder / "log.jsonl").unlink(missing_ok=True)
    if content is None:
        (folder / "log.jsonl").mkdir()
    else:
        (folder / "log.jsonl").write_bytes(content)
    code, out, err = command("status", str(folder))
    assert (code, err) == (0, "")
    assert "last event" not in out


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
    assert "- The search is not finished.\n" in command("report", str(folder), "--details")[1]
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
