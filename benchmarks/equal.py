"""Examples, not criteria: money that others need for our quality, and the published plan.

- Money to equal quality: the smallest of some caps with which a method's mean gap (see
  `benchmarks.search`: same budget levels, same recommender on both sides) is at most ours at $20.
- The published plan (overlap 3, 1 control task in 10, $0.002 a task, all tasks): its true accuracy
  and price tag, what our studies recommend at that price tag, and the cheapest price tag at which
  they recommend something as good.

    python -m benchmarks.equal --surfaces default --seeds 20
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from benchmarks._surface import Floats, Surface
from benchmarks.search import gaps, make_surface, run
from budget.money import Money
from labeling.types import LabelPlan

CAPS = ("20", "40", "80", "160", "320")


def mean_gap(method: str, surface: Surface, levels: Floats, seeds: int) -> float:
    """Mean gap of a method's studies at some budget levels, all with our recommender."""
    labs = [run(method, surface, seed) for seed in range(seeds)]
    return float(np.mean([gaps(lab, method, levels)["shrunk"].mean() for lab in labs]))


def money_to_equal(name: str, surfaces: dict[str, Surface], seeds: int) -> dict[str, object]:
    """Per method its gap at growing caps, up to the first that reaches ours at $20."""
    base = surfaces["20"]
    ours = mean_gap("money", base, base.levels, seeds)
    print(f"{name:16} money          gap at $20: {ours:.2f}", flush=True)
    found: dict[str, object] = {"money": {"20": round(ours, 3)}}
    for method in ("random", "tpe", "tpe-mv5", "nsga2", "tpe+reuse", "rule"):
        row: dict[str, float] = {}
        for cap, surface in surfaces.items():
            row[cap] = round(mean_gap(method, surface, base.levels, seeds), 3)
            if row[cap] <= ours:
                break
        print(f"{name:16} {method:14} {row}", flush=True)
        found[method] = row
    return found


def published(name: str, surface: Surface, seeds: int) -> dict[str, float | None]:
    """The published plan beside ours; None where ours is nowhere as good within its price tag."""
    tasks = max(plan.tasks for plan in surface.plans)
    plan = LabelPlan(Money.parse("0.002"), 3, 1, tasks, False)
    accuracy, tags = surface.truth
    at = surface.at[plan.key]
    levels = np.geomspace(tags[surface.inside].min() * 1.001, tags[at], 40)
    best = np.array([accuracy[surface.inside & (tags <= level)].max() for level in levels])
    labs = [run("money", surface, seed) for seed in range(seeds)]
    named = best - np.mean([gaps(lab, "money", levels)["shrunk"] for lab in labs], axis=0) / 100
    as_good = np.flatnonzero(named >= accuracy[at])
    found: dict[str, float | None] = {
        "published accuracy": float(accuracy[at]),
        "published price tag": float(tags[at]),
        "ours at its price tag": float(named[-1]),
        "ours as good at": float(levels[as_good[0]]) if len(as_good) else None,
    }
    rounded = {key: None if value is None else round(value, 4) for key, value in found.items()}
    print(f"{name:16} " + "  ".join(f"{k}: {v}" for k, v in rounded.items()), flush=True)
    return rounded


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surfaces", default="default")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--judged", type=int, default=30)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "surfaces")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    results = {}
    for name in given.surfaces.split(","):
        with ExitStack() as stack:
            surfaces = {
                cap: stack.enter_context(
                    closing(make_surface(name, cap, given.draws, given.cache, given.judged))
                )
                for cap in CAPS
            }
            results[name] = {
                "published": published(name, surfaces["20"], given.seeds),
                "money to equal": money_to_equal(name, surfaces, given.seeds),
            }
        if given.out:
            given.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
