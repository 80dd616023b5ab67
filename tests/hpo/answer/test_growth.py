"""For more images than the pool, parts of the labels say how accuracy grows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpo.answer.estimates.evidence import coding_of, evidence_of, with_parts
from hpo.answer.sections.models.growth import parts_of
from hpo.answer.terminal import words
from hpo.trial.trainer import CrossValidated
from tests.conftest import studies_in
from tests.hpo.answer.surfaces import conditions, measured, steep


@pytest.fixture(scope="module")
def study(more_data: str, tmp_path_factory: pytest.TempPathFactory):
    with studies_in(tmp_path_factory.mktemp("runs"), more_data) as make:
        study = make(study="s", budget="1", trials=3, pool_size=1000, trainer=CrossValidated())
        study.run()
        yield study


@pytest.mark.slow
def test_models_of_parts_are_measured_told_and_printed(study: Any) -> None:
    report = study.report()
    rows = report["growth"]
    sizes = [row["images"] for row in rows]
    assert len(rows) >= 2
    assert sizes == sorted(sizes, reverse=True)
    assert rows[0]["accuracy"] > rows[-1]["accuracy"]
    assert f"from {sizes[0]} images" in "\n".join(words(report))


@pytest.mark.slow
def test_parts_are_disjoint_and_the_same_when_measured_again(study: Any) -> None:
    (key, kept), *_ = study.trials.known("growth").items()
    plan = next(o.plan for o in study.outcomes() if o.plan.key == key.partition("/")[0])
    assert parts_of(plan, study.world) == kept
    labelled = next(o.labels for o in study.outcomes() if o.plan == plan)
    assert all(row["images"] * row["parts"] <= labelled for row in kept)


@pytest.mark.slow
def test_the_estimates_go_by_the_parts_in_place_of_the_prefixes(study: Any) -> None:
    found = study.estimates().measured
    parts = [m for m in found if m.parts > 1]
    assert [m.tasks for m in parts] == [row["images"] for row in study.report()["growth"]]
    alike = [m for m in found if m.purchase == parts[0].purchase and m.image_set == "validation"]
    overlap = parts[0].plan.overlap
    prefixes = [m for m in alike if m.parts == 1 and m.plan.overlap == overlap]
    assert [m.plan.tasks for m in prefixes] == [max(m.plan.tasks for m in alike)]


def test_a_study_of_its_own_pool_trains_on_no_parts(bought_twice: Path) -> None:
    assert json.loads((bought_twice / "report.json").read_text())["growth"] == []


def test_the_luck_of_parts_averages_out(module_study: Callable[..., Any]) -> None:
    world = module_study(study="p", budget="20").world
    plans = [plan for some in conditions(world, 2) for plan in some]
    evidence = measured(plans, steep, world, 0.02, seed=0)
    largest = max(evidence, key=lambda m: (m.tasks, -m.plan.overlap))
    half, quarter = largest.tasks // 2, largest.tasks // 4
    rows = [
        {"images": half, "parts": 2, "accuracy": 0.8, "variance": 0.0004},
        {"images": half, "parts": 4, "accuracy": 0.8, "variance": 0.0004},
        {"images": quarter, "parts": 4, "accuracy": 0.7, "variance": 0.0008},
    ]
    for has_luck in (False, True):
        made = with_parts(evidence, largest.plan, rows, has_luck)
        coded = evidence_of(made, coding_of(made, world), 2 / 3, True)
        two, four, fourth = coded.luck[-3:].tolist()
        assert two == pytest.approx(2 * four)
        assert fourth > four
        left = {m.plan for m in made[:-3]}
        gone = [m.plan for m in evidence if m.plan not in left]
        assert gone
        assert all(plan.overlap == largest.plan.overlap for plan in gone)
        assert all(world.condition(p).key == largest.purchase for p in gone)


def test_parts_of_unknown_labels_change_nothing(module_study: Callable[..., Any]) -> None:
    world = module_study(study="q", budget="20").world
    plans = conditions(world, 1)[0]
    evidence = measured(plans[1:], steep, world, 0.0, seed=0)
    rows = [{"images": 50, "parts": 2, "accuracy": 0.8, "variance": 0.0004}]
    assert with_parts(evidence, plans[0], rows, has_luck=True) == evidence
    assert with_parts(evidence, plans[1], [], has_luck=True) == evidence
