"""Does the plan that is named for `--target` reach it.

$5 studies are run with a target, which the seeds take in turn. Of those that name a plan for it,
the plan is bought again from fresh crowds. Printed per scenario and pooled:

- named: studies that name a plan;
- true: the share of these whose plan's mean accuracy over fresh purchases, on validation and final
  images, reaches the target;
- confirmed: the share of fresh purchases whose accuracy on the final images alone reaches it;
- margin: true - target, and estimate - true, means in points.

Baseline: the cheapest plan whose measured accuracy, by validation images alone, reaches the target
in the same studies (`measured`).

    python -m benchmarks.targets --seeds 8
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
from hpo.trial.outcome import Outcome
from labeling.types import LabelPlan

_KEYS = ("true", "confirmed", "margin")
TARGETS = {
    "default": (0.86, 0.88, 0.9),
    "spam-heavy": (0.82, 0.85, 0.88),
    "slow-supply": (0.82, 0.85, 0.88),
}


class Fresh:
    """Fresh purchases of a study's plans.

    Args:
        settings: of the study.
        draws: fresh purchases a plan.
    """

    def __init__(self, settings: dict[str, Any], draws: int) -> None:
        self._settings = settings
        self._draws = draws
        self._of = lru_cache(maxsize=None)(self._bought)

    def judge(self, name: str, plan: LabelPlan, target: float) -> dict[str, float]:
        """Whether a plan reaches a target: on average, and as the share of single purchases."""
        accuracy, final = self._of(plan)
        return {
            f"{name} true": float(accuracy.mean() >= target),
            f"{name} confirmed": float((final >= target).mean()),
            f"{name} margin": 100 * (float(accuracy.mean()) - target),
        }

    def _bought(self, plan: LabelPlan) -> tuple[np.ndarray, np.ndarray]:
        bought = fresh(plan, self._draws, **self._settings)
        return np.array([b.accuracy for b in bought]), np.array([b.final for b in bought])


def cheapest_measured(outcomes: Sequence[Outcome], target: float) -> LabelPlan | None:
    """The cheapest plan whose measured accuracy reaches a target."""
    able = [o for o in outcomes if o.accuracy >= target]
    return min(able, key=lambda o: (o.price_tag, o.plan.key)).plan if able else None


def judge(target: float, draws: int, **settings: Any) -> dict[str, float]:
    """Run a study with a target, and buy again what it names."""
    again = Fresh(settings, draws)
    with tempfile.TemporaryDirectory() as runs:
        study = Study(runs=runs, budget="5", study="s", target=target, **settings)
        report = study.run()
        usual = cheapest_measured(study.outcomes(), target)
        study.close()
    named = report["advice"]["target"]["chosen"] if report["advice"] else None
    row = {"target": target, "named": float(named is not None)}
    if usual is not None:
        row |= again.judge("measured", usual, target)
    if named is not None:
        row |= again.judge("named", LabelPlan.parse(named["plan"]["key"]), target)
        row["estimate - true"] = 100 * (named["accuracy"] - target) - row["named margin"]
        row["half"] = 50 * (named["interval_95"][1] - named["interval_95"][0])
        row["dollars"] = named["price_tag"]["micros"] / 1e6
    row["spent"] = report["money"]["spent"]["micros"] / 1e6
    return row


def print_rows(name: str, rows: Sequence[dict[str, float]]) -> None:
    """One scenario's shares."""
    named = [row for row in rows if row["named"]]
    print(f"{name:12} named {len(named)} of {len(rows)}")
    for kind in ("named", "measured"):
        some = [row for row in rows if f"{kind} true" in row]
        if not some:
            continue
        mean = {key: float(np.mean([row[f"{kind} {key}"] for row in some])) for key in _KEYS}
        extra = ""
        if kind == "named":
            extra = f"  estimate - true {np.mean([r['estimate - true'] for r in some]):+.2f}"
        print(
            f"  {kind:9} of {len(some):2}: true {mean['true']:.2f}  confirmed "
            f"{mean['confirmed']:.2f}  true - target {mean['margin']:+.2f}{extra}",
            flush=True,
        )


def main(words: Sequence[str] | None = None) -> None:
    """Run studies with targets, buy their plans again, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenarios", default=",".join(TARGETS))
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--draws", type=int, default=8, help="fresh purchases of a plan")
    parser.add_argument("--data", default="digits3")
    parser.add_argument("--out", type=Path, help="a line of JSON for each study")
    given = parser.parse_args(words)
    pooled: list[dict[str, float]] = []
    for scenario in given.scenarios.split(","):
        rows = []
        for seed in range(given.first, given.first + given.seeds):
            settings = {"data": given.data, "scenario": scenario, "seed": seed, "max_minutes": 15}
            target = TARGETS[scenario][seed % len(TARGETS[scenario])]
            rows.append(judge(target, given.draws, **settings))
            if given.out:
                with given.out.open("a") as file:
                    file.write(json.dumps({**settings, **rows[-1]}) + "\n")
        print_rows(scenario, rows)
        pooled += rows
    print_rows("pooled", pooled)


if __name__ == "__main__":
    main()
