"""A machine and people under one cap, on recorded answers of real people and real machines.

CIFAR-10N: one recorded answer is right .82. Machines: `zeroshot` (EfficientNet-Lite0 with ImageNet
weights, its classes mapped by families) and `vendor` (a head trained on other images). The
recording does not say who answered; here every 2,000 answers of a column are one annotator's, so
that control tasks can be replayed and pages are full: a page shows images that its annotator
answered, and of 200 answers few are to the images of a small order. The campaign bans nobody: one
wrong control answer, the default, would ban most people who are right .82, with all their answers.
Images have roles 68/7/7/18. Prices are without a fee. Features
are the product's, in their first 128 principal components, so that a study takes seconds. For each
machine, money and price of an answer, on the same final images of the same seeds:

- people: one answer each, as many as the money bears; `machine`: its labels for the pool alone;
- threshold: people where the machine's own confidence is lowest, its label elsewhere;
- disagreement: people where a model of the machine's labels disagrees with it, its label elsewhere;
- study: what `labelworth --machine file:...` delivers, and its dollars.

`saving`: dollars that people alone need for the study's accuracy, by the curve of `people` over
money in the same seeds, over the study's dollars. `labels`: the same for the accuracy of labels,
where people alone give one answer and leave the rest of the pool to a model's guess.

Traps, against people only at the same money: a machine that is sure of two wrong classes, one that
is 60 % right, one whose confidence is shuffled, one that shares the features' network, and a weak
machine beside good features.

    python -m benchmarks.machines --seeds 20 --out benchmarks/results/machines.txt
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from hpo import Study
from hpo.trial.world import World
from labeling.machine.calibration import class_shares, prior_corrected
from tests import DATA
from training.fit import train

Array = np.ndarray
MACHINE_PRICE = 0.0003
CLASSES = 10
NETWORK = "tf_efficientnet_lite0"
_NO_BANS = "[rules]\nwrong_controls = 1000\nfast_responses = 0\n"
_SIDE, _COMPONENTS = 64, 128
_EACH = 2000  # answers of an annotator
_COMMON = {
    "goal": "model",
    "roles": "68/7/7/18",
    "fee_share": "0",
    "fee_minimum": "0",
    "smallest_reward": "0",
    "controls": "1",
    "exam": "off",
    "overlap": "1",
    "tasks": "2%,10%,100%",
    "max_minutes": "none",
}


@dataclass(frozen=True)
class Ground:
    """The recorded answers: images, true classes, people and machines, on disk and in memory."""

    folder: Path
    cache: Path
    pixels: Array
    truth: Array
    people: Array
    machines: Mapping[str, Array]

    def data(self, backbone: str) -> str:
        """As `--data` names features of a backbone; made on first use."""
        file = self.folder / f"{backbone}.npz"
        if not file.exists():
            names = np.array([str(row) for row in range(len(self.truth))])
            values = components(self.pixels, self.truth, backbone, self.cache)
            np.savez(file, features=values, labels=self.truth.astype(str), names=names)
        return f"npz:{file}"

    @property
    def campaign(self) -> str:
        """The default campaign without bans, as `--campaign` names it."""
        return str(self.folder / "campaign.toml")

    @property
    def recording(self) -> str:
        """As `--market` names it."""
        return f"replay:{self.folder / 'people.csv'}"

    def machine(self, name: str, seed: int) -> tuple[str, Array]:
        """A machine's file, and its probabilities; traps are made anew for each seed."""
        said = trap(name, self.machines, self.truth, np.random.default_rng(seed))
        path = self.folder / f"{name}-{seed}.npz"
        np.savez(path, probabilities=said)
        return f"file:{path}", said


def components(pixels: Array, truth: Array, backbone: str, cache: Path) -> Array:
    """[n, 128] principal components of the product's features."""
    from training.features import extract
    from training.images import index_array

    index = index_array(pixels, [str(row) for row in range(len(pixels))])
    size = None if backbone == "patch" else _SIDE
    values = np.asarray(extract(index, backbone, None, cache, size).values, dtype=np.float64)
    values = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-6)
    _, _, axes = np.linalg.svd(values.T @ values, hermitian=True)
    return np.asarray(values @ axes[:_COMPONENTS].T, dtype=np.float32)


