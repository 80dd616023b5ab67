"""What people read on a study's pages: its story, its answer, its trials, links that open them."""

from __future__ import annotations

import json
import subprocess
from hashlib import md5
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hpo.settings import program
from hpo.tracking.clearml.mirror.pages.trial_figures import confusion, per_class
from tests.clearml_server import StandIn
from tests.hpo.tracking.conftest import mirrored

pytest.importorskip("clearml")


def tasks(stand_in: StandIn, kind: str) -> list[dict[str, Any]]:
    return [task for task in stand_in.api.tasks if task["type"] == kind]


def console(stand_in: StandIn, task: str) -> list[str]:
    found = stand_in.api.call("events.get_task_log", {"task": task})["events"]
    times = [event["timestamp"] for event in found]
    assert times == sorted(set(times)), "the page sorts lines by their time"
    return [event["msg"] for event in found]


def test_the_console_tells_the_story_once_however_often_it_is_published(
    stand_in: StandIn, folder: Path
) -> None:
    mirrored(folder)
    report = json.loads((folder / "report.json").read_text())
    study = tasks(stand_in, "optimizer")[0]
    said = console(stand_in, study["id"])
    assert said[0].startswith("study four: images ")
    assert sum(line.startswith("bought p") for line in said) == len(report["purchases"])
    assert "Spend about $" in said[-1]
    assert "The front: no evaluated plan is cheaper and better" in said[-1]
    (artifact,) = [a for a in study["execution"]["artifacts"] if a["key"] == "report"]
    assert artifact["type_data"]["preview"] == said[-1]
    assert "Spend about $" in study["comment"]
    (folder / "clearml.json").unlink()
    for task in stand_in.api.tasks:  # nothing is known to be whole: everything is written again
        task["hyperparams"]["properties"]["labelworth_digest"]["value"] = ""
    mirrored(folder)
    assert console(stand_in, study["id"]) == said
    trial = tasks(stand_in, "training")[0]
    lines = console(stand_in, trial["id"])
    assert lines[0].startswith("plan p")
    assert len(lines) == len(set(lines)) == 4


def test_a_trial_shows_confusion_classes_and_accuracy_by_labels(
    stand_in: StandIn, folder: Path
) -> None:
    mirrored(folder)
    about = json.loads((folder / "journal.jsonl").read_text().splitlines()[0])
    for task in tasks(stand_in, "training"):
        plots = stand_in.api.call("events.get_task_plots", {"task": task["id"]})["plots"]
        shown = {plot["metric"]: json.loads(plot["plot_str"])["data"] for plot in plots}
        assert set(shown) == {"Accuracy by labels", "Confusion", "Classes"}
        counts = shown["Confusion"][0]["z"]
        images = about["data"]["images"]["validation"]
        assert sum(map(sum, counts)) == images
        right = sum(counts[at][at] for at in range(len(counts))) / images
        values = {
            row["variant"]: row["value"]
            for metric in task["last_metrics"].values()
            for row in metric.values()
        }
        assert abs(right - values["accuracy"]) <= 2 / images  # which averages draws
        (this,) = [trace for trace in shown["Accuracy by labels"] if trace["name"] == "this plan"]
        assert this["x"] == [values["labels"]]
        assert len(task["tags"]) <= 3


def test_of_many_classes_those_with_most_mistakes_are_shown() -> None:
    from collections import Counter

    from hpo.tracking.clearml.mirror.pages.trial_figures import _worst

    counts = Counter({(at, at): 10 for at in range(100)}) + Counter({(98, 7): 3, (50, 50): 1})
    shown = _worst(counts, 100)
    assert len(shown) == 30
    assert {7, 98} <= set(shown)
    names = [f"class {at}" for at in range(100)]
    assert len(confusion(counts, names, shown)["data"][0]["z"]) == 30
    recall = per_class(counts, names, shown)["data"][1]
    assert recall["y"][shown.index(98)] == round(10 / 13, 4)


def test_the_links_open_the_plots_and_a_table_sorted_by_accuracy(
    stand_in: StandIn, folder: Path
) -> None:
    outcome = mirrored(folder)
    assert outcome.page.endswith("/output/metrics/plots")
    asked = parse_qs(urlsplit(outcome.table).query)
    summary, accuracy, cost = (
        md5(n.encode()).hexdigest() for n in ("Summary", "accuracy", "cost_usd")
    )
    assert asked["order"] == [f"-last_metrics.{summary}.{accuracy}.value"]
    assert f"m.{summary}.{cost}.value.Summary.cost_usd" in asked["columns"]
    for task in tasks(stand_in, "training"):
        assert {accuracy, cost} <= set(task["last_metrics"][summary])


def test_images_are_samples_of_their_dataset(stand_in: StandIn, folder: Path) -> None:
    mirrored(folder)
    (images,) = [t for t in stand_in.api.tasks if "images" in t["tags"]]
    call = {"task": images["id"], "event_type": "training_debug_image"}
    found = stand_in.api.call("events.get_task_events", call)["events"]
    assert len(found) == 12
    for event in found:
        path = event["url"].removeprefix(stand_in.files_host).strip("/")
        assert stand_in.files[path].startswith(b"\x89PNG")


def test_execution_names_the_program_without_passwords_or_paths(
    stand_in: StandIn, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrored(folder)
    told = program.program()
    for task in (*tasks(stand_in, "optimizer"), *tasks(stand_in, "training")):
        assert task["script"]["entry_point"] == told["entry_point"]
        assert task["script"]["version_num"] == told.get("commit", "")
    assert str(Path.home()) not in json.dumps(told)

    for words in (
        ("init", "-q"),
        ("remote", "add", "origin", "https://me:hidden@git.example/a.git"),
    ):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    origin = program._git(tmp_path, "config", "--get", "remote.origin.url")
    assert program._fetchable(origin) == "https://git.example/a.git"
    assert program._fetchable("git@git.example:team/a.git") == "git@git.example:team/a.git"
    assert program._fetchable(str(tmp_path)) == ""
    assert program._git(tmp_path / "none", "rev-parse", "HEAD") == ""
