"""Names of classes and images that break tables and folders come back as they went in."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpo.data.dataset import load
from hpo.data.labels_csv import read_labels
from hpo.settings.config import make_config
from labeling import versions
from labeling.tables.spelling import unguarded
from labeling.tables.table import read_table
from tests.conftest import Command

CLASSES = ("two\nlines", "a/b", "=1+1", "q" * 300, "a,b;\"c'", "'quoted")
ROLES = ["pool"] * 4 + ["control", "validation", "final"]


def odd_folder(root: Path) -> tuple[Path, Path]:
    """Images of odd names in odd classes, and their table."""
    rng = np.random.default_rng(0)
    photos, table = root / "photos", root / "photos.csv"
    photos.mkdir()
    rows = []
    for n in range(len(CLASSES) * len(ROLES) * 2):
        name = f"{'=-+@'[n % 4]}a,{n:03d};'.png"
        Image.fromarray(rng.integers(0, 255, (8, 8, 3)).astype(np.uint8)).save(photos / name)
        rows.append([name, CLASSES[n % len(CLASSES)], ROLES[n // len(CLASSES) % len(ROLES)]])
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["image", "label", "role"], *rows])
    return photos, table


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of odd names."""
    from hpo import Study
    from tests.heads import FixedHeads

    root = tmp_path_factory.mktemp("odd")
    photos, table = odd_folder(root)
    given = {"data": str(photos), "labels": str(table), "study": "odd", "few_labels_ok": True}
    knobs = {"budget": "0.5", "trials": 1, "exam": "off", "controls": "1", "overlap": "1,2"}
    study = Study(runs=root / "runs", trainer=FixedHeads(), **given, **knobs)
    try:
        study.run()
    finally:
        study.close()
    return root / "runs"


def truth_of(runs: Path) -> dict[str, str]:
    return {line.image: line.label for line in read_labels(runs.parent / "photos.csv").lines}


def test_labels_of_a_study_and_of_its_versions_come_back(runs: Path) -> None:
    truth = truth_of(runs)
    folder = runs / "odd"
    read = read_table(folder / "labels.csv")
    columns = {name: read.column(place) for place, name in enumerate(read.header)}
    images = [unguarded(cell) for cell in columns["image"]]
    assert len(images) > 20
    assert set(images) <= set(truth)
    assert {unguarded(cell) for cell in columns["label"]} <= set(CLASSES)
    assert {f"p({name})" for name in CLASSES} <= set(read.header)
    saved = list(versions.find(folder / "versions"))
    assert saved
    for path in saved:
        version = versions.load(path.name, path.parent)
        table = version.table(versions.LABELS)
        assert set(table["image"]) <= set(truth)
        assert set(table["label"]) <= set(CLASSES)
        pairs = zip(table["image"], table["label"], strict=True)
        right = [truth[name] == label for name, label in pairs]
        assert sum(right) > len(right) / 3  # by chance a sixth


def test_a_file_of_a_view_comes_back(runs: Path, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "view.csv"
    code, _, said = command("view", str(runs / "odd"), "label == '=1+1'", "--out", str(out))
    assert code == 0, said
    read = read_table(out)
    labels = {unguarded(cell) for cell in read.column(read.header.index("label"))}
    assert labels == {"=1+1"}


def test_the_labels_of_a_study_are_those_of_another(runs: Path, tmp_path: Path) -> None:
    """Images and labels of labels.csv, taken as a table of labels: nothing has changed."""
    read = read_table(runs / "odd/labels.csv")
    pairs = list(zip(read.column(0), read.column(1), strict=True))
    table = tmp_path / "again.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["image", "label"], *pairs])
    given = {"data": str(runs.parent / "photos"), "labels": str(table), "market": "toloka"}
    data = load(make_config({"budget": "1", "few_labels_ok": True, **given}))
    assert set(data.classes) <= set(CLASSES)
    codes = dict(zip(data.images.names, data.truth, strict=True))
    for image, label in pairs:
        assert data.classes[codes[unguarded(image)]] == unguarded(label)
