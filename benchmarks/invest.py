"""Does a study invest better than its user would alone: its labels and model against direct buying.

Whole studies (`--goal model`) against direct purchases for the dollars that the study really spent,
from crowds that no study meets, in one order with the same deadline: evenly with exam at the lowest
price in time (`exam`), with a control task instead (`rule`), three answers on a third of the images
(`three`), at twice the price (`dear`). All models are scored on the same validation and final
images. Printed per surface and cap, and pooled over surfaces, with standard errors over seeds:

- delivered - exam: accuracy points; and minus the best of the four on average (hindsight);
- labels: points of right labels, the best labels - those of the answers alone; the estimate of
  their accuracy - the truth, and the share of its 95 % intervals that hold it; the calibration
  error of their confidence in ten bins of equal mass;
- headline: the delivered model's interval holds the accuracy on validation and final images;
- unspent: share of the cap; and CPU seconds of a study.

    python -m benchmarks.invest --seeds 20 --caps 2,5,20
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.ground import CIFAR10N, FIRST, _data, _world
from budget.money import Money
from hpo.answer.advice.baselines import practitioners
from hpo.settings.config import make_config
from hpo.study.study import Study
from hpo.trial.evaluate import train_calibrated
from hpo.trial.plan_costs import PlanCosts
from hpo.trial.purchase import purchase
from hpo.trial.versions.merged_labels import merged_labels
from hpo.trial.world import World
from labeling import versions
from labeling.seeds import derive
from labeling.types import LabelPlan
from training.saved import load_model

Floats = NDArray[np.float64]

SURFACES: dict[str, dict[str, Any]] = {
    "default": {},
    "spam-heavy": {"scenario": "spam-heavy"},
    "price-selection": {"scenario": "price-selection"},
    "slow-supply": {"scenario": "slow-supply"},
    "experts-few": {"scenario": "experts-few"},
    "hard-items": {"scenario": "hard-items"},
    "images": {"difficulty": "images"},
    "digits": {"data": "digits"},
    "noise": {"data": "noise"},
    "large": {"data": "large"},
    "photos": {"data": "photos"},
    "cifar10n": {"data": "photos", "market": "replay", "overlap": "1,2,3"},
}
"""Settings by surface. noise: digits with pixel noise; large: 8,000 noisy copies of digits; photos:
CIFAR-10 with a simulated crowd; cifar10n: the same with recorded answers (need LABELWORTH_DATA)."""


def noisy_digits(folder: Path, count: int, noise: float, name: str) -> Path:
    """Digits with pixel noise, some more than once with other noise, as an npz file."""
    from sklearn.datasets import load_digits

    path = folder / f"{name}.npz"
    if not path.exists():
        rng = np.random.default_rng(derive(0, "noisy digits", name))
        raw = load_digits()
        rows = rng.permutation(np.resize(np.arange(len(raw.target)), count))
        images = raw.images[rows] / 16
        images = np.clip(images + rng.normal(0, noise, images.shape), 0, 1)
        np.savez(path, x=(255 * images).astype(np.uint8), y=raw.target[rows])
    return path


def settings_of(name: str, cache: Path) -> dict[str, Any] | None:
    """A surface's settings with the files that they name; None where the data is not there."""
    settings = dict(SURFACES[name])
    data = settings.get("data")
    if data == "photos":
        if not CIFAR10N.exists():
            return None
        settings["data"] = f"npz:{CIFAR10N}"
    if settings.get("market") == "replay":
        settings["market"] = f"replay:{CIFAR10N}"
    if data == "noise":
        settings["data"] = f"npz:{noisy_digits(cache, 1797, 0.25, 'noise')}"
    if data == "large":
        settings["data"] = f"npz:{noisy_digits(cache, 8000, 0.25, 'large')}"
    return settings


def accuracy(model: Any, world: World) -> float:
    """Share of the validation and final images that a model classifies right."""
    rows = np.concatenate([world.data.rows["validation"], world.data.rows["final"]])
    found = model.predict(world.features.values[rows]).argmax(axis=1)
    return float((found == world.data.truth[rows]).mean())


