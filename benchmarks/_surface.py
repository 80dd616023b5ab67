"""Response surfaces as tables: every plan of a space, in many redraws, with real training.

A redraw of a condition is one purchase of its largest plan from a new crowd; all contained plans
are cut out of it and trained. Tables lie on disk, one file a (condition, redraw), and are shared by
all methods and seeds.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from benchmarks.ground import _data, _world
from budget.money import Money
from hpo.market.quote import Quote, quote
from hpo.settings.config import StudyConfig, make_config
from hpo.trial.evaluate import fit_plan
from hpo.trial.purchase import buy
from hpo.trial.world import World
from labeling.types import Condition, LabelPlan

Floats = NDArray[np.float64]


@dataclass
class Surface:
    """One surface: a study's settings and its redraws.

    Attributes:
        name: of the surface.
        config: the study's settings, cap and space included.
        draws: redraws of every condition that studies meet.
        cache: folder of tables.
        judged: further redraws that no study meets: the truth is their mean. With 0 it is the mean
            of those that studies meet, which favours whoever looks at them most.
    """

    name: str
    config: StudyConfig
    draws: int
    cache: Path
    judged: int = 0

    @cached_property
    def world(self) -> World:
        """A world in which nothing is bought: for prices and limits."""
        self._folder = tempfile.TemporaryDirectory()
        data = _data(self.config.data, self.config.seed)
        return _world(self.config, Path(self._folder.name) / "world", data, 0)

    def close(self) -> None:
        """Let go of the world and its folder."""
        if "world" in self.__dict__:
            self.world.close()
            self._folder.cleanup()

    @cached_property
    def plans(self) -> tuple[LabelPlan, ...]:
        """The space."""
        return self.world.space.plans

    @cached_property
    def at(self) -> dict[str, int]:
        """Place of a plan by its key."""
        return {plan.key: i for i, plan in enumerate(self.plans)}

    @cached_property
    def condition_of(self) -> list[str]:
        """Each plan's condition."""
        return [self.world.condition(plan).key for plan in self.plans]

    @cached_property
    def tables(self) -> tuple[Floats, Floats, Floats]:
        """Validation and final accuracy [plans, redraws], and unusable over usable suites."""
        redraws = self.draws + self.judged
        shape = (len(self.plans), redraws)
        validation, final, spoilt = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        groups: dict[str, list[int]] = {}
        for i, key in enumerate(self.condition_of):
            groups.setdefault(key, []).append(i)
        for members in groups.values():
            for draw in range(redraws):
                table = self._table([self.plans[i] for i in members], draw)
                for i in members:
                    row = table[self.plans[i].key]
                    validation[i, draw], final[i, draw], spoilt[i, draw] = row
        return validation, final, spoilt

    def _table(self, plans: Sequence[LabelPlan], draw: int) -> dict[str, list[float]]:
        condition = self.world.condition(plans[0])
        what = json.dumps(
            [condition.key, draw, self.config.seed, self.config.data, self.config.max_minutes]
            + [plan.key for plan in plans]
        )
        path = self.cache / f"{hashlib.blake2b(what.encode(), digest_size=12).hexdigest()}.json"
        if not path.exists():
            self.cache.mkdir(parents=True, exist_ok=True)
            found = _measure(self.config, plans, draw)
            draft = path.with_suffix(".part")
            draft.write_text(json.dumps(found))
            draft.replace(path)
        return json.loads(path.read_text())

    @cached_property
    def truth(self) -> tuple[Floats, Floats]:
        """[plans] mean accuracy on the final images over redraws, and true price tags, dollars."""
        first = self.draws if self.judged else 0
        _, final, spoilt = (table[:, first:] for table in self.tables)
        listed = np.array([self.world.prices.list_price(plan).cost.dollars for plan in self.plans])
        return final.mean(axis=1), listed * (1 + spoilt.mean(axis=1))

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """[plans] within the limits."""
        return np.array([self.world.prices.outside(plan) is None for plan in self.plans])

    @cached_property
    def levels(self) -> Floats:
        """Budget levels: 24, log-spaced, from the cheapest plan to 40 % of the cap."""
        tags = self.truth[1][self.inside]
        return np.geomspace(tags.min() * 1.001, 0.4 * self.config.budget.dollars, 24)


