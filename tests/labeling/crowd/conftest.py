"""A small study on the simulated crowd, and what to make of its pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pytest

from budget.money import Money
from budget.tariff import expected_assignments
from budget.tariffs.suite import SuiteTariff
from labeling.campaign.campaign import Campaign, Question
from labeling.crowd.people.items import Items, make_items
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.crowd.source import CrowdSource
from labeling.types import Assignment, Condition, DynamicOverlap, Order, OrderEnd, Page

CAMPAIGN = Campaign("shapes", (Question("shape", "Which?", ("loop", "straight", "open")),), "")


@dataclass
class Bought:
    """An order's pages, joined."""

    order: Order
    pages: list[Page]
    items: Items

    @property
    def end(self) -> OrderEnd:
        assert self.pages[-1].end is not None
        return self.pages[-1].end

    @property
    def assignments(self) -> list[Assignment]:
        return [a for page in self.pages for a in page.assignments]

    @property
    def banned(self) -> set[str]:
        return {r.annotator for page in self.pages for r in page.restrictions}

    def answers(self) -> list[tuple[str, int, int, bool]]:
        """(annotator, task, label, control) of every answer."""
        return [
            (a.annotator, task, label, control)
            for a in self.assignments
            for task, label, control in zip(a.tasks, a.labels, a.control, strict=True)
        ]

    def accuracy(self) -> float:
        """Share of right answers among all usable answers to real tasks."""
        banned = self.banned
        right = [
            label == self.items.truth[task]
            for who, task, label, control in self.answers()
            if not control and who not in banned
        ]
        return float(np.mean(right))


@dataclass
class Market:
    """A crowd and the orders it has seen; `source()` is always a fresh process."""

    scenario: Scenario
    seed: int = 0
    tasks: int = 98
    controls: int = 50
    campaign: Campaign = CAMPAIGN
    difficulty: Sequence[float] | None = None
    ended: list[Order] = field(default_factory=list)

    def __post_init__(self) -> None:
        classes = len(self.campaign.questions[0].classes)
        rows = self.tasks + self.controls
        truth = np.random.default_rng(self.seed).integers(0, classes, rows)
        self.items = make_items(self.scenario, truth, classes, self.seed, self.difficulty)

    def source(self) -> CrowdSource:
        return CrowdSource(
            self.scenario,
            self.campaign,
            self.items,
            range(self.tasks, self.tasks + self.controls),
            SuiteTariff(),
            self.seed,
            lambda condition: [o for o in self.ended if o.condition == condition],
        )

    def condition(
        self,
        price: str = "0.001",
        controls: int = 1,
        exam: bool = False,
        dynamic: DynamicOverlap | None = None,
    ) -> Condition:
        campaign = self.campaign
        return Condition(
            data="digits",
            market=f"simulated:{self.scenario.name}",
            campaign=campaign.key,
            price=Money.parse(price),
            controls=controls,
            suite_size=campaign.suite_size,
            exam=exam,
            dynamic=dynamic,
        )

    def order(
        self,
        overlap: int = 1,
        tranche: int = 0,
        limit: int | None = None,
        minutes: float | None = None,
        rows: Sequence[int] | None = None,
        condition: Condition | None = None,
    ) -> Order:
        where = condition or self.condition()
        wanted = tuple((row, overlap) for row in (range(self.tasks) if rows is None else rows))
        if limit is None:
            limit = 20 * expected_assignments(len(wanted), overlap, where.real_per_suite)
        return Order(where, tranche, wanted, limit, minutes)

    def buy(self, order: Order, source: CrowdSource | None = None) -> Bought:
        source = source or self.source()
        return Bought(order, list(source.collect(source.place(order))), self.items)


@pytest.fixture
def market() -> Callable[..., Market]:
    """Make a market: `market("default", seed=3, population=20, tasks=98)`."""
    own = {f.name for f in fields(Market)}

    def make(name: str = "default", **changes: object) -> Market:
        scenario = load_scenario(name)
        of_scenario = {k: v for k, v in changes.items() if k not in own}
        of_market = {k: v for k, v in changes.items() if k in own}
        return Market(replace(scenario, **of_scenario), **of_market)  # type: ignore[arg-type]

    return make
