"""Are the numbers of the answer true: whole studies against fresh purchases of the plans they name.

True is a plan's mean accuracy over fresh purchases from other crowds, each of other images of the
pool: with `--data drawn:CLASSES` on thousands of images that no study meets, else on the validation
and final images. The answer was
measured on the latter, so its intervals, which are for any images, hold that value too often.
Printed per cap and scenario and pooled, in points:

- expected: the answer's accuracy - true, and the share of its 95 % intervals that hold the true
  value. Baseline: the validation accuracy measured of the same plan;
- search estimate: the same before the final images and the confirmation were looked at;
- delivered: the recommended plan's model on the final images - true;
- confirmed: the second purchase of the plan - true;
- ..., same images: the same where true is on the images that were measured on (validation images of
  the measured accuracy and the search estimate, else final ones), free of the luck of the split;
- forecast: what up to twice the money would give - true;
- promise: gains (of the verdict, else of twice the money) are told with the luck of both purchases:
  the share of pairs of purchases whose gain is inside the interval;
- rule: the same of gains over the rule of thumb;
- headline, of `--goal model`: what is told of the delivered model - its accuracy on new images.

    python -m benchmarks.honesty --caps 2,5,20 --scenarios default,spam-heavy --seeds 8
    python -m benchmarks.honesty --caps 2 --scenarios default --data drawn:3 --seeds 8
    python -m benchmarks.honesty --caps 2 --scenarios default --data drawn:3 --goal model
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
from numpy.typing import NDArray

from benchmarks.drawn import Images, drawn
from benchmarks.ground import Redraw, fresh
from hpo.study.study import Study
from labeling.types import LabelPlan


class Truth:
    """True accuracies of a study's plans.

    Args:
        settings: of the study.
        redraws: fresh purchases a plan.
        beyond: images that no study meets; None to judge on the validation and final images.
    """

    def __init__(
        self, settings: dict[str, Any], redraws: int, beyond: Images | None = None
    ) -> None:
        self._settings = settings
        self._redraws = redraws
        self._beyond = beyond
        self._of = lru_cache(maxsize=None)(self._bought)

    def __call__(self, plan: dict[str, Any]) -> float:
        """The mean accuracy of a report's plan."""
        return float(self.purchases(plan).mean())

    def purchases(self, plan: dict[str, Any]) -> NDArray[np.float64]:
        """The accuracy of each purchase of a report's plan."""
        return np.array([redraw.widest for redraw in self._of(plan["key"])])

    def gains(self, plan: dict[str, Any], over: dict[str, Any]) -> NDArray[np.float64]:
        """Points that purchases of a plan give more than purchases of another, of all pairs."""
        return 100 * np.subtract.outer(self.purchases(plan), self.purchases(over)).ravel()

    def on(self, role: str, plan: dict[str, Any]) -> float:
        """Its mean accuracy on the study's validation or final images."""
        return float(np.mean([getattr(redraw, role) for redraw in self._of(plan["key"])]))

    def _bought(self, key: str) -> list[Redraw]:
        plan = LabelPlan.parse(key)
        return fresh(plan, self._redraws, self._beyond, other_images=True, **self._settings)


def judge(report: dict[str, Any], truth: Truth) -> dict[str, float]:
    """The errors of one report, in points, and which intervals hold the truth."""
    chosen, advice = report["answer"]["chosen"], report["advice"]
    if chosen is None:
        return {}
    true = truth(chosen["plan"])
    on_validation, on_final = (truth.on(role, chosen["plan"]) for role in ("validation", "final"))
    best, again = report["recommended"], report["confirmation"]
    errors = {
        "expected": 100 * (chosen["accuracy"] - true),
        "expected covers": _holds(chosen["interval_95"], true),
        "measured": 100 * (best["measured"]["accuracy"] - true),
        "measured, same images": 100 * (best["measured"]["accuracy"] - on_validation),
        "delivered": 100 * (best["final"]["accuracy"] - true),
        "delivered, same images": 100 * (best["final"]["accuracy"] - on_final),
        "delivered covers": _holds(best["final"]["interval_95"], true),
    }
    if again:
        alone = again["measured"]
        errors["search estimate"] = 100 * (again["search_estimate"] - true)
        same = again["search_estimate"] - on_validation
        errors["search estimate, same images"] = 100 * same
        errors["search covers"] = _holds(again["search_interval_95"], true)
        errors["confirmed"] = 100 * (alone["accuracy"] - true)
        errors["confirmed, same images"] = 100 * (alone["accuracy"] - on_final)
        errors["confirmed covers"] = _holds(alone["interval_95"], true)
    twice = advice["forecast"]["at"][0]
    there = truth(twice["plan"])
    errors["forecast"] = 100 * (twice["accuracy"] - there)
    errors["forecast covers"] = _holds(twice["interval_95"], there)
    verdict = advice["verdict"]
    promised = twice if verdict["stop"] else {**verdict["plan"], "gain": verdict["gain"]}
    gained = promised["gain"]["interval_95"]
    errors |= _gain("promise holds", gained, promised["plan"], chosen["plan"], truth)
    errors["verdict stops"] = float(verdict["stop"])
    if (rule := advice["rule_of_thumb"])["gain"] is not None:
        gained, usual = rule["gain"]["interval_95"], rule["at_its_cost"]["plan"]
        errors |= _gain("rule holds", gained, chosen["plan"], usual, truth)
    return errors


