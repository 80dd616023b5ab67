"""The learning curves of plans that are bought afresh: what a study knows before it measures.

Plans of 49 to 784 tasks (to 3,136 of CIFAR-10N's images), with one answer and with three, are
bought from crowds that no study meets. The learning curve of the answer is fitted to the mean
accuracies of each surface, and means and spreads of the fits over the surfaces are printed. They
are the mean of the answer's prior; its spreads are wider, for surfaces like none of these. The
slopes are -d ln(error) / d ln(tasks) of the measured curves, between neighbouring sizes.

    python -m benchmarks.curves --data digits3,digits,drawn:3,drawn:8 --seed 200
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks.ground import CIFAR10N, fresh
from benchmarks.honesty import data_of
from hpo.answer.estimates import posterior
from hpo.answer.estimates.learning_curve import REFERENCE_TASKS, Evidence, Plans
from labeling.types import LabelPlan

NAMES = ("level", "ln slope", "logit exponent", "ln asymptote", "ln bend")
SIZES = {1: (49, 98, 196, 392, 784), 3: (98, 392, 784)}  # tasks, by answers a task
LARGE_SIZES = {1: (98, 196, 392, 784, 1568, 3136), 3: (98, 392, 1568)}
_ROUNDS, _LEAST_SPREAD = 15, 0.1
_IMAGES = 6000  # that a mean over purchases is about as sure as on
_LUCK = 10.0  # of log odds, times the answers of a purchase

Bought = Mapping[tuple[int, int], Sequence[float]]


def bought(
    name: str, scenario: str, seed: int, draws: int, cache: Path
) -> dict[tuple[int, int], list[float]]:
    """Accuracies of fresh purchases, by answers a task and tasks."""
    data, beyond = data_of(name, seed, cache)
    settings = {"data": data, "scenario": scenario, "seed": seed}
    found = {}
    for overlap, sizes in (LARGE_SIZES if name.startswith("npz:") else SIZES).items():
        for tasks in sizes:
            plan = LabelPlan.parse(f"p0.001-k{overlap}-c0-n{tasks}-exam")
            times = draws if tasks * overlap < 392 else max(2, draws // 2)
            again = fresh(plan, times, beyond, **settings)
            found[overlap, tasks] = [redraw.widest for redraw in again]
    return found


def evidence_of_surface(found: Bought, classes: int) -> Evidence:
    """The means over purchases as evidence for a curve."""
    overlap, tasks = np.array(list(found), dtype=np.float64).T
    count, each = len(found), np.arange(len(found))
    draws = np.array([len(made) for made in found.values()])
    answers = (overlap * tasks).astype(np.int64)
    plans = Plans(
        np.log(tasks / REFERENCE_TASKS), np.log(overlap), np.zeros((count, 4)), np.zeros_like(each)
    )
    error = np.array([1 - np.mean(made) for made in found.values()])
    images, luck = np.full(count, float(_IMAGES)), _LUCK / answers / draws
    return Evidence(plans, error, images, each, luck, each, answers, draws, 1 - 1 / classes)


def population(
    surfaces: Sequence[Evidence],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean and spread of the curves' shapes over surfaces, and each surface's, by EM."""
    mean, spread = posterior._MEAN.copy(), posterior._SD.copy()
    few = len(NAMES)
    for _ in range(_ROUNDS):
        with mock.patch.multiple(posterior, _MEAN=mean, _SD=spread):
            modes = [posterior._mode(each, posterior._Prior(0.03)) for each in surfaces]
        at = np.array([mode.theta[:few] for mode in modes])
        unsure = np.array([np.diag(mode.covariance)[:few] for mode in modes])
        mean, spread = mean.copy(), spread.copy()
        mean[:few] = at.mean(axis=0)
        spread[:few] = np.maximum(
            _LEAST_SPREAD, np.sqrt((unsure + (at - mean[:few]) ** 2).mean(axis=0))
        )
    return mean[:few], spread[:few], at


def slopes(found: Bought) -> list[float]:
    """-d ln(error) / d ln(tasks) of one answer a task, between neighbouring sizes."""
    errors = [(n, 1 - float(np.mean(made))) for (k, n), made in found.items() if k == 1]
    return [float(-np.log(f / e) / np.log(m / n)) for (n, e), (m, f) in pairwise(errors)]


def _cifar() -> list[str]:
    return [f"npz:{CIFAR10N}"] if CIFAR10N.exists() else []


def main(words: Sequence[str] | None = None) -> None:
    """Buy, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits3,digits,drawn:3,drawn:8")
    parser.add_argument("--scenarios", default="default,spam-heavy,hard-items")
    parser.add_argument("--seed", type=int, default=200)
    parser.add_argument("--draws", type=int, default=4, help="fresh purchases a plan")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "honesty")
    given = parser.parse_args(words)
    surfaces, labels = [], []
    for name in [*given.data.split(","), *_cifar()]:
        label = "CIFAR-10N images" if name.startswith("npz:") else name
        classes = int(name.partition(":")[2]) if name.startswith("drawn:") else 10
        for scenario in given.scenarios.split(","):
            found = bought(name, scenario, given.seed, given.draws, given.cache)
            surfaces.append(evidence_of_surface(found, 3 if name == "digits3" else classes))
            labels.append(f"{label:17} {scenario:11}")
            print(labels[-1], "slopes", " ".join(f"{s:5.2f}" for s in slopes(found)), flush=True)
    mean, spread, at = population(surfaces)
    for label, shape in zip(labels, at, strict=True):
        print(label, "shape ", " ".join(f"{value:6.2f}" for value in shape))
    for i, what in enumerate(NAMES):
        prior = f"{posterior._MEAN[i]:.2f} +- {posterior._SD[i]:.2f}"
        print(f"{what:15} {mean[i]:6.2f} +- {spread[i]:.2f}   the answer's prior {prior}")


if __name__ == "__main__":
    main()
