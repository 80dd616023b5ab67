"""The ground that searches walk on: what a plan gives when it is bought afresh, with real training.

A redraw is one purchase from a new crowd (new annotators; items and images stay) and one trained
model, scored on validation and final images together. Everything is a function of its arguments.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drawn import Images
from hpo.data.dataset import Dataset, load
from hpo.settings.config import StudyConfig, make_config
from hpo.trial.evaluate import fit_plan
from hpo.trial.plan_costs import PlanCosts
from hpo.trial.purchase import buy
from hpo.trial.world import Computed, World, build, features_of
from labeling.seeds import derive
from labeling.types import LabelPlan
from tests import DATA
from training.features import Features

CIFAR10N = DATA / "crowd" / "cifar10n_6k.npz"
"""6,000 photographs with three recorded answers each; may not be there."""

FIRST = 1000  # number of the first crowd that no study meets


@dataclass(frozen=True, slots=True)
class Redraw:
    """One fresh purchase: accuracy on validation and final images, dollars paid, minutes.

    `validation` and `final` are the accuracies on the images of each role alone, `beyond` on images
    that no study meets.
    """

    accuracy: float
    validation: float
    final: float
    beyond: float | None
    price_tag: float
    paid: float
    minutes: float

    @property
    def widest(self) -> float:
        """The accuracy on images that no study meets, where they are given; else `accuracy`."""
        return self.accuracy if self.beyond is None else self.beyond


@lru_cache(maxsize=8)
def _data(name: str, seed: int) -> Dataset:
    return load(make_config({"budget": "1000", "data": name, "seed": seed}))


def redraw(
    plan: LabelPlan, draw: int, beyond: Images | None = None, begin: float = 0, **settings: object
) -> Redraw:
    """Buy a plan from crowd number `draw` and train on it.

    Args:
        plan: what to buy.
        draw: which crowd; items, images and their order do not change with it.
        beyond: images that no study meets.
        begin: the share of the pool after which the plan's images begin.
        settings: a study's settings other than budget and study: scenario, data, max_minutes, ...
    """
    config = make_config({"budget": "1000", "study": "ground", **settings})
    data = _data(config.data, config.seed)
    with tempfile.TemporaryDirectory() as folder:
        world = _beginning(_world(config, Path(folder) / "ground", data, draw), begin)
        buy(plan, world)
        trained = fit_plan(plan, world)
        rows = np.concatenate([data.rows["validation"], data.rows["final"]])
        found = trained.model.predict(world.features.values[rows]).argmax(axis=1)
        right = found == data.truth[rows]
        validation, final = np.split(right, [len(data.rows["validation"])])
        new = None if beyond is None else _share_right(trained.model, beyond)
        ends = [record.end for record in world.store.all_orders()]
        minutes = sum(end.minutes for end in ends if end)
        tag = PlanCosts(world).price(plan).dollars
        paid = world.ledger.balance().spent.dollars
        shares = (float(part.mean()) for part in (right, validation, final))
        outcome = Redraw(*shares, new, tag, paid, minutes)
        world.close()
    return outcome


def _beginning(world: World, begin: float) -> World:
    return world.but(pool=np.roll(world.pool, -round(begin * len(world.pool))))


def _share_right(model: Any, images: Images) -> float:
    return float((model.predict(images.values).argmax(axis=1) == images.truth).mean())


def _world(config: StudyConfig, folder: Path, data: Dataset, draw: int) -> World:
    folder.mkdir()
    world = build(config, folder, data, crowd_seed=derive(config.seed, "redraw", draw))
    return world.but(computed=Computed(lambda: _features(config, data)))


_CACHE: dict[tuple[str, int, str], Features] = {}


def _features(config: StudyConfig, data: Dataset) -> Features:
    key = (config.data, config.seed, config.backbone)
    if key not in _CACHE:
        with tempfile.TemporaryDirectory() as folder:
            _CACHE[key] = features_of(config, data, Path(folder))
    return _CACHE[key]


def fresh(
    plan: LabelPlan,
    draws: int,
    beyond: Images | None = None,
    other_images: bool = False,
    **settings: object,
) -> list[Redraw]:
    """Purchases of a plan that no study meets: their crowds are beyond every study's.

    Args:
        plan: what to buy.
        draws: how many purchases.
        beyond: images that no study meets.
        other_images: whether each purchase labels images from another place of the pool on, for the
            mean over images, too; else all label the same.
        settings: as for `redraw`.
    """
    begins = [draw / draws * other_images for draw in range(draws)]
    return [redraw(plan, FIRST + i, beyond, begin, **settings) for i, begin in enumerate(begins)]


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    array = np.array(values)
    return float(array.mean()), float(array.std(ddof=1) / np.sqrt(len(array)))
