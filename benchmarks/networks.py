"""Do networks put plans in the order in which heads put them?

The plans of one crowd (five numbers of tasks, overlap 1 to 3) are bought once in the default
scenario and trained twice: as the study's heads, and as networks. Accuracy is that on validation
and final images together. Printed: both accuracies of each plan, and Spearman's rank correlation.

    python -m benchmarks.networks --data digits3
    python -m benchmarks.networks --data folder:PHOTOS --labels LABELS.csv --backbone NAME
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from benchmarks.ground import _data, _world
from budget.money import Money
from hpo.answer.sections.models.beside_head import recipe_of
from hpo.settings.config import make_config
from hpo.trial.evaluate import fit_plan
from hpo.trial.purchase import buy
from labeling.types import LabelPlan
from training.networks.finetuning import train_network

SHARES, OVERLAPS = (0.1, 0.2, 0.4, 0.7, 1.0), (1, 2, 3)


def main() -> None:
    """Print a row for each plan, then the correlation."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "labels", "backbone", "backbone-file", "image-size"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--draw", type=int, default=0)
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    draw = given.pop("draw")
    config = make_config({"budget": "1000", "study": "ground", "exam": "on", **given})
    data = _data(config.data, config.seed) if config.labels is None else None
    found = []
    with tempfile.TemporaryDirectory() as folder:
        if data is None:
            from hpo.data.dataset import load

            data = load(config)
        world = _world(config, Path(folder) / "ground", data, draw)
        pool = len(world.pool)
        largest = LabelPlan(Money(1000), max(OVERLAPS), 0, pool, True)
        buy(largest, world)
        rows = np.concatenate([data.rows["validation"], data.rows["final"]])
        truth, values = data.truth[rows], world.features.values
        recipe = recipe_of(world)
        print(f"{recipe.name}, {len(rows)} test images")
        print(f"{'tasks':>6} {'overlap':>7} {'head':>6} {'network':>7} {'passes':>6} {'s':>6}")
        for share, overlap in product(SHARES, OVERLAPS):
            plan = LabelPlan(Money(1000), overlap, 0, round(share * pool), True)
            trained = fit_plan(plan, world)
            began = time.perf_counter()
            made = train_network(
                data.images, trained.labels.task, trained.target, trained.weights, rows, recipe, 1
            )
            seconds = time.perf_counter() - began
            head = trained.model.predict(values[rows])
            both = [(p.argmax(axis=1) == truth).mean() for p in (head, made.probabilities)]
            found.append(both)
            print(
                f"{plan.tasks:>6} {overlap:>7} {both[0]:6.3f} {both[1]:7.3f} "
                f"{made.best:>6} {seconds:6.1f}",
                flush=True,
            )
        world.close()
    print(f"Spearman {spearmanr(*np.array(found).T).statistic:.3f} over {len(found)} plans")


if __name__ == "__main__":
    main()
