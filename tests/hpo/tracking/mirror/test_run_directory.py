"""What a mirror reads of a run directory: all of it, also after a crash, also while it runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from budget.errors import InputError
from hpo.tracking.clearml.mirror import figures
from hpo.tracking.clearml.mirror.controller import controller_record, summary_rows
from hpo.tracking.clearml.mirror.pages.story import trial_console
from hpo.tracking.clearml.mirror.run_directory import read_run
from hpo.tracking.clearml.mirror.trial_tasks import trial_record


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def rewrite(folder: Path, events: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(event, sort_keys=True) + "\n" for event in events)
    (folder / "journal.jsonl").write_text(text)


def test_a_finished_study_is_read_whole(folder: Path) -> None:
    run = read_run(folder)
    report = json.loads((folder / "report.json").read_text())
    assert run.report == report
    bought = [row for row in run.rows if row.version]
    assert [row.version for row in bought] == [row["version"] for row in report["purchases"]]
    assert [row.paid for row in bought] == [r["paid"]["micros"] for r in report["purchases"]]
    assert sum(row.paid for row in bought) == bought[-1].spent
    front = {row["version"] for row in report["front"]}
    assert front <= {child.version for child in run.children}
    assert {key for key, roles in run.roles.items() if "front" in roles} == {
        row["plan"]["key"] for row in report["front"]
    }


def test_every_version_and_its_model_lie_on_disk(folder: Path) -> None:
    from training.saved import load_model

    run = read_run(folder)
    for child in run.children:
        saved = load_model(folder / "models" / f"{child.version}.safetensors")
        assert saved.facts["labels"] == child.version
        assert saved.facts["plan"] == child.key
        manifest = json.loads((folder / "versions" / child.version / "manifest.json").read_text())
        assert manifest["plan"]["key"] == child.key
        assert manifest["participants"] > 0
        assert manifest["campaign"]["instructions"]
        assert manifest["price_tag"]["micros"] > 0  # as it was then; the answer may know better


def test_a_running_study_has_no_answer_yet_and_a_line_in_the_making_is_left_out(
    folder: Path,
) -> None:
    events = [event for event in lines(folder) if event["event"] in ("study", "purchase")]
    rewrite(folder, events)
    with (folder / "journal.jsonl").open("a") as file:
        file.write('{"event": "purchase", "key": "p0.')
    run = read_run(folder)
    assert run.report is None
    assert len(run.rows) == len(run.children) == len(events) - 1
    assert run.roles == {}
    record = controller_record(run, "project", {}, "in_progress", "", "")
    parts = record.build("task")
    assert {plot.metric for plot in parts.plots} >= {"Parallel Coordinates", "summary"}
    assert not [scalar for scalar in parts.scalars if scalar.iteration is None]


def test_a_raised_budget_makes_an_answer_old(folder: Path) -> None:
    events = lines(folder)
    begun = next(event for event in events if event["event"] == "study")
    rewrite(folder, [*events, {**begun, "key": "raised", "cap": 2 * begun["cap"]}])
    run = read_run(folder)
    assert run.report is None
    assert run.cap == 2 * begun["cap"]
    assert run.id == begun["id"]


def test_a_report_that_is_not_the_answer_s_is_not_shown(folder: Path) -> None:
    (folder / "report.json").write_text("{}\n")
    assert read_run(folder).report is None


@pytest.mark.slow
def test_what_a_crash_kept_from_the_journal_is_told_by_the_next_run(small_study: Any) -> None:
    study = small_study(trials=2)
    study.run()
    before = [event for event in lines(study.folder) if event["event"] != "answer"]
    gone = [event for event in before if event["event"] == "purchase"][-1]
    rewrite(study.folder, [event for event in before if event is not gone])
    study.close()
    again = small_study(trials=2)
    again.run()

    def told(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """All but when it was told, and what was spent in the study by then."""
        facts = [e for e in events if e["event"] != "answer"]
        plain = [{k: v for k, v in e.items() if k not in ("at", "spent")} for e in facts]
        return sorted(plain, key=lambda e: (e["event"], e["key"]))

    assert told(lines(study.folder)) == told(before)


def test_a_damaged_or_empty_folder_is_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="no study here"):
        read_run(tmp_path)
    (tmp_path / "journal.jsonl").write_text("")
    with pytest.raises(InputError, match="no study has begun here"):
        read_run(tmp_path)
    with (folder / "journal.jsonl").open("a") as file:
        file.write("not JSON\n")
    with pytest.raises(InputError, match=r"journal.jsonl: line \d+: not a JSON object"):
        read_run(folder)


def test_figures_hold_what_the_report_says(folder: Path) -> None:
    run = read_run(folder)
    assert run.report is not None
    front = next(t for t in figures.pareto(run)["data"] if t["name"] == "front, expected")
    assert front["y"] == [row["accuracy"] for row in run.report["front"]]
    assert front["x"] == [row["price_tag"]["micros"] / 1e6 for row in run.report["front"]]
    for at, row in enumerate(run.report["front"]):
        low, high = row["interval_95"]
        assert front["y"][at] - front["error_y"]["arrayminus"][at] == pytest.approx(low, abs=1e-6)
        assert front["y"][at] + front["error_y"]["array"][at] == pytest.approx(high, abs=1e-6)
    gains = [row["points_per_dollar"] for row in run.report["front"]]
    assert figures.marginal(run)["data"][0]["y"] == [gain for gain in gains if gain is not None]
    best = figures.incumbent(run)["data"][0]
    assert best["y"] == sorted(best["y"])
    assert best["x"] == sorted(best["x"])
    parallel = figures.parallel(run)["data"][0]
    assert {len(dimension["values"]) for dimension in parallel["dimensions"]} == {len(run.latest)}


def test_the_summary_links_what_has_a_task_and_marks_the_answer(folder: Path) -> None:
    run = read_run(folder)
    links = {child.key: f"http://web/{child.key}" for child in run.children}
    rows = summary_rows(run, links)
    assert len(rows) == len(run.rows)
    assert sum(row["task id"].startswith("<a href=") for row in rows) >= len(run.children)
    assert sum("recommended" in row["status"] for row in rows) == 1
    child = run.children[0]
    record = trial_record(run, child, "project", "controller", "dataset", "images")
    assert record.params["Datasets"] == {"labels": "dataset", "images": "images"}
    assert record.params["General"]["price"] == child.outcome.plan.price.exact()


def test_the_score_of_a_question_of_taste_is_not_called_accuracy(folder: Path) -> None:
    run = read_run(folder)
    about = {**run.about, "question": {**run.about["question"], "kind": "subjective"}}
    taste = replace(run, about=about)
    for of, name in ((run, "accuracy"), (taste, "agreement with the panel")):
        drawn = [figures.pareto(of), figures.incumbent(of), figures.marginal(of)]
        titles = [figure["layout"]["yaxis"]["title"]["text"] for figure in drawn]
        assert [name in title for title in titles] == [True] * 3
        told = "\n".join(line.text for line in trial_console(of, of.children[0]))
        assert f"{name} {100 * of.children[0].outcome.accuracy:.1f} %" in told
