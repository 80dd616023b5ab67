"""Are the numbers of the answer true: confirmed, search estimate, forecast and stop rule.

Studies of the money-aware search on the tables of `benchmarks.search`. True is the mean on the
final images over 30 redraws of a plan's condition that no study meets. Printed per surface, in
points:

- confirmed: the recommended plan bought again from another redraw, on the largest number of tasks
  of the space whose reservation the 15 % kept bears, grown to the plan by the surrogate; mean of
  (confirmed - true) and the share of 95 % intervals (same images) that hold the true value;
- search estimate: mean of (shrunk estimate - true). Baseline: the measured validation accuracy;
- forecast at twice the money spent: median of |forecast - best true accuracy at that price tag|,
  and the share of its intervals that hold it. Baseline: the best accuracy known at the end;
- stop rule: with --min-gain, the share of the cap left unspent and the regret it costs.

All studies of a surface share one split of the images, so the difference between validation and
final images is the same in all of them: intervals that cover the choice of images as well, such as
a forecast's, hold the true value more often here than they would over splits.

    python -m benchmarks.honesty --surfaces default,spam-heavy --seeds 40 --cap 5
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks._surface import Floats, Surface
from benchmarks.search import Lab, gaps, make_surface, run_ours
from hpo.answer.advice import Advisor
from hpo.answer.confirmation import confirmed
from hpo.answer.recommend import Estimates, recommend, shrink
from hpo.trial.outcome import Outcome


def estimates_of(lab: Lab) -> Estimates:
    """Shrunk estimates of a study."""
    surrogate = lab.searcher.surrogate(lab.outcomes)
    return shrink(lab.outcomes, surrogate, np.random.default_rng(lab.seed))


def confirm(lab: Lab, best: Outcome) -> tuple[float, float, float] | None:
    """Confirmed accuracy and its interval; None where the money kept bears nothing."""
    surface, plan = lab.surface, best.plan
    parts = [
        other
        for other in surface.plans
        if dataclasses.replace(other, tasks=plan.tasks) == plan
        and other.tasks <= plan.tasks
        and surface.world.prices.list_price(other).hold <= lab.kept
    ]
    if not parts:
        return None
    part = max(parts, key=lambda other: other.tasks)
    fresh = (lab.holdings.draw(plan) + 1 + lab.seed % (surface.draws - 1)) % surface.draws
    final = {
        "accuracy": float(surface.tables[1][surface.at[part.key], fresh]),
        "images": len(surface.world.data.rows["final"]),
    }
    said = confirmed(
        plan,
        {"tasks": part.tasks, "final": final},
        lab.searcher.surrogate(lab.outcomes),
        surface.config.suite_size,
        np.random.default_rng(lab.seed),
    )
    low, high = said["interval_95_same_images"]
    return said["accuracy"], low, high


def measure(surface: Surface, wide: Surface, seeds: int) -> dict[str, list[float]]:
    """All errors of all studies."""
    accuracy, _ = surface.truth
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for seed in range(seeds):
        lab = run_ours(surface, seed, rule=False)
        estimates = estimates_of(lab)
        best = recommend(estimates.plans)
        if best is None:
            continue
        true = float(accuracy[surface.at[best.plan.key]])
        measured = next(o for o in estimates.measured if o.plan.key == best.plan.key)
        note("search estimate", 100 * (best.accuracy - true))
        note("measured", 100 * (measured.accuracy - true))
        again = confirm(lab, best)
        if again is not None:
            note("confirmed", 100 * (again[0] - true))
            note("confirmed covers", float(again[1] <= true <= again[2]))
        _forecast(lab, estimates, wide, note)
    return found


def _forecast(lab: Lab, estimates: Estimates, wide: Surface, note: object) -> None:
    surrogate = lab.searcher.surrogate(lab.outcomes)
    said = Advisor(lab.searcher, surrogate, estimates, lab.spent).forecast(2 * lab.spent.dollars)
    if said is None or not callable(note):
        return
    accuracy, tags = wide.truth
    able = wide.inside & (tags <= said.dollars)
    true = float(accuracy[able].max())
    note("forecast", 100 * abs(said.accuracy - true))
    note("forecast bias", 100 * (said.accuracy - true))
    note("forecast covers", float(said.low <= true <= said.high))
    known = max(o.accuracy for o in estimates.plans)
    note("no forecast", 100 * abs(known - true))


def stop_rule(
    surface: Surface, leasts: Sequence[float], seeds: int
) -> dict[float, tuple[float, float, float]]:
    """By value of --min-gain: share of the cap unspent, regret added in points, and its error."""
    config = surface.world.config
    whole = [_regret(run_ours(surface, seed, rule=False)) for seed in range(seeds)]
    found = {}
    for least in leasts:
        object.__setattr__(config, "min_gain", least)
        try:
            early = [run_ours(surface, seed, rule=False) for seed in range(seeds)]
        finally:
            object.__setattr__(config, "min_gain", 0.0)
        unspent = [1 - lab.spent.micros / config.budget.micros for lab in early]
        added = np.array([_regret(lab) for lab in early]) - whole
        error = float(added.std(ddof=1) / np.sqrt(seeds))
        found[least] = (float(np.mean(unspent)), float(added.mean()), error)
    return found


def _regret(lab: Lab) -> float:
    return float(gaps(lab, "money")["shrunk"].mean())


def _print(name: str, found: dict[str, list[float]]) -> None:
    for key, values in found.items():
        array: Floats = np.array(values)
        error = array.std(ddof=1) / np.sqrt(len(array))
        middle = f"  median {np.median(array):.2f}" if "forecast" in key else ""
        print(f"{name:16} {key:18} mean {array.mean():6.2f} +- {error:.2f}{middle}", flush=True)


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surfaces", default="default,spam-heavy")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--draws", type=int, default=20, help="redraws that studies meet")
    parser.add_argument("--judged", type=int, default=30, help="further redraws, for the truth")
    parser.add_argument("--cap", default="20")
    parser.add_argument("--min-gain", default="0.02,0.05", help="values of the stop rule to try")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "surfaces")
    given = parser.parse_args(words)
    tables = (given.draws, given.cache, given.judged)
    pooled: dict[str, list[float]] = {}
    for name in given.surfaces.split(","):
        with (
            closing(make_surface(name, given.cap, *tables)) as surface,
            closing(make_surface(name, "1000", *tables)) as wide,
        ):
            found = measure(surface, wide, given.seeds)
            _print(name, found)
            for key, values in found.items():
                pooled.setdefault(key, []).extend(values)
            leasts = [float(word) for word in given.min_gain.split(",")]
            for least, row in stop_rule(surface, leasts, given.seeds).items():
                unspent, added, error = row
                print(
                    f"{name:16} --min-gain {least:g}: {unspent:.0%} unspent, "
                    f"regret {added:+.2f} +- {error:.2f}",
                    flush=True,
                )
    _print("all surfaces", pooled)


if __name__ == "__main__":
    main()
