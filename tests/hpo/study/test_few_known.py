"""Studies of a folder in which few labels are known."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from budget.errors import InputError
from hpo.study.study import Study
from labeling.crowd.office.staff import staff_names
from tests.heads import FixedHeads
from tests.unlabelled import CLASSES, few_known
from tests.unlabelled import SETTINGS as SMALL

SETTINGS: dict[str, object] = {
    **SMALL,
    "test_images": 60,
}


def run(folder: Path, found: dict[str, object], **more: object) -> tuple[dict[str, Any], list[str]]:
    said: list[str] = []
    study = Study(runs=folder / "runs", trainer=FixedHeads(), **{**SETTINGS, **found, **more})
    try:
        report = study.run(watch=lambda progress: said.append(progress.doing + progress.note))
    finally:
        study.close()
    return report, said


def check_money(report: dict[str, Any]) -> None:
    money = report["money"]
    assert sum(part["micros"] for part in money["bought"].values()) == money["spent"]["micros"]
    assert money["spent"]["micros"] <= money["cap"]["micros"]
    assert money["bought"]["tests"] == report["test_labels"]["paid"]


@pytest.mark.slow
@pytest.mark.parametrize("market", ["simulated", "rehearsal"])
def test_few_known_labels_lead_to_labels_and_a_model(market: str, tmp_path: Path) -> None:
    found = few_known(tmp_path, 220, 60)
    report, said = run(tmp_path, found, budget="3", market=market, goal="model", trials=1)
    check_money(report)
    tests, delivery = report["test_labels"], report["delivery"]
    assert (tests["images"], tests["checked"]) == (60, 40)
    assert tests["checked_wrong"] <= tests["checked"]
    assert 0 < tests["wrong"] < 0.5
    assert any(line.startswith("buying labels of 100 images to measure models by") for line in said)
    assert any("160 images have no label. For the rehearsal a model" in line for line in said)
    assert delivery["labels"]["images_wanted"] == 100
    assert delivery["final"]["images"] == 50
    low, high = delivery["final"]["interval_95"]
    assert 0 <= low <= delivery["final"]["accuracy"] <= high <= 1
    spent = delivery["learning"]["micros"] + delivery["bought"]["micros"] + tests["paid"]["micros"]
    assert spent == report["money"]["spent"]["micros"]
    with (tmp_path / "runs/s/labels.csv").open() as file:
        delivered = {row["image"] for row in csv.DictReader(file)}
    with (tmp_path / "runs/s/roles.csv").open() as file:
        pool = {row["image"] for row in csv.DictReader(file) if row["role"] == "pool"}
    assert delivered <= pool  # answers that models are measured by train none
    assert report["known_labels"]["labels"] == {"control": 20, "validation": 20, "final": 20}
    assert {"drawn", "likeliest"} <= set(report["stand_ins"])


def recording(folder: Path, images: range, answers: int) -> str:
    """Recorded answers, right in four of five."""
    from hpo.data.dataset import DIGITS3
    from training.images import load_digits

    _, digits = load_digits()
    rng = np.random.default_rng(0)
    lines = ["task,annotator,label"]
    for row in images:
        for annotator in rng.choice(30, answers, replace=False):
            right = CLASSES[DIGITS3[int(digits[row])]]
            label = right if rng.random() < 0.8 else CLASSES[rng.integers(3)]
            lines.append(f"{row:04d}.png,{annotator},{label}")
    (folder / "answers.csv").write_text("\n".join(lines) + "\n")
    return f"replay:{folder / 'answers.csv'}"


@pytest.mark.slow
def test_recorded_answers_need_no_labels_of_the_pool(tmp_path: Path) -> None:
    found = few_known(tmp_path, 220, 60)
    market = recording(tmp_path, range(40, 220), 4)  # of some known images there are no answers
    settings = {"price": "0.002", "controls": "0", "goal": "plan", "trials": 1}
    report, said = run(tmp_path, found, budget="5", market=market, **settings)
    check_money(report)
    assert report["test_labels"]["images"] == 60
    assert 0 < report["test_labels"]["checked"] < 40
    assert "stand_ins" not in report
    assert not any("Simulated people" in line for line in [*said, *report["notes"]])


def test_test_labels_beyond_half_of_the_cap_are_refused_before_anything(tmp_path: Path) -> None:
    found = few_known(tmp_path, 220, 60)
    with pytest.raises(InputError, match=r"--test-images: .* more than half; give fewer"):
        run(tmp_path, found, budget="0.3")
    assert not (tmp_path / "runs/s").exists()


def test_more_answers_to_test_images_than_a_group_has_people_are_refused(tmp_path: Path) -> None:
    found, wages = few_known(tmp_path, 220, 60), tmp_path / "wages.toml"
    wages.write_text(f"[groups]\nduo = {list(staff_names(2))}\n")
    staff = {"pay": "hourly", "wages": str(wages), "group": "duo", "overlap": "1,2"}
    alone = {**SETTINGS, "price": "18", "exam": "off", "test_overlap": "3"}
    with pytest.raises(InputError, match=r"--test-overlap: 3 .* than the group duo has people \(2"):
        run(tmp_path, found, **{**alone, **staff, "budget": "100"})
    assert not (tmp_path / "runs/s").exists()


@pytest.mark.slow
def test_a_raised_budget_buys_no_test_label_again(tmp_path: Path) -> None:
    found = few_known(tmp_path, 160, 60)
    settings = {"goal": "plan", "trials": 1, "test_images": 40}
    first, _ = run(tmp_path, found, budget="1.5", **settings)
    again, said = run(tmp_path, found, budget="2.5", **settings)
    assert again["test_labels"] == first["test_labels"]
    assert not any("to measure models by" in line for line in said)
