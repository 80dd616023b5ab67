"""Labels that the user brought: counted by role, priced by the tariff of the study's market."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from budget.money import Money
from hpo.answer.sections.known_labels import known_labels, known_labels_line
from hpo.answer.terminal import words
from labeling.types import LabelPlan

PLAN = LabelPlan(Money(1000), 1, 1, 49, False)


@pytest.fixture(scope="module")
def study(bought_twice: Path, module_study, tmp_path_factory: pytest.TempPathFactory):
    runs = tmp_path_factory.mktemp("known")
    shutil.copytree(bought_twice, runs / "s")
    return module_study(runs=runs, study="s", trials=2)


def with_roles(study, **sizes: int):
    """The study's world with other numbers of images in some roles."""
    count = len(study.world.data.truth)
    roles = ("control", "validation", "final")
    rows = {role: np.arange(sizes.get(role, 0)) % count for role in roles}
    data = replace(study.world.data, rows={**study.world.data.rows, **rows})
    return study.world.but(data=data)


def test_the_price_is_the_tariffs_for_three_answers_an_image(study) -> None:
    told = known_labels(PLAN, with_roles(study, control=20, validation=60, final=20))
    assert told is not None
    assert told["labels"] == {"control": 20, "validation": 60, "final": 20}
    # 300 answers, 9 real tasks a suite: 34 suites at 10 x $0.001, and a fee of 30 % of that
    assert told["cost"] == Money(34 * 13_000).to_json()
    assert told["price_per_task"] == Money(1000).to_json()


def test_dynamic_overlap_of_the_plan_does_not_matter(study) -> None:
    from labeling.types import DynamicOverlap

    world = with_roles(study, validation=60)
    dynamic = replace(PLAN, overlap=5, dynamic=DynamicOverlap(2, 5, 0.9))
    assert known_labels(dynamic, world) == known_labels(PLAN, world)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (
            {"control": 180, "validation": 300, "final": 1},
            "180 control, 300 validation and 1 final",
        ),
        ({"validation": 2, "final": 3}, "2 validation and 3 final"),
        ({"final": 7}, "7 final"),
    ],
)
def test_roles_without_images_are_left_out(study, sizes: dict[str, int], said: str) -> None:
    told = known_labels(PLAN, with_roles(study, **sizes))
    assert told is not None
    line = known_labels_line(told)
    assert line.startswith(f"The study used {said} labels that you provided; buying them with 3 ")
    assert "3 answers each at $0.001 a task would cost $" in line


def test_one_label_is_not_several(study) -> None:
    told = known_labels(PLAN, with_roles(study, final=1))
    assert told is not None
    assert known_labels_line(told) == (
        "The study used 1 final label that you provided; buying it with 3 answers at $0.001 a task "
        "would cost $0.04. Prices of plans are for training labels only."
    )


def test_a_study_without_them_says_nothing(study) -> None:
    assert known_labels(PLAN, with_roles(study)) is None


def test_the_report_and_the_answer_tell_them(study) -> None:
    report = study.report()
    known = report["known_labels"]
    assert known["labels"] == {
        role: count for role, count in report["data"]["images"].items() if role != "pool"
    }
    assert known["price_per_task"] == report["recommended"]["plan"]["price_per_task"]
    assert known_labels_line(known) in words(report)
