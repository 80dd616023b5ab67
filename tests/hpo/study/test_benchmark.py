"""The benchmark of searches runs, on a small surface, and its metric means what it says."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from benchmarks import search as benchmark
from benchmarks._surface import Surface


@pytest.fixture
def small_space(monkeypatch: pytest.MonkeyPatch) -> None:
    space = {"price": "0.001,0.002", "overlap": "1,2", "controls": "0,1", "exam": "off"}
    monkeypatch.setattr(benchmark, "SPACE", {**space, "tasks": "10%,40%,100%", "study": "b"})


@pytest.mark.slow
def test_two_seeds_of_the_benchmark(small_space, tmp_path) -> None:
    words = ["--surfaces", "default", "--seeds", "2", "--draws", "2", "--judged", "0", "--cap", "5"]
    words += ["--methods", "random,random+reuse,autoquality,rule,money"]
    words += ["--cache", str(tmp_path / "tables"), "--out", str(tmp_path / "result.json")]
    result = benchmark.main(words)
    found = result["default"]
    assert isinstance(found, dict)
    for method in ("random", "random+reuse", "autoquality", "rule", "money"):
        assert all(value >= -0.5 for value in found[method].values()), method  # truth is a mean
    assert found["money"]["shrunk"] < found["random"]["raw"]
    assert (tmp_path / "result.json").exists()
    assert len(list((tmp_path / "tables").glob("*.json"))) == 4 * 2
    again = benchmark.main(words)
    assert again["default"] == found


@pytest.mark.slow
def test_the_gap_of_naming_the_best_plan_is_zero(small_space, tmp_path) -> None:
    with closing(benchmark.make_surface("default", "5", 1, tmp_path)) as surface:
        check_gaps(surface)


def check_gaps(surface: Surface) -> None:
    accuracy, tags = surface.truth
    lab = benchmark.Lab(surface, 0, benchmark.ZERO)
    for plan in surface.plans:
        lab.holdings.buy(plan)
        lab.evaluate(plan)
    lab.outcomes = [
        benchmark.replace(o, accuracy=float(accuracy[surface.at[o.plan.key]]))
        for o in lab.outcomes
        if surface.inside[surface.at[o.plan.key]]
    ]
    assert np.allclose(benchmark.gaps(lab, "random")["raw"], 0)
    lab.outcomes = lab.outcomes[-1:]
    cheapest = tags[surface.inside].min()
    assert benchmark.gaps(lab, "random")["raw"][0] > 10
    assert surface.levels[0] == pytest.approx(cheapest, rel=0.01)


def test_a_ratio_of_equal_gaps_is_one() -> None:
    same = np.array([1.0, 2.0, 3.0])
    found, low, high = benchmark.ratio(same, same, np.random.default_rng(0))
    assert (found, low, high) == (1, 1, 1)
