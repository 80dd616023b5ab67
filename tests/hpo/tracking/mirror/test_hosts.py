"""A file server under another name, keys that are not accepted, and a project of one's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from budget.errors import InputError
from hpo.tracking.clearml import live
from hpo.tracking.clearml.choices import Choices, chosen
from hpo.tracking.clearml.live import Destination, logged_in
from tests import ROOT
from tests.clearml_server import StandIn
from tests.clearml_server.faults import DROPPED
from tests.hpo.tracking.conftest import mirrored, rename

pytest.importorskip("clearml")


def label_sets(stand_in: StandIn, study: str) -> list[dict[str, object]]:
    """The study's label versions that have the images below them."""
    projects = {p["id"] for p in stand_in.api.projects if f"/{study}/" in f"{p['name']}/"}
    tasks = [t for t in stand_in.api.tasks if t["project"] in projects]
    return [
        t for t in tasks if t["type"] == "data_processing" and t["runtime"]["ds_file_count"] > 9
    ]


def test_three_names_of_one_file_server(
    stand_in: StandIn, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The images are written once, under the first name, and read under the others."""
    outcome = mirrored(folder)
    names = [stand_in.files_host.replace("127.0.0.1", "localhost"), stand_in.proxy()]
    for number, name in enumerate(names):
        monkeypatch.setenv("CLEARML_FILES_HOST", name)
        other = rename(shutil.copytree(folder, tmp_path / f"by-{number}"), f"by-{number}")
        again = mirrored(other)
        assert again.problems == []
        assert again.done == again.wanted == outcome.wanted
        assert len(label_sets(stand_in, f"by-{number}")) == outcome.wanted
    images = [t for t in stand_in.api.tasks if "images" in t["tags"]]
    assert len(images) == 1


@pytest.mark.slow
def test_a_file_that_no_name_gives_is_told_with_every_host_and_status(
    stand_in: StandIn, folder: Path
) -> None:
    """It leaves the images out, not the labels."""
    mirrored(folder)
    image_set = next(t for t in stand_in.api.tasks if "images" in t["tags"])
    state = next(a for a in image_set["execution"]["artifacts"] if a["key"] == "state")
    path = state["uri"].removeprefix(stand_in.files_host).strip("/")
    stand_in.files.pop(path)
    state["uri"] = f"http://files.invalid:1/{path}"
    outcome = mirrored(rename(folder, "elsewhere"))
    (problem,) = outcome.problems
    assert f"http://files.invalid:1/{path} cannot be read" in problem
    assert f"{stand_in.files_host} says status 404" in problem
    assert "http://files.invalid:1 says no answer" in problem
    assert "it gets no token" in problem
    assert outcome.done == outcome.wanted, "labels are there without the images"
    sent = [head for head in stand_in.log if "files.invalid" in str(head)]
    assert not sent


def test_rejected_keys_stop_a_study_before_anything_is_bought(
    stand_in: StandIn, small_data: str, tmp_path: Path
) -> None:
    words = ["--data", small_data, "--study", "keys", "--budget", "1", "--clearml"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "CLEARML_API_SECRET_KEY": "wrong-secret",
    }
    done = subprocess.run(
        [sys.executable, "-m", "hpo.run", *words, "on"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--clearml on: the ClearML server does not accept the keys" in done.stderr
    assert "wrong-secret" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_auto_says_that_keys_are_rejected_and_a_server_away_is_tried_again(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_LOGIN_S", 90.0)  # a busy machine starts its process slowly
    found = Destination(True, "ClearML: reports to a server")
    assert logged_in(found, "on") == found
    monkeypatch.setenv("CLEARML_API_SECRET_KEY", "wrong-secret")
    off = logged_in(found, "auto")
    assert not off.on
    assert off.at_the_end
    assert "does not accept the keys; nothing is mirrored" in off.words
    with pytest.raises(InputError, match=r"--clearml on: .* does not accept the keys"):
        logged_in(found, "on")
    stand_in.faults.down(DROPPED)
    away = logged_in(found, "on")
    assert away.on
    assert "cannot be reached now; it is tried again" in away.words


def test_a_project_of_ones_own_without_images_is_remembered(
    stand_in: StandIn, folder: Path
) -> None:
    from hpo.tracking.clearml.mirror.publish import publish

    publish(folder, None, lambda *_: None, project="team/cv", pictures=False)
    assert chosen(folder) == Choices("team/cv", pictures=False)
    assert mirrored(folder).problems == []
    names = {project["name"] for project in stand_in.api.projects}
    assert {"team/cv/four", "team/cv/.datasets"} <= names
    assert not any(name.startswith("labelworth") for name in names)
    kept = json.dumps([body for endpoint, body in stand_in.log if endpoint == "events.add_batch"])
    assert "data:image/png" not in kept
    assert "training_debug_image" not in kept
    archives = [path for path in stand_in.files if path.endswith(".png")]
    assert archives == []
    held = [t["runtime"]["ds_file_count"] for t in stand_in.api.tasks if "images" in t["tags"]]
    assert held == [1], "names and roles alone"


def test_two_users_who_name_a_study_alike_have_a_dataset_each(
    stand_in: StandIn, folder: Path, tmp_path: Path
) -> None:
    mirrored(folder)
    other = shutil.copytree(folder, tmp_path / "other")
    journal = other / "journal.jsonl"
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    for event in events:
        if "id" in event:
            event["id"] = "b" * 32
    journal.write_text("".join(json.dumps(event) + "\n" for event in events))
    outcome = mirrored(other)
    versions = [t for t in stand_in.api.tasks if "dataset" in t["system_tags"] and t["parent"]]
    assert len(versions) == 2 * outcome.wanted
    assert len({t["name"] for t in versions}) == 2
    mine = {t["id"] for t in stand_in.api.tasks if t["type"] == "optimizer"}
    assert {t["parent"] for t in versions} == mine
    assert len(mine) == 2


@pytest.mark.parametrize(
    "name",
    ["ラベル", *(pytest.param(name, marks=pytest.mark.slow) for name in ("цифры", "चित्र-3"))],
)
def test_a_study_is_named_in_any_language(name: str, stand_in: StandIn, folder: Path) -> None:
    from hpo.settings.config import make_config

    assert make_config({"budget": "1", "study": name}).study == name
    outcome = mirrored(rename(folder, name))
    assert outcome.problems == []
    assert all(path.isascii() for path in stand_in.files)