def _measure(config: StudyConfig, plans: Sequence[LabelPlan], draw: int) -> dict[str, list[float]]:
    """Buy the largest plan from crowd `draw`; [validation, final, spoilt share] of every plan."""
    data = _data(config.data, config.seed)
    largest = max(plans, key=lambda plan: (plan.overlap, plan.tasks))
    rich = make_config({"budget": "100000", **_plain(config)})
    with tempfile.TemporaryDirectory() as folder:
        world = _world(rich, Path(folder) / "redraw", data, draw)
        object.__setattr__(world.config, "max_minutes", None)  # the deadline acts by quotes
        buy(largest, world)
        answers = world.store.answers(world.condition(largest))
        world.store.answers = lambda condition, question=0: answers  # type: ignore[method-assign]
        records = world.store.orders(world.condition(largest))
        bad = sum(r.unusable for r in records)
        good = sum(r.assignments - r.unusable for r in records)
        rows = [data.rows["validation"], data.rows["final"]]
        found = {}
        for plan in plans:
            model = fit_plan(plan, world).model
            scores = [
                float((model.predict(world.features.values[r]).argmax(1) == data.truth[r]).mean())
                for r in rows
            ]
            found[plan.key] = [*scores, bad / max(1, good)]
        world.close()
    return found


def _plain(config: StudyConfig) -> dict[str, object]:
    """What a redraw takes over from a surface's settings."""
    plain: dict[str, object] = {"data": config.data, "seed": config.seed, "study": "g"}
    if config.market.startswith("replay:"):  # answers without people: no control task, no exam
        replayed = {"controls": "0", "exam": "off", "overlap": "1,2,3"}
        return {**plain, **replayed, "market": config.market, "price": "0.001"}
    return {**plain, "scenario": config.scenario}


class TablePrices:
    """What a simulated study owns, in the place of `hpo.trial.holdings.prices.Prices`."""

    def __init__(self, surface: Surface, seed: int) -> None:
        self.surface = surface
        self.seed = seed
        self.owned: dict[str, NDArray[np.int64]] = {}  # target overlap by place in the pool
        self.spoilt: dict[str, float] = {}
        self.suites: dict[str, int] = {}

    def refresh(self) -> None:
        """Nothing to read again."""

    def list_price(self, plan: LabelPlan) -> Quote:
        """The whole plan's quote."""
        return self.surface.world.prices.list_price(plan)

    def outside(self, plan: LabelPlan) -> str | None:
        """Why a plan is outside the limits."""
        return self.surface.world.prices.outside(plan)

    def condition(self, plan: LabelPlan) -> Condition:
        """The pool that a plan is bought in."""
        return SimpleNamespace(key=self.surface.condition_of[self.surface.at[plan.key]])  # type: ignore[return-value]

    def records(self, plan: LabelPlan) -> list[SimpleNamespace]:
        """One record a condition that owns something."""
        key = self.condition(plan).key
        if key not in self.owned:
            return []
        good = self.suites[key]
        bad = round(good * self.spoilt[key])
        order = SimpleNamespace(condition=self.surface.world.condition(plan), wanted=(), tranche=0)
        return [
            SimpleNamespace(unusable=bad, assignments=good + bad, overlap=1, end=None, order=order)
        ]

    def to_buy(self, plan: LabelPlan) -> Quote:
        """The quote of what the plan lacks."""
        world, key = self.surface.world, self.condition(plan).key
        if key not in self.owned:
            return world.prices.list_price(plan)
        lacking = np.maximum(plan.overlap - self.owned[key][: plan.tasks], 0)
        return quote(
            world.source,
            world.condition(plan),
            int(lacking.sum()),
            int(lacking.max(initial=0)),
            world.config.allowance,
        )

    def draw(self, plan: LabelPlan) -> int:
        """Which redraw this study meets in the plan's condition."""
        text = f"{self.seed}/{self.condition(plan).key}".encode()
        number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
        return number % self.surface.draws

    def buy(self, plan: LabelPlan) -> Money:
        """Own a plan; returns what it cost: within the order's limit."""
        offer, key = self.to_buy(plan), self.condition(plan).key
        i, draw = self.surface.at[plan.key], self.draw(plan)
        share = float(self.surface.tables[2][i, draw])
        owned = self.owned.setdefault(key, np.zeros(len(self.surface.world.pool), dtype=np.int64))
        np.maximum(owned[: plan.tasks], plan.overlap, out=owned[: plan.tasks])
        self.spoilt[key] = share
        self.suites[key] = self.suites.get(key, 0) + offer.assignments
        return min(Money(round(offer.cost.micros * (1 + share))), offer.hold)
