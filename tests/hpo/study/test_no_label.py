"""Studies of images of which no label is known: the classes have names, and that is all."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from budget.errors import InputError
from hpo.answer.summary import WIDTH, title
from hpo.data.dataset import load
from hpo.settings.config import make_config
from hpo.study.study import Study
from tests.heads import FixedHeads
from tests.hpo.study.test_few_known import recording
from tests.unlabelled import CLASSES, SETTINGS, few_known, truth_of

UNCHECKED = {name: value for name, value in SETTINGS.items() if name not in ("controls", "exam")}
NAMED = {"classes": "loop,straight,open", "test_images": 60, "budget": "3", "trials": 1}


def unlabelled(folder: Path, images: int = 220) -> dict[str, object]:
    found = few_known(folder, images, 0)
    return {"data": found["data"]}


def run(folder: Path, **more: object) -> tuple[dict[str, Any], list[str]]:
    said: list[str] = []
    settings = {**UNCHECKED, **NAMED, **unlabelled(folder), **more}
    study = Study(runs=folder / "runs", trainer=FixedHeads(), tell=said.append, **settings)
    try:
        report = study.run(watch=lambda progress: said.append(progress.doing + progress.note))
    finally:
        study.close()
    return report, said


@pytest.mark.slow
@pytest.mark.parametrize("market", ["simulated", "rehearsal"])
def test_a_rehearsal_without_labels_ends_with_labels_and_a_model(
    market: str, tmp_path: Path
) -> None:
    report, said = run(tmp_path, market=market, goal="model")
    assert "Classes: 3: loop, open, straight; 220 images have no label" in said
    first = next(at for at, line in enumerate(said) if line.startswith("Note:"))
    assert said[first].startswith("Note: No label is known: no control task and no exam")
    assert any("simulated people answer from made-up classes" in line for line in said)
    assert report["test_labels"]["images"] == 60
    assert report["test_labels"]["checked"] == 0
    assert report["stand_ins"]["redraws"] == 0
    assert "drawn" not in report["stand_ins"]
    assert title(report).endswith("; MADE-UP classes: no label is known")
    assert len(title(report)) <= WIDTH
    with (tmp_path / "runs/s/labels.csv").open() as file:
        labels = {row["image"]: row["label"] for row in csv.DictReader(file)}
    assert len(labels) == 160
    assert set(labels.values()) == set(CLASSES)
    assert (tmp_path / "runs/s/model.safetensors").is_file()
    with (tmp_path / "runs/s/test_labels.csv").open() as file:
        tests = list(csv.DictReader(file))
    assert len(tests) == 60
    assert {row["mark"] for row in tests} == {"bought"}
    assert not labels.keys() & {row["image"] for row in tests}
    assert all(1 / 3 <= float(row["confidence"]) <= 1 for row in tests)


@pytest.mark.slow
def test_recorded_answers_alone_measure_a_model_of_the_users_classes(tmp_path: Path) -> None:
    market = recording(tmp_path, range(220), 4)
    report, said = run(tmp_path, market=market, goal="model")
    assert "stand_ins" not in report
    assert not any("made-up" in line for line in [*said, *report["notes"]])
    with (tmp_path / "runs/s/labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    truth = truth_of(tuple(row["image"] for row in rows), CLASSES)
    right = [CLASSES[code] == row["label"] for row, code in zip(rows, truth, strict=True)]
    assert sum(right) / len(right) > 0.75
    low, high = report["delivery"]["final"]["interval_95"]
    assert low <= report["delivery"]["final"]["accuracy"] <= high


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"controls": "0,1"}, "no label is known: add --controls 0 --exam off"),
        ({"exam": "on"}, "no label is known: add --controls 0 --exam off"),
        ({"test_images": 0}, "let test labels be bought, with --test-images above 0"),
        ({"classes": "loop"}, "give two names or more"),
        ({"classes": None}, "or name the classes, as in --classes"),
        ({"data": "digits3"}, "--classes|classes: digits3 has its own"),
    ],
)
def test_settings_that_need_a_label_are_refused_with_the_remedy(
    more: dict[str, object], named: str, tmp_path: Path
) -> None:
    settings = {**UNCHECKED, **NAMED, **unlabelled(tmp_path), **more}
    with pytest.raises(InputError, match=named):
        load(make_config(settings))


def test_named_classes_stand_beside_known_labels(tmp_path: Path) -> None:
    found = few_known(tmp_path, 120, 30)
    config = make_config({"budget": "3", **found, "classes": "open,loop,straight,blob"})
    data = load(config)
    assert data.classes == ("open", "loop", "straight", "blob")
    assert int(data.known.sum()) == 30
    names = [data.images.names[row] for row in data.known.nonzero()[0]]
    assert [data.classes[code] for code in data.truth[data.known]] == [
        CLASSES[code] for code in truth_of(tuple(names), CLASSES)
    ]
    assert config.controls == (0, 1, 2, 3)  # known labels can check annotators
    with pytest.raises(InputError, match="line 2, column label: 'loop' is not one of the 2"):
        load(make_config({"budget": "3", **found, "classes": "cat,dog"}))


def test_sub_folders_that_name_no_class_give_no_label(tmp_path: Path) -> None:
    few_known(tmp_path, 60, 0)
    root = tmp_path / "scans"
    for folder, names in {
        "loop": sorted(root.glob("*.png"))[:10],
        "monday": sorted(root.glob("*.png"))[10:],
    }.items():
        (root / folder).mkdir()
        for path in names:
            path.rename(root / folder / path.name)
    data = load(make_config({"budget": "3", "data": f"folder:{root}", "classes": "loop,open"}))
    assert int(data.known.sum()) == 10
    assert "10 labels are known: --controls 0,1 and --exam off,on would check" in data.notes[0]
