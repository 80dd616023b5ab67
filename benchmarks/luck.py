"""Does the bootstrap of annotators tell how much redrawn purchases differ?

A plan is bought from several crowds, and each purchase's model is scored on the final images. The
variance between purchases is compared with the variance that each of them tells of itself: by the
bootstrap alone (baseline), and with the share of it that intervals and estimates use. A ratio of 1
is true; below 1 intervals are too wide. Training differs a little between purchases, too.

Estimates count the variance c / answers of the error's log odds against guessing. That c is
told by purchases, by the bootstrap alone, and with its share: it has to be the same for few answers
and for many.

    python -m benchmarks.luck --scenarios default,hard-items --data digits3,drawn:8 --draws 10
    python -m benchmarks.luck --plans p0.001-k1-c0-n20-exam,p0.001-k1-c0-n49-exam
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.ground import FIRST, _data, _world
from benchmarks.honesty import data_of
from hpo.answer.estimates.learning_curve import reach
from hpo.settings.config import make_config
from hpo.trial.evaluate import fit_plan, score_on
from hpo.trial.model.annotator_bootstrap import redrawn_share
from hpo.trial.purchase import buy
from labeling.types import LabelPlan

PLANS = (
    "p0.001-k1-c0-n98-exam",
    "p0.001-k1-c1-n392",
    "p0.001-k1-c0-n392-exam",
    "p0.001-k1-c0-n980-exam",
    "p0.001-k3-c0-n980-exam",
)

Variances = tuple[float, float, float]


def purchases(plan: LabelPlan, draws: int, **settings: object) -> tuple[Variances, float]:
    """Variances of the accuracy on the final images.

    Args:
        plan: the plan.
        draws: purchases.
        settings: a study's.

    Returns:
        Between purchases; as the bootstrap tells it, and with the share, on average. And what a
        variance is multiplied by to give c.
    """
    config = make_config({"budget": "1000", "study": "ground", **settings})
    data = _data(config.data, config.seed)
    accuracy, asked, told, shared = [], [], [], []
    for draw in range(draws):
        with tempfile.TemporaryDirectory() as folder:
            world = _world(config, Path(folder) / "ground", data, FIRST + draw)
            buy(plan, world)
            trained = fit_plan(plan, world)
            scores = score_on("final", trained, world)
            answers = int((~trained.answers.control).sum())
            world.close()
        accuracy.append(scores.accuracy)
        asked.append(answers)
        told.append(scores.label_variance)
        shared.append(scores.label_variance * float(redrawn_share(np.array(answers))))
    moves = float(reach(np.array(1 - np.mean(accuracy)), 1 - 1 / len(world.market.asked.classes)))
    found = float(np.var(accuracy, ddof=1)), float(np.mean(told)), float(np.mean(shared))
    return found, float(np.mean(asked)) / moves**2


def main(words: Sequence[str] | None = None) -> None:
    """Buy, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenarios", default="default,hard-items")
    parser.add_argument("--data", default="digits3,drawn:8")
    parser.add_argument("--plans", default=",".join(PLANS), help="keys of plans")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "honesty")
    given = parser.parse_args(words)
    rows = []
    for name in given.data.split(","):
        for scenario in given.scenarios.split(","):
            for key in given.plans.split(","):
                data, _ = data_of(name, given.seed, given.cache)
                plan, settings = LabelPlan.parse(key), {"data": data, "scenario": scenario}
                found, times = purchases(plan, given.draws, seed=given.seed, **settings)
                rows.append(found)
                between, told, shared = (100 * np.sqrt(variance) for variance in found)
                c = "  ".join(f"{times * variance:5.1f}" for variance in found)
                print(
                    f"{name:10} {scenario:12} {key:24} points: sd between purchases {between:.2f}"
                    f"  bootstrap {told:.2f}  with its share {shared:.2f}  c {c}",
                    flush=True,
                )
    ratios = np.array([[row[0] / row[1], row[0] / row[2]] for row in rows])
    mean, error = ratios.mean(axis=0), ratios.std(axis=0, ddof=1) / np.sqrt(len(rows))
    print(f"variance between purchases over the bootstrap's: {mean[0]:.2f} +- {error[0]:.2f}")
    print(f"over its share: {mean[1]:.2f} +- {error[1]:.2f}  of {len(rows)} plans")


if __name__ == "__main__":
    main()
