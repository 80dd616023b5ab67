"""Difficulty drawn at random beside difficulty that follows the images, on handwritten digits.

Baseline: item errors drawn independently of the images. Same marginal distribution of errors, same
people, same order; single labels, aggregated labels and the head trained on them are scored on true
classes. Digits in three groups of strokes, raw pixels as features.

    python benchmarks/difficulty.py
"""

from __future__ import annotations

import numpy as np
from _market import buy
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from labeling.aggregation.methods import aggregate
from labeling.crowd.people.difficulty import difficulty_from_features, distractor_from_features
from labeling.crowd.people.items import Items, make_items
from labeling.crowd.scenario import load_scenario
from training.fit import train

SEEDS, TASKS, CONTROLS, CLASSES = 16, 980, 50, 3
GROUPS = np.array([0, 1, 2, 2, 1, 2, 0, 1, 0, 0])  # loop, straight, open
CASES = ("independent", "by images", "by images, own distractors")
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def make_case(case: str, x: Floats, y: Ints, seed: int) -> Items:
    """Items of one way to deal out difficulty."""
    scenario = load_scenario("default")
    difficulty = distractor = None
    if case != "independent":
        difficulty = difficulty_from_features(x, y, CLASSES, scenario, seed)
    if case == CASES[2]:
        distractor = distractor_from_features(x, y)
    return make_items(scenario, y, CLASSES, seed, difficulty, distractor)


def measure(case: str, overlap: int, seed: int, x: Floats, y: Ints) -> tuple[float, float, float]:
    """Single labels, aggregated labels, and head on images nobody labelled: shares right."""
    mixed, shown = np.random.default_rng(seed).permutation(len(y)), TASKS + CONTROLS
    x, y = x[mixed], y[mixed]
    items = make_case(case, x[:shown], y[:shown], seed)
    bought = buy(load_scenario("default"), items, CLASSES, TASKS, overlap, seed)
    known = bought.truth_of_controls(items)
    labels = aggregate(bought.answers, range(TASKS), CLASSES, "weighted", known)
    model = train(
        x[labels.task],
        {"soft": labels.shares, "posterior": labels.posterior},
        judge=labels.shares,
        confidence=labels.answers.astype(np.float64),
        rng=np.random.default_rng(seed),
    )
    real = bought.answers.where(~bought.answers.control & bought.answers.usable)
    return (
        float((real.label == y[real.task]).mean()),
        float((labels.posterior.argmax(axis=1) == y[labels.task]).mean()),
        float((model.predict(x[shown:]).argmax(axis=1) == y[shown:]).mean()),
    )


def main() -> None:
    images = load_digits()
    x, y = images.data / 16.0, GROUPS[images.target]
    print(f"overlap, single labels, aggregated labels, head: mean of {SEEDS} seeds (se)")
    for overlap in (1, 3):
        for case in CASES:
            rows = np.array([measure(case, overlap, seed, x, y) for seed in range(SEEDS)])
            means, errors = rows.mean(axis=0), rows.std(axis=0, ddof=1) / np.sqrt(SEEDS)
            figures = "  ".join(f"{m:.3f} ({e:.3f})" for m, e in zip(means, errors, strict=True))
            print(f"  {overlap}  {case:<27} {figures}")


if __name__ == "__main__":
    main()
