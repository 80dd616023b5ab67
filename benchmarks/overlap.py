"""Dynamic overlap beside fixed overlaps on the simulated crowd: labels right, assignments, time.

Baseline: the fixed overlaps 2, 3 and 5 of the same campaign, same seeds. Labels are the `weighted`
aggregation of usable answers. 980 tasks, one control task in suites of ten, $.001 a task.

    python benchmarks/overlap.py
"""

from __future__ import annotations

import numpy as np
from _market import buy

from labeling.aggregation.methods import aggregate
from labeling.crowd.people.items import make_items
from labeling.crowd.scenario import load_scenario
from labeling.types import DynamicOverlap

SEEDS, TASKS, CONTROLS, CLASSES = 12, 980, 50, 3
RULES = (2, 3, 5, DynamicOverlap(1, 5, 0.9), DynamicOverlap(2, 5, 0.9), DynamicOverlap(2, 5, 0.95))


def measure(name: str, rule: int | DynamicOverlap) -> tuple[float, float, float]:
    """Labels right, assignments and minutes, each a mean over the seeds."""
    scenario, rows = load_scenario(name), []
    dynamic = rule if isinstance(rule, DynamicOverlap) else None
    overlap = rule.most if isinstance(rule, DynamicOverlap) else rule
    for seed in range(SEEDS):
        truth = np.random.default_rng(seed).integers(0, CLASSES, TASKS + CONTROLS)
        items = make_items(scenario, truth, CLASSES, seed)
        bought = buy(scenario, items, CLASSES, TASKS, overlap, seed, dynamic)
        known = bought.truth_of_controls(items)
        labels = aggregate(bought.answers, range(TASKS), CLASSES, "weighted", known)
        right = (labels.posterior.argmax(axis=1) == truth[labels.task]).mean()
        rows.append((right, bought.assignments, bought.minutes))
    means = np.mean(rows, axis=0)
    return float(means[0]), float(means[1]), float(means[2])


def main() -> None:
    for name in ("default", "hard-items", "spam-heavy"):
        print(f"{name}: overlap, labels right, assignments, minutes (mean of {SEEDS} seeds)")
        for rule in RULES:
            right, assignments, minutes = measure(name, rule)
            print(f"  {rule!s:<18} {right:.3f} {assignments:6.0f} {minutes:6.1f}")


if __name__ == "__main__":
    main()