def ground(folder: Path, cache: Path) -> Ground:
    """Read the recorded answers, and write them as a study takes them."""
    with np.load(DATA / "crowd" / "cifar10n_6k.npz") as arrays:
        pixels, truth, people = arrays["x"], arrays["clean"].astype(int), arrays["label"]
    with np.load(DATA / "crowd" / "cifar10n_6k_machines.npz") as arrays:
        machines = {name: arrays[name].astype(np.float64) for name in arrays.files}
    lines = ["task,annotator,label"]
    for column in range(people.shape[1]):
        order = np.random.default_rng(column).permutation(len(people))
        for place, image in enumerate(order):
            lines.append(f"{image},{column}-{place // _EACH},{people[image, column]}")
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    template = files("labeling.campaign").joinpath("classification.toml").read_text()
    (folder / "campaign.toml").write_text(f"{template}\n{_NO_BANS}")
    return Ground(folder, cache, pixels, truth, people.astype(int), machines)


def trap(name: str, machines: Mapping[str, Array], truth: Array, rng: np.random.Generator) -> Array:
    """A machine by name: a recorded one, or a trap made of the vendor's."""
    if name in machines:
        said = machines[name] + 1e-6
        return np.asarray(said / said.sum(axis=1, keepdims=True))
    said = machines["vendor"] + 1e-6
    said = said / said.sum(axis=1, keepdims=True)
    if name == "wrong2":  # cats are dogs and trucks are cars, .98 sure
        for true, named in ((3, 5), (9, 1)):
            said[truth == true] = 0.02 / (CLASSES - 1)
            said[truth == true, named] = 0.98
    elif name == "acc60":
        for row in np.flatnonzero(rng.random(len(said)) < 0.21):
            top, other = int(said[row].argmax()), int(rng.integers(CLASSES))
            said[row, [top, other]] = said[row, [other, top]]
    elif name == "weak":  # right as often as the zero-shot machine before its correction
        for row in np.flatnonzero(rng.random(len(said)) < 0.45):
            said[row] = np.roll(said[row], int(rng.integers(1, CLASSES)))
    elif name == "noconf":
        top, sure = said.argmax(axis=1), rng.permutation(said.max(axis=1))
        said = np.repeat(((1 - sure) / (CLASSES - 1))[:, None], CLASSES, axis=1)
        said[np.arange(len(said)), top] = sure
    return np.asarray(said)


# --- one seed: the study, and the rules beside it ---


@dataclass(frozen=True)
class Cell:
    """A comparison: machine, features, price of a person's answer, money."""

    machine: str
    backbone: str
    price: float
    money: float


def studied(
    cell: Cell, seed: int, field: Ground, folder: Path, name: str = "", **changes: str | None
) -> tuple[Study, dict[str, Any]]:
    """A study of a cell, run to its end; with settings that differ, and a name to tell it by."""
    file, _ = field.machine(cell.machine, seed)
    settings: dict[str, Any] = {
        "machine": file,
        "machine_cost": str(MACHINE_PRICE),
        **_COMMON,
        **changes,
    }
    study = Study(
        runs=folder,
        study=f"{cell.machine}-{cell.backbone}-{cell.price}-{cell.money}-{seed}{name}",
        data=field.data(cell.backbone),
        market=field.recording,
        campaign=field.campaign,
        budget=str(cell.money),
        price=str(cell.price),
        seed=seed,
        **{key: value for key, value in settings.items() if value is not None},
    )
    return study, study.run()


class Rules:
    """What simple rules give on the same images, each a model of one label an image.

    Args:
        world: a study's, for its images and roles.
        field: the recorded answers.
        said: the machine's probabilities.
        seed: orders the images.
    """

    def __init__(self, world: World, field: Ground, said: Array, seed: int) -> None:
        self._values = np.asarray(world.features.values, dtype=np.float64)
        rng = np.random.default_rng(seed)
        self._pool = rng.permutation(world.pool)
        self._final = world.data.rows["final"]
        control = world.data.rows["control"]
        shares = class_shares(field.truth[control], CLASSES)
        self._said = prior_corrected(said, shares, said[self._pool])
        self._raw = said
        self._truth = field.truth
        self._people = field.people[:, 0]
        self._rng = rng

    def _score(self, rows: Array, labels: Array) -> tuple[float, float]:
        """Accuracy of a model on the final images, and of the labels; others are its guesses."""
        hot = np.eye(CLASSES)[labels]
        model = train(
            self._values[rows],
            {"hard": hot},
            hot,
            np.ones(len(rows)),
            self._rng,
            scale=self._values[self._pool],
        )
        final = model.predict(self._values[self._final]).argmax(axis=1)
        rest = np.setdiff1d(self._pool, rows)
        right = int((labels == self._truth[rows]).sum())
        if len(rest):
            guessed = model.predict(self._values[rest]).argmax(axis=1)
            right += int((guessed == self._truth[rest]).sum())
        return float((final == self._truth[self._final]).mean()), right / len(self._pool)

    def people(self, answers: int) -> tuple[float, float]:
        """One person on as many images as there are answers."""
        rows = self._pool[: min(answers, len(self._pool))]
        return self._score(rows, self._people[rows])

    def machine(self) -> tuple[float, float]:
        """The machine's labels."""
        return self._score(self._pool, self._said[self._pool].argmax(axis=1))

    def threshold(self, answers: int) -> tuple[float, float]:
        """People where the machine says to be least sure."""
        return self._mended(np.argsort(self._raw[self._pool].max(axis=1)), answers)

    def disagreement(self, answers: int) -> tuple[float, float]:
        """People where a model that learned the machine's other labels disagrees with it."""
        label = self._said[self._pool].argmax(axis=1)
        hot, values = np.eye(CLASSES)[label], self._values[self._pool]
        fold = np.arange(len(label)) % 2
        differs = np.zeros(len(label))
        for held in (0, 1):
            mine, other = fold == held, fold != held
            ones = np.ones(int(other.sum()))
            model = train(values[other], {"hard": hot[other]}, hot[other], ones, self._rng)
            p = model.predict(values[mine])
            differs[mine] = p[np.arange(len(p)), label[mine]]
        return self._mended(np.argsort(differs), answers)

    def _mended(self, order: Array, answers: int) -> tuple[float, float]:
        labels = self._said[self._pool].argmax(axis=1)
        asked = order[: max(0, answers)]
        labels[asked] = self._people[self._pool[asked]]
        return self._score(self._pool, labels)

    @property
    def pool(self) -> int:
        """Images of the pool."""
        return len(self._pool)


