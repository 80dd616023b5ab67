"""A label version in the forms that other programs read; names and classes are anybody's text."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpo.cli.commands.data import FORM_WORDS
from hpo.cli.main import main
from hpo.data.exported.formats import FORMS
from labeling.types import LabelSet
from labeling.versions import save
from tests.labeling.test_versions import ANSWERS, MANIFEST

NAMES = ("a/1.png", "b/1.png", "=x.png", "control.png")
CLASSES = ("../up", "=1+1")
TOLD = {**MANIFEST, "classes": list(CLASSES)}
LABELS = LabelSet(
    task=np.array([0, 1, 2]),
    shares=np.array([[1.0, 0.0], [0.0, 1.0], [0.25, 0.75]]),
    posterior=np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]),
    answers=np.array([2, 1, 4]),
)
BEST = np.array([[0.95, 0.05], [0.7, 0.3], [0.2, 0.8]])


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    for at, name in enumerate(NAMES):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (7, 5 + at), (at, 0, 0)).save(path)
    runs = tmp_path / "runs/s/versions"
    runs.mkdir(parents=True)
    return save(runs, TOLD, LABELS, ANSWERS, names=NAMES, classes=CLASSES, best=BEST).id


def export(version: str, form: str, *more: str) -> Path:
    assert main(["data", "export", version, "--as", form, "--to", f"out-{form}", *more]) == 0
    return Path(f"out-{form}")


def test_every_form_is_told_in_help_and_has_a_writer() -> None:
    assert list(FORM_WORDS) == [form.name for form in FORMS]


def test_tables_hold_best_labels(version: str) -> None:
    with (export(version, "csv") / "labels.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["image", "label", "confidence", "answers"]
    assert sorted(rows[1:]) == [
        ["'=x.png", "'=1+1", "0.8", "4"],
        ["a/1.png", "../up", "0.95", "2"],
        ["b/1.png", "../up", "0.7", "1"],
    ]
    parquet = pytest.importorskip("pyarrow.parquet")
    read = parquet.read_table(export(version, "parquet") / "labels.parquet").to_pydict()
    assert dict(zip(read["image"], read["label"], strict=True)) == {
        "a/1.png": "../up",
        "b/1.png": "../up",
        "=x.png": "=1+1",
    }


def test_label_studio_gets_predictions(version: str) -> None:
    tasks = json.loads((export(version, "label-studio") / "tasks.json").read_text())
    found = {
        task["data"]["image"]: task["predictions"][0]["result"][0]["value"]["choices"]
        for task in tasks
    }
    assert found == {
        "/data/local-files/?d=a/1.png": ["../up"],
        "/data/local-files/?d=b/1.png": ["../up"],
        "/data/local-files/?d=%3Dx.png": ["=1+1"],
    }


def test_coco_has_a_category_a_class_and_sizes_where_images_are_at_hand(version: str) -> None:
    told = json.loads(
        (export(version, "coco", "--images", "photos") / "annotations.json").read_text()
    )
    assert [row["name"] for row in told["categories"]] == list(CLASSES)
    sizes = {row["file_name"]: (row["width"], row["height"]) for row in told["images"]}
    assert sizes == {"a/1.png": (7, 5), "b/1.png": (7, 6), "=x.png": (7, 7)}
    name = {row["id"]: row["file_name"] for row in told["images"]}
    label = {row["id"]: row["name"] for row in told["categories"]}
    pairs = {name[a["image_id"]]: label[a["category_id"]] for a in told["annotations"]}
    assert pairs == {"a/1.png": "../up", "b/1.png": "../up", "=x.png": "=1+1"}


def test_folders_of_classes_stay_inside_and_keep_the_pixels(version: str, tmp_path: Path) -> None:
    to = export(version, "imagefolder", "--images", "photos")
    found = {path.relative_to(to).as_posix() for path in to.rglob("*") if path.is_file()}
    assert found == {
        "%2E.%2Fup/a__1.png",
        "%2E.%2Fup/b__1.png",
        "=1+1/=x.png",
        "classes.csv",
    }
    assert (to / "%2E.%2Fup/b__1.png").read_bytes() == (tmp_path / "photos/b/1.png").read_bytes()
    assert not (tmp_path / "up").exists()


def test_datasets_finds_a_file_for_each_line(version: str) -> None:
    to = export(version, "huggingface", "--images", "photos")
    with (to / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert all((to / row["file_name"]).is_file() for row in rows)
    assert {row["label"] for row in rows} == {"../up", "=1+1"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--as", "imagefolder"], "copies the images: name their folder with --images"),
        (["--as", "csv", "--images", "nowhere"], "nowhere is not a folder"),
        (["--as", "csv", "--to", "photos"], "is there already and not empty"),
        (["--as", "imagefolder", "--images", "photos/a"], "missing"),
    ],
)
def test_a_wrong_export_is_one_line(
    words: list[str], said: str, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "export", version, *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert {path.name for path in Path().iterdir()} == {"photos", "runs"}  # nothing half-made


def test_two_images_of_one_flat_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/a").mkdir(parents=True)
    names = ("a/1.png", "a__1.png", "2.png", "3.png")
    for name in names:
        Image.new("RGB", (5, 5)).save(tmp_path / "photos" / name)
    runs = tmp_path / "runs/s/versions"
    runs.mkdir(parents=True)
    made = save(runs, TOLD, LABELS, ANSWERS, names=names, classes=CLASSES)
    assert main(["data", "export", made.id, "--as", "imagefolder", "--images", "photos"]) == 2
    assert "two images would both be written as 'a__1.png'" in capsys.readouterr().err
