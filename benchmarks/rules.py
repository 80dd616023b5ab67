"""Is the plan of `--goal plan` ever worse than a rule of thumb, above all where crowds are noisy.

Whole studies; the recommended plan against the two rules' plans of at most its price: one control
task a suite (`rule`), and an exam (`exam`). True is the mean accuracy of purchases from crowds
that no study meets, on validation and final images. Printed per surface and cap, in points with
standard errors over studies: recommended - rule, recommended - exam.

noisy: few images with pixel noise, and annotators who are right in 55 to 60 % of answers: the luck
of a purchase is as large as the differences between plans.

    python -m benchmarks.rules --caps 2,5 --seeds 8 --redraws 8
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ground import mean_and_error
from benchmarks.honesty import Truth
from benchmarks.invest import noisy_digits
from budget.money import Money
from hpo.answer.advice.advisor import plan_fields
from hpo.answer.advice.baselines import largest_for, practitioners
from hpo.study.study import Study

IMAGES, PIXEL_NOISE = 1000, 0.25
NOISY = """name = "noisy"
about = "annotators who are right in 55 to 60 % of answers"
error_a = 3.0
error_b = 4.0
"""
SURFACES = ("noisy", "noisy-images", "hard-items", "default", "spam-heavy")


def settings_of(name: str, cache: Path) -> dict[str, Any]:
    """A surface's settings, with the files that they name."""
    few = f"npz:{noisy_digits(cache, IMAGES, PIXEL_NOISE, 'few')}"
    scenario = cache / "noisy.toml"
    scenario.write_text(NOISY)
    if name == "noisy":
        return {"data": few, "scenario": str(scenario)}
    if name == "noisy-images":
        return {"data": few}
    return {"scenario": name}


def judge(settings: dict[str, Any], cap: str, redraws: int) -> dict[str, float]:
    """A study's plan against both rules' plans for its price, in points."""
    with tempfile.TemporaryDirectory() as runs:
        study = Study(runs=runs, budget=cap, study="s", goal="plan", **settings)
        report = study.run()
        best, rule = report["recommended"], report["advice"]["rule_of_thumb"]["at_its_cost"]
        estimates = study.estimates()
        world, price = study.world, Money.from_json(best["price_tag"])
        plans = [plan for plan in world.space.plans if plan.exam]
        examined = None
        if plans:
            longest = world.config.max_minutes
            usual = practitioners(plans, price, estimates.costs, longest)
            examined = plan_fields(largest_for(usual, price, estimates))
        study.close()
    truth = Truth(settings, redraws)
    true = truth(best["plan"])
    row = {"true": 100 * true, "price": price.dollars}
    if rule is not None:
        row["- rule"] = 100 * (true - truth(rule["plan"]))
    if examined is not None:
        row["- exam"] = 100 * (true - truth(examined))
    row["is exam"] = float(best["plan"]["exam"])
    return row


def _print(name: str, rows: Sequence[dict[str, float]]) -> None:
    words = [f"{name} of {len(rows)}:"]
    for key in rows[0]:
        values = [row[key] for row in rows if key in row]
        mean, error = (
            mean_and_error(values) if len(values) > 1 else (float(np.mean(values)), np.nan)
        )
        words.append(f"{key} {mean:+.2f}+-{error:.2f}")
    print("  ".join(words), flush=True)


def main(words: Sequence[str] | None = None) -> None:
    """Run studies, judge their plans, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--caps", default="2,5")
    parser.add_argument("--surfaces", default="noisy,hard-items,default")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--redraws", type=int, default=8, help="fresh purchases a plan")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "rules")
    parser.add_argument("--out", type=Path, help="a line of JSON for each study")
    given = parser.parse_args(words)
    given.cache.mkdir(parents=True, exist_ok=True)
    for cap in given.caps.split(","):
        for name in given.surfaces.split(","):
            rows = []
            for seed in range(given.first, given.first + given.seeds):
                settings = {"seed": seed, **settings_of(name, given.cache)}
                rows.append(judge(settings, cap, given.redraws))
                if given.out:
                    line = json.dumps({"surface": name, "cap": cap, "seed": seed, **rows[-1]})
                    with given.out.open("a") as file:
                        file.write(line + "\n")
            _print(f"${cap} {name}", rows)


if __name__ == "__main__":
    main()