def _gain(
    name: str, interval: Sequence[float], plan: Any, over: Any, truth: Truth
) -> dict[str, float]:
    """Whether an interval holds a gain; nothing where both plans are the same."""
    if plan["key"] == over["key"]:
        return {}
    return {name: _holds(interval, truth.gains(plan, over))}


def headline(report: dict[str, Any], model: Path, beyond: Images | None) -> dict[str, float]:
    """The error of the delivered model's told accuracy; whether its interval holds the truth."""
    from training.saved import load_model

    made = report["delivery"]
    if made is None or beyond is None:
        return {}
    found = load_model(model).model.predict(beyond.values).argmax(axis=1)
    true = float((found == beyond.truth).mean())
    return {
        "headline": 100 * (made["final"]["accuracy"] - true),
        "headline covers": _holds(made["final"]["interval_95"], true),
    }


def _holds(interval: Sequence[float], values: float | NDArray[np.float64]) -> float:
    """The share of values that an interval holds."""
    low, high = interval
    return float(np.mean((low <= np.asarray(values)) & (np.asarray(values) <= high)))


def _print(name: str, rows: Sequence[dict[str, float]]) -> None:
    for key in dict.fromkeys(key for row in rows for key in row):
        values = np.array([row[key] for row in rows if key in row])
        error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        spread = f"  sd {values.std():.2f}" if "holds" not in key and "covers" not in key else ""
        print(
            f"{name:20} {key:28} {values.mean():6.2f} +- {error:.2f}  of {len(values)}{spread}",
            flush=True,
        )


def data_of(name: str, seed: int, cache: Path) -> tuple[str, Images | None]:
    """A study's data, and images beyond it where they can be drawn."""
    kind, _, classes = name.partition(":")
    if kind != "drawn":
        return name, None
    cache.mkdir(parents=True, exist_ok=True)
    return drawn(cache, int(classes), seed)


def main(words: Sequence[str] | None = None) -> None:
    """Run studies, judge their reports, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--caps", default="2,5,20")
    parser.add_argument("--scenarios", default="default,spam-heavy")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--redraws", type=int, default=8, help="fresh purchases a plan")
    parser.add_argument("--data", default="digits3", help="or drawn:CLASSES")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "honesty")
    parser.add_argument("--out", type=Path, help="a line of JSON for each study")
    parser.add_argument("--goal", choices=("plan", "model"), default="plan")
    given = parser.parse_args(words)
    if given.goal == "model" and not given.data.startswith("drawn:"):
        parser.error("--goal model needs --data drawn:CLASSES")
    pooled: list[dict[str, float]] = []
    for cap in given.caps.split(","):
        for scenario in given.scenarios.split(","):
            rows = []
            for seed in range(given.first, given.first + given.seeds):
                data, beyond = data_of(given.data, seed, given.cache)
                settings = {"data": data, "scenario": scenario, "seed": seed}
                with tempfile.TemporaryDirectory() as runs:
                    study = Study(runs=runs, budget=cap, study="s", goal=given.goal, **settings)
                    report = study.run()
                    model = study.folder / "model.safetensors"
                    told = headline(report, model, beyond) if given.goal == "model" else None
                    study.close()
                if told is None:
                    told = judge(report, Truth(settings, given.redraws, beyond))
                rows.append(told)
                if given.out:
                    line = json.dumps({"cap": cap, **settings, "data": given.data, **rows[-1]})
                    with given.out.open("a") as file:
                        file.write(line + "\n")
            _print(f"${cap} {scenario}", rows)
            pooled += rows
    _print("all", pooled)


if __name__ == "__main__":
    main()