def direct(name: str, dollars: Money, draw: int, settings: dict[str, Any]) -> float:
    """Accuracy of a direct purchase from crowd number `draw` for some dollars, in one order."""
    config = make_config({"budget": "1000", "study": "ground", **settings})
    data = _data(config.data, config.seed)
    with tempfile.TemporaryDirectory() as folder:
        world = _world(config, Path(folder) / "ground", data, draw)
        plan, share = _plan(name, dollars, world)
        condition = world.condition(plan)
        each = world.source.tariff.cost(1, condition.reward)
        suites = max(1, dollars.micros // each.micros)
        answers = suites * condition.real_per_suite
        pool = world.pool[: max(1, round(share * len(world.pool)))]
        able = world.market.most_answers
        per, rest = divmod(min(answers, 8 * len(pool)), len(pool))
        wanted = [(int(task), per + (place < rest)) for place, task in enumerate(pool)]
        if able is not None:
            wanted = [(task, min(count, able(task))) for task, count in wanted]
        wanted = [(task, count) for task, count in wanted if count]
        order = world.store.order_of(condition, tuple(wanted), Fraction(0), config.max_minutes)
        purchase(order, world)
        owned = merged_labels(world, world.pool.tolist())
        if owned is None:
            return 1 / len(world.market.asked.classes)
        trained = train_calibrated(plan, owned[0], owned[1], world)
        got = accuracy(trained.model, world)
        world.close()
    return got


def _plan(name: str, dollars: Money, world: World) -> tuple[LabelPlan, float]:
    """A direct purchase's plan, and the share of the pool that it labels."""
    plans = world.space.plans
    exam = max(plan.exam for plan in plans)
    if name == "rule":
        plans = tuple(plan for plan in plans if plan.exam == min(p.exam for p in world.space.plans))
    usual = practitioners(plans, dollars, PlanCosts(world), world.config.max_minutes)
    if name == "dear" and (more := sorted({p.price for p in plans if p.price > usual.price})):
        usual = replace(usual, price=more[min(1, len(more) - 1)])
    return replace(usual, exam=usual.exam and exam), 1 / 3 if name == "three" else 1.0


DIRECT = ("exam", "rule", "three", "dear")


def judge(name: str, cap: str, seed: int, draws: int, cache: Path) -> dict[str, float]:
    """One study against direct purchases."""
    settings = {"seed": seed, **(settings_of(name, cache) or {})}
    with tempfile.TemporaryDirectory() as runs:
        started = time.process_time()
        study = Study(runs=runs, budget=cap, study="s", goal="model", **settings)
        report = study.run()
        seconds = time.process_time() - started
        made, world = report["delivery"], study.world
        if made is None:
            study.close()
            return {}
        saved = load_model(study.folder / "model.safetensors")
        row = {"delivered": 100 * accuracy(saved.model, world), "cpu": seconds}
        row |= _labels(made, world)
        row["unspent"] = 1 - world.ledger.balance().spent.micros / Money.parse(cap).micros
        spent = world.ledger.balance().spent
        low, high = made["final"]["interval_95"]
        row["headline covers"] = float(100 * low <= row["delivered"] <= 100 * high)
        row["by data"] = float(made["decided_by"] == "data")
        row["minutes"] = made["minutes"]
        study.close()
    for kind in DIRECT:
        got = [direct(kind, spent, FIRST + draw, settings) for draw in range(draws)]
        row[kind] = 100 * float(np.mean(got))
    return row


def _labels(made: dict[str, Any], world: World) -> dict[str, float]:
    version = versions.load(made["labels"]["version"], world.folder / "versions")
    table = version.table(versions.LABELS)
    truth = dict(zip(world.data.images.names, world.data.truth.tolist(), strict=True))
    true = [world.data.classes[truth[image]] for image in table["image"]]
    people = np.array([a == b for a, b in zip(table["label"], true, strict=True)])
    best = np.array([a == b for a, b in zip(table["best_label"], true, strict=True)])
    sure = np.array(table["best_confidence"], dtype=np.float64)
    bins = np.array_split(np.argsort(sure), 10)
    error = sum(len(b) * abs(sure[b].mean() - best[b].mean()) for b in bins) / len(best)
    quality = made["labels"]["quality"]
    low, high = quality["interval_95"]
    return {
        "labels": 100 * float(best.mean()),
        "labels - answers'": 100 * float(best.mean() - people.mean()),
        "estimate - labels": 100 * (quality["accuracy"] - float(best.mean())),
        "estimate covers": float(low <= best.mean() <= high),
        "label ECE": float(error),
        "answers an image": made["labels"]["answers"] / max(1, made["labels"]["images"]),
        "images": made["labels"]["images"] / made["labels"]["images_wanted"],
    }


def _print(name: str, rows: Sequence[dict[str, float]]) -> None:
    best = max(DIRECT, key=lambda kind: np.mean([row[kind] for row in rows]))
    made = [
        {
            **row,
            "minus exam": row["delivered"] - row["exam"],
            "minus best": row["delivered"] - row[best],
        }
        for row in rows
    ]
    words = [f"{name} (best {best}) of {len(rows)}:"]
    for key in made[0]:
        values = np.array([row[key] for row in made])
        error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
        words.append(f"{key} {values.mean():.2f}+-{error:.2f}")
    print("  ".join(words), flush=True)


def main(words: Sequence[str] | None = None) -> None:
    """Run studies, judge them, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--caps", default="2,5,20")
    parser.add_argument("--surfaces", default=",".join(SURFACES))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--draws", type=int, default=2, help="fresh purchases of each direct plan")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "invest")
    parser.add_argument("--out", type=Path, help="a line of JSON for each study")
    given = parser.parse_args(words)
    given.cache.mkdir(parents=True, exist_ok=True)
    for cap in given.caps.split(","):
        pooled: dict[str, list[dict[str, float]]] = {}
        for name in given.surfaces.split(","):
            if settings_of(name, given.cache) is None:
                print(f"{name}: left out, its data is not there")
                continue
            for seed in range(given.first, given.first + given.seeds):
                row = judge(name, cap, seed, given.draws, given.cache)
                if not row:
                    continue
                pooled.setdefault(name, []).append(row)
                if given.out:
                    with given.out.open("a") as file:
                        file.write(
                            json.dumps({"surface": name, "cap": cap, "seed": seed, **row}) + "\n"
                        )
            if name in pooled:
                _print(f"${cap} {name}", pooled[name])
        if pooled:
            _print(f"${cap} all", [row for rows in pooled.values() for row in rows])


if __name__ == "__main__":
    main()
