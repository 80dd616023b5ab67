"""Do networks put plans in the order in which heads put them?

The plans of one crowd (numbers of tasks times overlap 1 to 3) are bought once in the default
scenario and trained twice: as the study's heads, and as networks. Accuracy is that on validation
and final images together. Printed: both accuracies of each plan, and Spearman's rank correlation.

    python -m benchmarks.networks --data digits3
    python -m benchmarks.networks --photos FILE.npz --image-size 64 --tasks 75,150,300,600,1200
    python -m benchmarks.networks --data folder:PHOTOS --labels LABELS.csv --backbone NAME

The photographs of FILE.npz are those of `benchmarks.features`. With `--rows FILE.csv` each plan is
written as soon as it is measured, and a run that was stopped goes on behind the last one.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from benchmarks.features import photographs
from benchmarks.ground import _data, _world
from budget.money import Money
from hpo.answer.sections.models.beside_head import recipe_of, start_of
from hpo.data.dataset import Dataset, load
from hpo.settings.config import make_config
from hpo.trial.evaluate import fit_plan
from hpo.trial.purchase import buy
from hpo.trial.world import World
from labeling.types import LabelPlan
from training.networks.finetuning import train_network

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
OVERLAPS = (1, 2, 3)
COLUMNS = ("tasks", "overlap", "head", "network", "passes", "seconds")
Row = tuple[float, ...]


def main() -> None:
    """Print a row for each plan, then the correlation."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "labels", "backbone", "backbone-file", "image-size"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--tasks", help="numbers of tasks, with commas; else shares of the pool")
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--draw", type=int, default=0)
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    photos, tasks, rows, draw = (given.pop(n, None) for n in ("photos", "tasks", "rows", "draw"))
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        if photos is not None:
            given.update(written(photos, folder / "photos"))
        config = make_config({"budget": "1000", "study": "ground", "exam": "on", **given})
        data = load(config) if config.labels else _data(config.data, config.seed)
        world = _world(config, folder / "ground", data, draw)
        print(f"{recipe_of(world).name} at {config.image_size or 'its own'} pixels")
        print(" ".join(f"{name:>8}" for name in COLUMNS))
        pool = len(world.pool)
        counts = [int(n) for n in tasks.split(",")] if tasks else [round(s * pool) for s in SHARES]
        found = []
        for row in measured(world, data, counts, rows):
            found.append(row[2:4])
            print(" ".join(f"{value:8.3f}" if value % 1 else f"{value:8.0f}" for value in row))
        world.close()
    print(f"Spearman {spearmanr(*np.array(found).T).statistic:.3f} over {len(found)} plans")


def written(photos: Path, folder: Path) -> dict[str, str]:
    """The photographs and their true classes as files; the settings that name them."""
    folder.mkdir()
    index, truth, _ = photographs(photos, folder)
    labels = folder.parent / "labels.csv"
    with labels.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "label"))
        writer.writerows(
            (name, f"class {code}") for name, code in zip(index.names, truth, strict=True)
        )
    return {"data": f"folder:{folder}", "labels": str(labels), "backbone": "auto"}


def measured(world: World, data: Dataset, counts: list[int], rows: Path | None) -> Iterator[Row]:
    """A row of each plan: those of the file, then the others, which are added to it."""
    done: dict[tuple[float, ...], Row] = {}
    if rows is not None and rows.exists():
        with rows.open() as file:
            done = {row[:2]: row for row in (tuple(map(float, r)) for r in csv.reader(file))}
    buy(LabelPlan(Money(1000), max(OVERLAPS), 0, max(counts), True), world)
    for tasks, overlap in product(counts, OVERLAPS):
        row = done.get((tasks, overlap))
        if row is None:
            row = plan_row(LabelPlan(Money(1000), overlap, 0, tasks, True), world, data)
            if rows is not None:
                with rows.open("a", newline="") as file:
                    csv.writer(file).writerow(row)
        yield row


def plan_row(plan: LabelPlan, world: World, data: Dataset) -> Row:
    """The plan, both accuracies, the pass that counts, and the network's processor seconds."""
    test = np.concatenate([data.rows["validation"], data.rows["final"]])
    trained = fit_plan(plan, world)
    began = time.process_time()
    labels = trained.labels.task, trained.target, trained.weights
    start = start_of(trained, world)
    made = train_network(data.images, *labels, test, recipe_of(world), 1, start=start)
    seconds = time.process_time() - began
    head = trained.model.predict(world.features.values[test])
    right = [
        float((p.argmax(axis=1) == data.truth[test]).mean()) for p in (head, made.probabilities)
    ]
    return (plan.tasks, plan.overlap, *right, made.best, round(seconds, 1))


if __name__ == "__main__":
    main()
