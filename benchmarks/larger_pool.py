"""Forecasts for a larger pool, against what buying in the larger pool really gives.

A study sees a part of the pool and is asked for all of it (`--pool-size`): 196 of the 980 images of
the default data, and 654 of the 3,271 of CIFAR-10N (recorded answers; needs LABELWORTH_DATA), both
one fifth. True is the mean accuracy of fresh purchases in the whole pool, on the validation and
final images; of recorded answers there is one purchase. Printed in points, over seeds:

- chosen: the accuracy of the plan that the answer names for the whole pool - true: median of its
  size, mean (bias), and the share of 95 % intervals that hold the true value;
- whole: the same of all images of the pool, in that plan's condition and overlap;
- baselines for the whole: a power law of the error through the measurements of that condition and
  overlap, and the best accuracy measured in the part;
- labels: the tasks that the model says are needed for the accuracy that all N tasks truly gave,
  over N: median, 90 % quantile, and the share of at most 1.5.

    python -m benchmarks.larger_pool --seeds 12 --recorded-seeds 6
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.ground import CIFAR10N, _data, fresh
from hpo.answer.advice.candidates import BEYOND
from hpo.answer.estimates.plan_estimates import PlanEstimates
from hpo.settings.config import make_config
from hpo.study.study import Study
from hpo.trial.outcome import Outcome
from labeling.seeds import generator
from labeling.types import LabelPlan

PART = 5  # the whole pool over the part that a study sees
_GRID = 400
REPLAYED = {"price": "0.001", "controls": "0", "exam": "off", "overlap": "1,2,3"}


def study_of_part(runs: Path, budget: str, **settings: Any) -> tuple[Study, int]:
    """A study that sees a fifth of its data's pool, not run yet, and the whole pool's size."""
    config = make_config({"budget": budget, **settings})
    data = _data(config.data, config.seed)
    pool = data.rows["pool"]
    rng = generator(config.seed, "part of the pool")
    part = data.with_pool(sorted(rng.permutation(pool)[: len(pool) // PART].tolist()))
    whole = len(pool)
    with mock.patch("hpo.study.checks.load", return_value=part):
        name = f"s{config.seed}"
        study = Study(runs=runs, budget=budget, study=name, pool_size=whole, **settings)
    return study, whole


def power_law(outcomes: Sequence[Outcome], like: LabelPlan, tasks: int) -> float:
    """Accuracy by ln(error) = a + b ln(tasks) through the measurements of a condition and overlap.

    The best accuracy measured where they have fewer than two numbers of tasks.
    """
    alike = [o for o in outcomes if replace(o.plan, tasks=like.tasks) == like]
    sizes = np.log([o.plan.tasks for o in alike])
    if len(np.unique(sizes)) < 2:
        return best_measured(outcomes)
    slope, level = np.polyfit(sizes, np.log([max(1 - o.accuracy, 1e-3) for o in alike]), 1)
    return float(1 - np.exp(level + slope * np.log(tasks)))


def best_measured(outcomes: Sequence[Outcome]) -> float:
    """The best accuracy that the search measured."""
    return max(o.accuracy for o in outcomes)


def tasks_needed(estimates: PlanEstimates, like: LabelPlan, accuracy: float) -> float:
    """The fewest tasks expected to give an accuracy; as many as can be spoken of where none do."""
    most = BEYOND * max(m.tasks for m in estimates.measured)
    counts = np.unique(np.geomspace(10, most, _GRID).round().astype(int))
    said = estimates.draws([replace(like, tasks=int(n)) for n in counts]).mean(axis=0)
    enough = np.flatnonzero(said >= accuracy)
    return float(counts[enough[0]] if len(enough) else most)


def judge(study: Study, whole: int, draws: int, **settings: Any) -> dict[str, float]:
    """Run a study and judge its forecast; empty where it names no plan."""
    chosen = study.run()["answer"]["chosen"]
    if chosen is None:
        return {}
    plan = LabelPlan.parse(chosen["plan"]["key"])
    every = replace(plan, tasks=whole)
    estimates, outcomes = study.estimates(), study.outcomes()
    (all_of_it,) = estimates.of([every])

    def true(bought: LabelPlan) -> float:
        return float(np.mean([each.accuracy for each in fresh(bought, draws, **settings)]))

    there = true(every)
    here = there if plan == every else true(plan)
    low, high = chosen["interval_95"]
    return {
        "chosen": 100 * (chosen["accuracy"] - here),
        "chosen covers": float(low <= here <= high),
        "whole": 100 * (all_of_it.accuracy - there),
        "whole covers": float(all_of_it.low <= there <= all_of_it.high),
        "power law": 100 * (power_law(outcomes, plan, whole) - there),
        "best measured": 100 * (best_measured(outcomes) - there),
        "labels": tasks_needed(estimates, plan, there) / whole,
        "true": 100 * there,
        "tasks chosen": float(plan.tasks),
    }


def print_rows(name: str, rows: Sequence[dict[str, float]]) -> None:
    """The table of one kind of study."""
    true = [row["true"] for row in rows]
    print(f"{name}: {len(rows)} studies, true accuracy of the whole pool {np.mean(true):.1f} %")
    for key in ("chosen", "whole", "power law", "best measured"):
        error = np.array([row[key] for row in rows])
        line = (
            f"  {key:14} median |error| {np.median(np.abs(error)):5.2f}  bias {error.mean():+.2f}"
        )
        if len(error) > 1:
            line += f" +- {error.std(ddof=1) / len(error) ** 0.5:.2f}"
        if f"{key} covers" in rows[0]:
            held = sum(row[f"{key} covers"] for row in rows)
            line += f"  covered {held:.0f} of {len(rows)}"
        print(line)
    labels = np.array([row["labels"] for row in rows])
    print(
        f"  labels         median x {np.median(labels):.2f}  90 % below x "
        f"{np.quantile(labels, 0.9):.2f}  at most x 1.5 in {(labels <= 1.5).sum()}",
        flush=True,
    )


def measure(
    name: str, settings: dict[str, Any], seeds: int, draws: int, given: argparse.Namespace
) -> None:
    """Run and print one kind of study."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.first, given.first + seeds):
            study, whole = study_of_part(Path(folder), given.budget, seed=seed, **settings)
            row = judge(study, whole, draws, seed=seed, **settings)
            study.close()
            if row:
                rows.append(row)
            if given.out:
                with given.out.open("a") as file:
                    file.write(json.dumps({"name": name, "seed": seed, **row}) + "\n")
    if rows:
        print_rows(name, rows)


def main(words: Sequence[str] | None = None) -> None:
    """Run studies, judge their forecasts, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", default="5")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--recorded-seeds", type=int, default=6)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--draws", type=int, default=6, help="fresh purchases of a plan")
    parser.add_argument("--out", type=Path, help="a line of JSON for each study")
    given = parser.parse_args(words)
    if given.seeds:
        measure("digits3, 196 of 980", {"data": "digits3"}, given.seeds, given.draws, given)
    if CIFAR10N.exists() and given.recorded_seeds:
        recorded = {"data": f"npz:{CIFAR10N}", "market": f"replay:{CIFAR10N}", **REPLAYED}
        measure("CIFAR-10N, 654 of 3,271", recorded, given.recorded_seeds, 1, given)


if __name__ == "__main__":
    main()
