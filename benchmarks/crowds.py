"""Right labels, log-loss and calibration error of every aggregator on published crowds.

    python -m benchmarks.crowds [--folder DIR] [--names web,dog] [--answers 0,3,5] [--draws 4]

Each crowd is a CSV with the columns task, worker, label and gold; DIR is $LABELWORTH_DATA/crowd.
Every task keeps so many answers, at random (0: all). With `--controls 0.1` a tenth of the tasks
with a known label are control tasks: they keep all answers, and only the others are scored.
Baseline: crowd-kit's Dawid-Skene on the same answers, which has no smoothing. Ties count by halves.
"""

from __future__ import annotations

import argparse
import csv
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeling.aggregation.methods import aggregate
from labeling.aggregation.registry import AGGREGATORS
from labeling.types import Answers, Bools, Floats, Ints, LabelSet

BASELINE = "crowd-kit"
_ITERATIONS = 100
_LEAST = 1e-6  # probability at which log-loss is cut
_BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """A published crowd.

    Attributes:
        answers: all answers, none to a control task.
        truth: [tasks] true class; -1 where it is not known.
        classes: number of classes.
    """

    answers: Answers
    truth: Ints
    classes: int


def read(path: Path) -> Crowd:
    """A crowd from its file."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    columns = [np.array([int(row[name]) for row in rows]) for name in ("task", "worker", "label")]
    yes = np.ones(len(rows), dtype=np.bool_)
    truth = np.full(int(columns[0].max()) + 1, -1)
    for row in rows:
        if row["gold"]:
            truth[int(row["task"])] = int(row["gold"])
    classes = int(max(columns[2].max(), truth.max())) + 1
    return Crowd(Answers(*columns, ~yes, yes), truth, classes)


def thinned(crowd: Crowd, most: int, controls: float, rng: np.random.Generator) -> Answers:
    """At most so many answers to each task, all to control tasks; 0 for all."""
    answers = crowd.answers
    is_control = (crowd.truth >= 0) & (rng.random(len(crowd.truth)) < controls)
    order = np.lexsort((rng.random(len(answers)), answers.task))
    starts = np.flatnonzero(np.r_[True, np.diff(answers.task[order]) != 0])
    sizes = np.diff(np.r_[starts, len(order)])
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    control = is_control[answers.task]
    kept = control | (rank < most) if most else np.ones(len(answers), dtype=np.bool_)
    marked = Answers(answers.task, answers.annotator, answers.label, control, answers.usable)
    return marked.where(kept)


def crowd_kits(answers: Answers, tasks: Ints, classes: int, truth: Mapping[int, int]) -> Floats:
    """Posterior [N, C] of crowd-kit's Dawid-Skene."""
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    data = pd.DataFrame({"task": answers.task, "worker": answers.annotator, "label": answers.label})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = DawidSkene(n_iter=_ITERATIONS)
        found = model.fit_predict_proba(data, pd.Series(truth) if truth else None)
    return np.asarray(found.reindex(index=tasks, columns=np.arange(classes), fill_value=0.0))


def scores(posterior: Floats, truth: Ints) -> Floats:
    """Share of right labels, log-loss and calibration error."""
    rows, sure = np.arange(len(truth)), posterior.max(axis=1)
    top = posterior >= sure[:, None] - 1e-9
    right = top[rows, truth] / top.sum(axis=1)
    loss = -np.log(np.maximum(posterior[rows, truth], _LEAST)).mean()
    bins = np.array_split(np.argsort(sure, kind="stable"), _BINS)
    error = sum(len(b) * abs(sure[b].mean() - right[b].mean()) for b in bins) / len(truth)
    return np.array([right.mean(), loss, error])


def measure(crowd: Crowd, most: int, controls: float, seed: int) -> dict[str, Floats]:
    """Scores of every aggregator, and of the baseline, on one draw of the answers."""
    answers = thinned(crowd, most, controls, np.random.default_rng(seed))
    known = {int(t): int(crowd.truth[t]) for t in np.unique(answers.task[answers.control])}
    tasks = np.unique(answers.task[~answers.control])
    scored: Bools = crowd.truth[tasks] >= 0
    found = {}
    for method in AGGREGATORS:
        labels: LabelSet = aggregate(answers, tasks, crowd.classes, method, known)
        found[method] = scores(labels.posterior[scored], crowd.truth[tasks][scored])
    theirs = crowd_kits(answers, tasks, crowd.classes, known)
    return {**found, BASELINE: scores(theirs[scored], crowd.truth[tasks][scored])}


def main(words: Sequence[str] | None = None) -> None:
    """Measure the crowds and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = Path(os.environ.get("LABELWORTH_DATA", "../shared/data"))
    parser.add_argument("--folder", type=Path, default=data / "crowd")
    parser.add_argument("--names", default="product,dog,face,weather,adult2")
    parser.add_argument("--answers", default="0,3,5")
    parser.add_argument("--controls", type=float, default=0.0)
    parser.add_argument("--draws", type=int, default=4)
    given = parser.parse_args(words)
    names = [*AGGREGATORS, BASELINE]
    print("right labels % / log-loss / calibration error")
    print(f"{'':18}" + "".join(f"{name:>20}" for name in names))
    for most in (int(word) for word in given.answers.split(",")):
        for name in given.names.split(","):
            crowd = read(given.folder / f"{name}.csv")
            draws = given.draws if most or given.controls else 1
            drawn = [measure(crowd, most, given.controls, seed) for seed in range(draws)]
            line = f"{name:10} {most or 'all':>4}   "
            for column in names:
                right, loss, error = np.mean([each[column] for each in drawn], axis=0)
                line += f"{100 * right:9.1f} / {loss:.2f} / {error:.2f}".rjust(20)
            print(line, flush=True)


if __name__ == "__main__":
    main()
