"""Are the numbers of the answer true: whole studies against fresh purchases of the plans they name.

True is a plan's mean accuracy on the validation and final images over fresh purchases from other
crowds. Printed per cap and scenario and pooled, in points:

- expected: the answer's accuracy - true, and the share of its 95 % intervals that hold the true
  value. Baseline: the validation accuracy measured of the same plan;
- search estimate: the same before the final images and the confirmation were looked at;
- delivered: the recommended plan's model on the final images - true;
- confirmed: the second purchase of the plan - true;
- forecast: what up to twice the money would give - true;
- promise: the share of gains (of the verdict, else of twice the money) inside their interval;
- rule: the share of gains over the rule of thumb inside their interval.

    python -m benchmarks.honesty --caps 2,5,20 --scenarios default,spam-heavy --seeds 8
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ground import fresh
from hpo.study.study import Study
from labeling.types import LabelPlan


class Truth:
    """True accuracies of a study's plans.

    Args:
        settings: of the study.
        redraws: fresh purchases a plan.
    """

    def __init__(self, settings: dict[str, Any], redraws: int) -> None:
        self._settings = settings
        self._redraws = redraws
        self._of = lru_cache(maxsize=None)(self._mean)

    def __call__(self, plan: dict[str, Any]) -> float:
        """The mean accuracy of a report's plan."""
        return self._of(plan["key"])

    def _mean(self, key: str) -> float:
        bought = fresh(LabelPlan.parse(key), self._redraws, **self._settings)
        return float(np.mean([each.accuracy for each in bought]))


def judge(report: dict[str, Any], truth: Truth) -> dict[str, float]:
    """The errors of one report, in points, and which intervals hold the truth."""
    chosen, advice = report["answer"]["chosen"], report["advice"]
    if chosen is None:
        return {}
    true = truth(chosen["plan"])
    best, again = report["recommended"], report["confirmation"]
    errors = {
        "expected": 100 * (chosen["accuracy"] - true),
        "expected covers": _holds(chosen["interval_95"], true),
        "measured": 100 * (best["measured"]["accuracy"] - true),
        "delivered": 100 * (best["final"]["accuracy"] - true),
    }
    if again:
        alone = again["measured"]
        errors["search estimate"] = 100 * (again["search_estimate"] - true)
        errors["search covers"] = _holds(again["search_interval_95"], true)
        errors["confirmed"] = 100 * (alone["accuracy"] - true)
        errors["confirmed covers"] = _holds(alone["interval_95"], true)
    twice = advice["forecast"]["at"][0]
    there = truth(twice["plan"])
    errors["forecast"] = 100 * (twice["accuracy"] - there)
    errors["forecast covers"] = _holds(twice["interval_95"], there)
    verdict = advice["verdict"]
    promised = twice if verdict["stop"] else {**verdict["plan"], "gain": verdict["gain"]}
    gained = 100 * (truth(promised["plan"]) - true)
    errors["promise holds"] = _holds(promised["gain"]["interval_95"], gained)
    errors["verdict stops"] = float(verdict["stop"])
    if (rule := advice["rule_of_thumb"])["gain"] is not None:
        over = 100 * (true - truth(rule["at_its_cost"]["plan"]))
        errors["rule holds"] = _holds(rule["gain"]["interval_95"], over)
    return errors


def _holds(interval: Sequence[float], value: float) -> float:
    return float(interval[0] <= value <= interval[1])


def _print(name: str, rows: Sequence[dict[str, float]]) -> None:
    for key in dict.fromkeys(key for row in rows for key in row):
        values = np.array([row[key] for row in rows if key in row])
        error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        spread = f"  sd {values.std():.2f}" if "holds" not in key and "covers" not in key else ""
        print(
            f"{name:20} {key:18} {values.mean():6.2f} +- {error:.2f}  of {len(values)}{spread}",
            flush=True,
        )


def main(words: Sequence[str] | None = None) -> None:
    """Run studies, judge their reports, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--caps", default="2,5,20")
    parser.add_argument("--scenarios", default="default,spam-heavy")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--redraws", type=int, default=8, help="fresh purchases a plan")
    parser.add_argument("--data", default="digits3")
    parser.add_argument("--out", type=Path, help="a line of JSON for each study")
    given = parser.parse_args(words)
    pooled: list[dict[str, float]] = []
    for cap in given.caps.split(","):
        for scenario in given.scenarios.split(","):
            rows = []
            for seed in range(given.first, given.first + given.seeds):
                settings = {"data": given.data, "scenario": scenario, "seed": seed}
                with tempfile.TemporaryDirectory() as runs:
                    study = Study(runs=runs, budget=cap, study="s", goal="plan", **settings)
                    report = study.run()
                    study.close()
                rows.append(judge(report, Truth(settings, given.redraws)))
                if given.out:
                    line = json.dumps({"cap": cap, **settings, **rows[-1]})
                    with given.out.open("a") as file:
                        file.write(line + "\n")
            _print(f"${cap} {scenario}", rows)
            pooled += rows
    _print("all", pooled)


if __name__ == "__main__":
    main()
