"""Goals as exit codes, the small answer as JSON, and the answer on a GitHub job's page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hpo.cli.main import main
from hpo.cli.step_summary import VARIABLE, summary_markdown
from hpo.study.study import Study
from tests.conftest import Make

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def study(module_study: Make) -> Study:
    made = module_study(study="goals", target="0.99", trials=3)
    made.run()
    return made


@pytest.fixture
def report(study: Study, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.delenv(VARIABLE, raising=False)
    return study.report().to_dict()


def test_a_missed_target_ends_with_code_8_and_a_line(
    study: Study, report: dict[str, Any], capsys: Capture
) -> None:
    assert report["advice"]["target"]["chosen"] is None
    assert main(["report", str(study.folder)]) == 8
    assert "--target: no evaluated plan within the limits reaches 99 %" in capsys.readouterr().err


def test_a_cost_above_the_limit_is_told_and_one_below_is_not(
    study: Study, report: dict[str, Any], capsys: Capture
) -> None:
    cost = report["recommended"]["price_tag"]["micros"]
    for most, is_missed in ((cost - 1, True), (cost, False)):
        main(["report", str(study.folder), "--max-cost", f"{most / 1e6:.6f}"])
        said = capsys.readouterr().err
        assert ("--max-cost: the recommended plan costs $" in said) == is_missed
    assert main(["report", str(study.folder), "--max-cost", "much"]) == 2
    assert "--max-cost: 'much' is not an amount of dollars" in capsys.readouterr().err


def test_json_is_small_unless_the_full_answer_is_asked_for(
    study: Study, report: dict[str, Any], capsys: Capture
) -> None:
    main(["report", str(study.folder), "--json"])
    text = capsys.readouterr().out
    small = json.loads(text)
    assert len(text) < 4_000
    assert small["recommended"]["plan"] == report["recommended"]["plan"]
    assert small["money"] == report["money"]
    assert small["summary"] == study.report().summary.splitlines()
    assert all(Path(path).exists() for path in small["files"].values())
    main(["report", str(study.folder), "--json", "full"])
    assert capsys.readouterr().out == (study.folder / "report.json").read_text()


def test_a_github_job_gets_the_answer_on_its_page(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    monkeypatch.setenv(VARIABLE, str(page))
    main(["report", str(study.folder)])
    lines = page.read_text().splitlines()
    assert lines[:2] == ["before", "## Study goals"]
    assert any(line.startswith("- **Missed: --target") for line in lines)
    assert sum(line.startswith("| $") for line in lines) == len(study.report().front)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none" / "summary.md"))
    capsys.readouterr()
    assert main(["report", str(study.folder)]) == 8
    assert f"{VARIABLE}: " in capsys.readouterr().err


def test_text_of_others_is_inert_in_markdown(report: dict[str, Any]) -> None:
    report["study"] = "<img src=x> ![a](http://x) | `b`"
    head = summary_markdown(report, []).splitlines()[0]
    assert head == r"## Study \<img src=x\> \!\[a\](http://x) \| \`b\`"
