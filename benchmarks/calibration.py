"""Are the probabilities of the delivered model true: calibration error before and after.

Plans like those that studies recommend are bought from new crowds, one per seed, on the digits and
on CIFAR-10N (recorded answers; needs LABELWORTH_DATA). `images` is the crowd that errs most where
the model is unsure: answers alone then give too high a temperature. Each model is scored on its
validation and final images, which its temperature never saw: debiased calibration error of 15 bins
of equal mass, and log-loss in nats, means over seeds with the largest error of a seed. Baselines in
the same run: no temperature, and the temperature that makes the answers most likely as if they were
the truth. `best` is the temperature that these images themselves would ask for.

`doubt` is the mean and deviation over seeds of ln T by the answers alone minus ln T by the true
labels of the same images: what `training.calibration.DOUBT` stands for.

    python -m benchmarks.calibration --seeds 8
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks.ground import CIFAR10N, _data, _world
from budget.money import Money
from hpo.settings.config import make_config
from hpo.trial.evaluate import fit_plan
from hpo.trial.model.trained import Trained
from hpo.trial.purchase import buy
from hpo.trial.world import World
from labeling.types import LabelPlan
from training import calibration
from training.calibration import GRID, Answered, Known
from training.evaluate import calibration_error
from training.heads import softmax

Floats = NDArray[np.float64]


def plan(overlap: int, controls: int, tasks: int, exam: bool, price: int = 1000) -> LabelPlan:
    """A plan at a price in micro-dollars."""
    return LabelPlan(Money(price), overlap, controls, tasks, exam)


DIGITS = (
    plan(1, 1, 250, True),
    plan(1, 1, 686, True),
    plan(1, 0, 980, False),
    plan(3, 1, 500, True),
    plan(3, 1, 980, False),
)
SURFACES: dict[str, dict[str, object]] = {
    "digits3": {},
    "spam-heavy": {"scenario": "spam-heavy"},
    "hard-items": {"scenario": "hard-items"},
    "experts-few": {"scenario": "experts-few"},
    "images": {"difficulty": "images"},
    "digits": {"data": "digits"},
}
RECORDED = tuple(plan(k, 0, n, False, 2000) for k, n in ((1, 500), (1, 2000), (1, 3271), (3, 2000)))


def recorded(file: Path) -> dict[str, object]:
    """Settings of a study whose answers are replayed."""
    return {"data": f"npz:{file}", "market": f"replay:{file}"}


def best_by(known: Known) -> float:
    """The temperature of the grid under which some labels are most likely."""
    at = np.arange(len(known.truth))
    logs = [np.log(softmax(known.logits / np.exp(t))[at, known.truth]).mean() for t in GRID]
    return float(np.exp(GRID[int(np.argmax(logs))]))


def evidence_of(bought: LabelPlan, world: World) -> tuple[Trained, Answered, float]:
    """A calibrated model, the held-out predictions behind its temperature, and seconds."""
    seen: list[Answered] = []
    fit = calibration.fit_temperature

    def watched(answered: Answered, known: Known) -> float | None:
        seen.append(answered)
        return fit(answered, known)

    with mock.patch.object(calibration, "fit_temperature", watched):
        start = time.process_time()
        trained = fit_plan(bought, world)
        seconds = time.process_time() - start
    return trained, seen[0], seconds


def rows_of(bought: LabelPlan, world: World) -> dict[str, tuple[float, float, float]]:
    """(temperature, calibration error, log-loss) by method, and the doubt."""
    trained, answered, seconds = evidence_of(bought, world)
    model, data = trained.model, world.data
    rows = np.concatenate([data.rows["validation"], data.rows["final"]])
    values, truth = world.features.values[rows], data.truth[rows]
    known = Known(model.logits(values), truth)
    ways = {
        "before": 1.0,
        "answers as truth": best_by(Known(answered.logits[answered.row], answered.label)),
        "after": model.temperature or 1.0,
        "best": best_by(known),
    }
    found = {}
    for name, t in ways.items():
        p = replace(model, temperature=t).predict(values)
        loss = float(-np.log(p[np.arange(len(truth)), truth]).mean())
        found[name] = (t, calibration_error(p, truth), loss)
    same = (replace(model, temperature=None).predict(values).argmax(1) == p.argmax(1)).all()
    assert same, "a temperature changed a class"
    nothing = Known(np.zeros((0, p.shape[1])), np.zeros(0, dtype=np.int64))
    alone = calibration.fit_temperature(answered, nothing) or 1.0
    true = best_by(Known(answered.logits, data.truth[trained.labels.task]))
    found["doubt"] = (float(np.log(alone / true)), float((p.argmax(1) == truth).mean()), seconds)
    return found


def measure(name: str, settings: dict[str, object], plans: Sequence[LabelPlan], seeds: int) -> None:
    """Measure and print one data set."""
    table: dict[str, list[dict[str, tuple[float, float, float]]]] = {p.key: [] for p in plans}
    for seed in range(seeds):
        config = make_config({"budget": "1000", "study": "calibration", "seed": seed, **settings})
        data = _data(config.data, config.seed)
        for bought in plans:
            with tempfile.TemporaryDirectory() as folder:
                world = _world(config, Path(folder) / "world", data, seed)
                buy(bought, world)
                table[bought.key].append(rows_of(bought, world))
                world.close()
    for key, rows in table.items():
        each = np.array([[row[way] for way in row] for row in rows])
        doubt, accuracy, seconds = each[:, -1].T
        print(
            f"{name} {key}: accuracy {accuracy.mean():.3f}, doubt {doubt.mean():+.2f} +- "
            f"{doubt.std(ddof=1):.2f}, {seconds.mean():.2f} s a fit"
        )
        for at, way in enumerate(list(rows[0])[:-1]):
            t, error, loss = each[:, at].T
            print(
                f"  {way:17} T {t.mean():.2f}  ECE {error.mean():.3f} (largest {error.max():.3f})"
                f"  log-loss {loss.mean():.3f}",
                flush=True,
            )


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--recorded-seeds", type=int, default=4)
    given = parser.parse_args(words)
    for name, settings in SURFACES.items():
        plans = DIGITS if name == "digits3" else DIGITS[1:3]
        measure(name, {"data": "digits3", **settings}, plans, given.seeds)
    if CIFAR10N.exists():
        measure("cifar10n", recorded(CIFAR10N), RECORDED, given.recorded_seeds)


if __name__ == "__main__":
    main()
