"""Predictions shown to own annotators: a knob where it is asked for, refused where it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from budget.errors import InputError
from hpo.answer.terminal import words
from hpo.settings.config import make_config
from labeling.types import LabelPlan

OFFICE = {"pay": "hourly", "price": "18", "budget": "12", "controls": "1", "prelabel": "off,on"}
Make = Callable[..., Any]


@pytest.fixture
def said(tmp_path: Path, small_data: str) -> Path:
    """A table of predictions of the small images, every second one wrong."""
    truth = np.load(small_data.removeprefix("npz:"))["y"]
    classes = sorted(set(truth.tolist()))
    rows = [f"{at},{classes[(classes.index(y) + at % 2) % 3]}" for at, y in enumerate(truth)]
    path = tmp_path / "said.csv"
    path.write_text("\n".join(["image,label", *rows]) + "\n")
    return path


@pytest.mark.slow
def test_predictions_are_a_knob_that_the_answer_tells(small_study: Make, said: Path) -> None:
    report = small_study(**OFFICE, prelabels=str(said)).run()
    plans = [row["plan"] for row in report["purchases"]]
    assert {plan.get("prelabel", False) for plan in plans} == {False, True}
    assert {plan["key"].endswith("-prelabel") for plan in plans} == {False, True}
    assert "prelabel" in [row["knob"] for row in report["advice"]["matters"]]
    told = report["prelabels"]
    shares = {name: row["right"] / row["answers"] for name, row in told.items()}
    assert shares["shown"] < shares["hidden"]  # half of the predictions are wrong
    assert any("change answers" in note for note in report["notes"])
    assert any("With predictions shown" in line for line in words(report))


def test_a_study_without_the_knob_keeps_its_conditions(small_study: Make, said: Path) -> None:
    off = {**OFFICE, "prelabel": "off"}
    world = small_study(**off).world
    beside = small_study(**OFFICE, prelabels=str(said), study="beside").world
    plan = world.space.plans[0]
    assert "prelabel" not in plan.key
    assert world.condition(plan) == beside.condition(plan)
    shown = LabelPlan.parse(f"{plan.key}-prelabel")
    assert beside.condition(shown) != beside.condition(plan)
    assert "prelabel" not in world.space.searched
    assert "prelabel" in beside.space.searched


def test_predictions_that_changed_are_refused(small_study: Make, said: Path) -> None:
    on = {**OFFICE, "prelabel": "on"}
    small_study(**on, prelabels=str(said), trials=1).run()
    header, *rows = said.read_text().splitlines()
    same = rows[0].partition(",")[2]
    said.write_text("\n".join([header, *(f"{at},{same}" for at in range(len(rows)))]) + "\n")
    with pytest.raises(InputError, match=r"said\.csv changed since annotators were shown"):
        small_study(**on, prelabels=str(said), trials=1)


def test_an_image_without_a_prediction_is_named(small_study: Make, said: Path) -> None:
    said.write_text("\n".join(said.read_text().splitlines()[:40]) + "\n")
    with pytest.raises(InputError, match="images have no prediction, such as"):
        small_study(**OFFICE, prelabels=str(said))


@pytest.mark.parametrize(
    ("settings", "said_then"),
    [
        ({"prelabel": "on", "prelabels": "x.csv"}, "only own annotators can be shown predictions"),
        ({"prelabel": "on", "pay": "hourly"}, "--prelabels FILE"),
        ({"prelabels": "x.csv", "pay": "hourly"}, "no plan shows predictions"),
        (
            {"prelabel": "on", "prelabels": "x.csv", "market": "toloka"},
            "not those of the market toloka",
        ),
    ],
)
def test_where_predictions_cannot_be_shown_is_one_line(
    settings: dict[str, str], said_then: str
) -> None:
    with pytest.raises(InputError, match=said_then) as raised:
        make_config({"budget": "20", **settings})
    assert "\n" not in str(raised.value)
