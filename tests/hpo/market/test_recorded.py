"""Recorded answers and own labels in a study: classes, names of images, notes, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from budget.errors import InputError
from tests.conftest import Command, Make
from tests.hpo.market.test_market import RECORDED


def table(path: Path, rows: list[tuple[object, ...]], head: str = "task,annotator,label") -> str:
    lines = [head, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def numbered(folder: Path, small_data: str, first: int) -> tuple[str, np.ndarray]:
    """The small pool with classes that are numbers from `first` on."""
    with np.load(small_data.removeprefix("npz:")) as arrays:
        pixels, kinds = arrays["x"], arrays["y"]
    path = folder / f"from{first}.npz"
    np.savez(path, x=pixels, y=kinds + first)
    return f"npz:{path}", kinds


def test_answers_counted_from_0_are_refused_where_classes_count_from_1(
    small_study: Make, small_data: str, tmp_path: Path
) -> None:
    """They were read shifted by one: the study said 50 % of labels that are all right."""
    data, kinds = numbered(tmp_path, small_data, 1)
    zero = table(tmp_path / "zero.csv", [(n, "w1", kind) for n, kind in enumerate(kinds)])
    right = table(tmp_path / "right.csv", [(n, "w1", kind + 1) for n, kind in enumerate(kinds)])
    for settings in ({"own_labels": zero}, {"market": f"replay:{zero}", **RECORDED}):
        with pytest.raises(InputError, match=r"'0' is not one of the 3 classes .1, 2, 3."):
            small_study(data=data, **settings)
    assert not list(tmp_path.glob("runs/*/study.json"))
    study = small_study(data=data, own_labels=right, trials=1)
    report = study.run()
    assert report["own_labels"]["answers"] == len(study.world.pool)
    assert not any("read as" in note for note in report["notes"])


def test_own_labels_that_cannot_be_read_are_refused_before_money_moves(
    small_study: Make, tmp_path: Path
) -> None:
    rows = [(n, "w1", "" if n == 1 else "0") for n in range(90)]
    bad = table(tmp_path / "bad.csv", rows)
    with pytest.raises(InputError, match=r"bad\.csv: row 3: no label; .*--skip-empty"):
        small_study(own_labels=bad)
    assert not list(tmp_path.glob("runs/*/study.json"))
    study = small_study(own_labels=bad, skip_empty=True, trials=1)
    report = study.run()
    assert report["own_labels"]["answers"] == len({*study.world.pool} - {1})
    assert "bad.csv: 1 answers without a label are left out (--skip-empty)" in report["notes"]


def test_an_export_is_replayed_by_the_names_of_its_images(
    small_study: Make, small_data: str, tmp_path: Path
) -> None:
    """Addresses lead to the images by their end; every change of meaning is a note."""
    kinds = np.load(small_data.removeprefix("npz:"))["y"]
    rng = np.random.default_rng(0)
    choice = {"from_name": "kind", "type": "choices"}
    tasks = [
        {
            "id": n,
            "data": {"image": f"http://images.example/{n}.png"},
            "annotations": [
                {
                    "completed_by": int(who),
                    "lead_time": 3.0,
                    "result": [{**choice, "value": {"choices": [str(kind)]}}],
                }
                for who in rng.choice(9, 3, replace=False)
            ],
        }
        for n, kind in enumerate(kinds)
    ]
    path = tmp_path / "project.json"
    path.write_text(json.dumps(tasks))
    report = small_study(market=f"replay:{path}", trials=1, **RECORDED).run()
    notes = " ".join(report["notes"])
    assert "project.json: read as a Label Studio export: image image, label kind" in notes
    assert "all 90 images are found without 'http://images.example/' and without ext" in notes
    assert str(tmp_path) not in json.dumps(report)
    assert "working times" not in notes


@pytest.mark.slow
def test_a_replay_says_that_nobody_is_named(
    small_study: Make, small_data: str, tmp_path: Path
) -> None:
    kinds = np.load(small_data.removeprefix("npz:"))["y"]
    rows = [(n, kind) for n, kind in enumerate(kinds) for _ in range(3)]
    path = table(tmp_path / "votes.csv", rows, "task,label")
    report = small_study(market=f"replay:{path}", trials=1, **RECORDED).run()
    assert any("does not say who answered: no skills" in note for note in report["notes"])


def test_plan_says_how_a_file_was_read_before_anything_is_bought(
    command: Command, small_data: str, tmp_path: Path
) -> None:
    kinds = np.load(small_data.removeprefix("npz:"))["y"]
    rows = [(n, *([f"{kind}.0"] * 3)) for n, kind in enumerate(kinds)]
    wide = table(tmp_path / "wide.csv", [*rows[:-1], (*rows[-1][:3], "")], "task,w1,w2,w3")
    flags = ("--data", small_data, "--few-labels-ok", "--exam", "off", "--controls", "0")
    code, _, told = command("plan", "--budget", "5", *flags, "--own-labels", wide)
    assert code == 0
    assert "Note: wide.csv: read as a table with a column per annotator (w1, w2, w3)\n" in told
    assert "'1.0' is read as '1'" in told