def one(
    cell: Cell, seed: int, field: Ground, folder: Path
) -> dict[str, tuple[float, float, float]]:
    """Accuracy of model and labels, and dollars, of the study and of the rules beside it."""
    study, report = studied(cell, seed, field, folder)
    try:
        _, said = field.machine(cell.machine, seed)
        rules = Rules(study.world, field, said, seed)
        machine = rules.pool * MACHINE_PRICE
        all_, rest = int(cell.money / cell.price), int((cell.money - machine) / cell.price)
        told = {
            "people": (*rules.people(all_), min(cell.money, rules.pool * cell.price)),
            "machine": (*rules.machine(), machine),
            "threshold": (*rules.threshold(rest), cell.money),
            "disagreement": (*rules.disagreement(rest), cell.money),
        }
        final = report["delivery"]["final"]["accuracy"]
        right = label_accuracy(study, field)
        spent = report["money"]["spent"]["micros"] / 1e6
        told["study"] = (final, right, spent)
        told[f"used:{report['machine']['used']}"] = (1.0, 0.0, 0.0)
        return told
    finally:
        study.close()


def label_accuracy(study: Study, field: Ground) -> float:
    """Share of the pool's images whose delivered label is right; images without one are wrong."""
    import csv

    index = {name: row for row, name in enumerate(study.world.data.images.names)}
    with (study.folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    right = sum(
        field.truth[index[row["image"]]] == int(row.get("best_label") or row["label"])
        for row in rows
    )
    return float(right / len(study.world.pool))


# --- tables ---


def dollars_for(accuracy: float, curve: list[tuple[float, float]]) -> float | None:
    """Dollars at which a curve of (dollars, accuracy) reaches an accuracy; None where it never."""
    best = np.maximum.accumulate([a for _, a in curve])
    money = [m for m, _ in curve]
    if accuracy > best[-1]:
        return None
    return float(np.exp(np.interp(accuracy, best, np.log(money))))


def people_curves(
    seeds: range, price: float, backbone: str, field: Ground, folder: Path
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """(dollars, accuracy) of people alone, of model and labels, means over seeds."""
    sums: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for seed in seeds[:5]:
        cell = Cell("zeroshot", backbone, price, 100.0)
        world = _world(cell, seed, field, folder)
        rules = Rules(world, field, field.machines["zeroshot"], seed)
        for answers in (30, 60, 100, 200, 400, 700, 1000, 1500, 2200, 3000, rules.pool):
            sums[answers].append(rules.people(answers))
        world.close()
    means = {n: np.mean(scores, axis=0) for n, scores in sums.items()}
    model = [(n * price, float(m[0])) for n, m in means.items()]
    labels = [(n * price, float(m[1])) for n, m in means.items()]
    return model, labels


def _world(cell: Cell, seed: int, field: Ground, folder: Path) -> World:
    study = Study(
        runs=folder,
        study=f"curve-{cell.backbone}-{cell.price}-{seed}",
        data=field.data(cell.backbone),
        market=field.recording,
        campaign=field.campaign,
        budget="100",
        price=str(cell.price),
        seed=seed,
        **_COMMON,
    )
    study.trials.close()
    return study.world


def compared(cells: list[Cell], seeds: range, field: Ground, folder: Path) -> Iterator[str]:
    """The table of cells, a line each as it is done."""
    yield (
        f"{'machine':9} {'features':6} {'p_h':>6} {'money':>6} {'people':>7} {'machine':>7} "
        f"{'thresh':>7} {'disagr':>7} {'study':>7} {'- best':>7} {'spent':>6} {'saving':>7} "
        f"{'labels':>7}  used"
    )
    curves: dict[tuple[float, str], Any] = {}
    short = []
    for cell in cells:
        key = (cell.price, cell.backbone)
        if key not in curves:
            curves[key] = people_curves(seeds, cell.price, cell.backbone, field, folder)
        rows = [one(cell, seed, field, folder) for seed in seeds]
        rules = ("people", "machine", "threshold", "disagreement", "study")
        mean = {name: np.mean([row[name] for row in rows], axis=0) for name in rules}
        best = max(mean[name][0] for name in rules[:-1])
        short.append(100 * (mean["study"][0] - best))
        used = [name[5:] for row in rows for name in row if name.startswith("used:")]
        counts = ", ".join(f"{u} {used.count(u)}" for u in sorted(set(used)))
        savings = [
            _times(dollars_for(float(mean["study"][at]), curve), float(mean["study"][2]))
            for at, curve in enumerate(curves[key])
        ]
        accuracies = " ".join(f"{mean[name][0]:7.3f}" for name in rules)
        yield (
            f"{cell.machine:9} {cell.backbone[:6]:6} {cell.price:6g} {cell.money:6g} {accuracies} "
            f"{short[-1]:+7.1f} {mean['study'][2]:6.2f} {savings[0]:>7} {savings[1]:>7}  {counts}"
        )
    told = f"mean {np.mean(short):+.2f} points over {len(short)} cells"
    yield f"study - best rule at equal money: {told}"


def _times(alone: float | None, spent: float) -> str:
    return "never" if alone is None else f"{alone / spent:.1f}x"


TRAPS = {
    "sure of two wrong classes": ("wrong2", "patch"),
    "60 % right": ("acc60", "patch"),
    "useless confidence": ("noconf", "patch"),
    "shares the features' network": ("zeroshot", NETWORK),
    "weak machine, good features": ("weak", NETWORK),
}


def trapped(draws: range, field: Ground, folder: Path) -> Iterator[str]:
    """The traps, a line each: points against people only at $10."""
    yield f"{'trap':30} {'mean':>6} {'worst':>6} {'best':>6}  draws, used"
    for name, (machine, features) in TRAPS.items():
        cell = Cell(machine, features, 0.01, 10.0)
        rows = [one(cell, seed, field, folder) for seed in draws]
        points = [100 * (row["study"][0] - row["people"][0]) for row in rows]
        used = [key[5:] for row in rows for key in row if key.startswith("used:")]
        counts = ", ".join(f"{u} {used.count(u)}" for u in sorted(set(used)))
        yield (
            f"{name:30} {np.mean(points):+6.1f} {min(points):+6.1f} {max(points):+6.1f}  "
            f"{len(draws)}, {counts}"
        )


def main() -> None:
    """Print the tables, and write them to a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--draws", type=int, default=40, help="of each trap")
    parser.add_argument("--cache", type=Path, default=Path("runs/.features"))
    parser.add_argument("--only", choices=("cells", "traps"))
    parser.add_argument("--prices", default="0.01,0.001")
    parser.add_argument("--cells", help="such as zeroshot:30,vendor:3; all by default")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    begun = time.monotonic()
    seeds = range(asked.first, asked.first + asked.seeds)
    draws = range(asked.first, asked.first + asked.draws)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        field = ground(folder, asked.cache)
        cells = [
            Cell(machine, "patch", price, money)
            for price in map(float, asked.prices.split(","))
            for machine in ("zeroshot", "vendor")
            for money in ((3.0, 10.0, 30.0) if price == 0.01 else (2.0, 3.0))
            if asked.cells is None or f"{machine}:{money:g}" in asked.cells.split(",")
        ]
        tables: list[Callable[[], Iterator[str]]] = []
        if asked.only != "traps":
            tables.append(partial(compared, cells, seeds, field, folder / "runs"))
        if asked.only != "cells":
            tables.append(partial(trapped, draws, field, folder / "runs"))
        said = [f"seeds {asked.seeds}, draws of each trap {asked.draws}, from {asked.first} on"]
        print(said[0])
        for table in tables:
            for line in table():
                print(line, flush=True)
                said.append(line)
        print(f"{time.monotonic() - begun:.0f} s")
        if asked.out:
            asked.out.write_text("\n".join(said) + "\n")


if __name__ == "__main__":
    main()
