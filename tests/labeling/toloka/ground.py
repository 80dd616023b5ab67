"""A market to test on: the local server, a small campaign, and the in-process door beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from budget.money import Money
from budget.tariff import expected_assignments
from budget.tariffs.suite import SuiteTariff
from labeling.campaign.campaign import Campaign, Question
from labeling.crowd.people.items import Items, make_items
from labeling.crowd.people.opinions import Opinions, make_opinions
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.crowd.source import CrowdSource
from labeling.toloka.api.client import Api, connect, kit
from labeling.toloka.api.clock import PlatformClock
from labeling.toloka.api.token import Token
from labeling.toloka.describe.shown_tasks import ShownTasks
from labeling.toloka.server import Server, Settings, Truth
from labeling.toloka.source import TolokaSource
from labeling.types import Condition, Order, Page

_CACHES: list[Any] = []
RICH = Money(1_000_000_000)
NOW = datetime(2030, 1, 1, tzinfo=UTC)
CANARY = "canary-0123456789abcdef0123456789abcdef"
CAMPAIGN = Campaign(
    "ground", (Question("kind", "Which?", ("a", "b", "c")),), "Look.\n\n- a\n- b", suite_size=10
)
TWO = replace(
    CAMPAIGN,
    name="two",
    questions=(
        *CAMPAIGN.questions,
        Question("nice", "Is it nice?", ("no", "yes"), kind="subjective"),
    ),
)


class Sleeper:
    """A clock that moves only when it is slept on, and remembers how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return NOW + timedelta(seconds=sum(self.slept))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def address(row: int) -> str:
    """Where annotators see a row's image."""
    return f"https://images.example/{row:05d}.jpg"


def keep_connections() -> None:
    """Let toloka-kit keep all connections: it drops all but the last 128 without closing them."""
    if not _CACHES:
        client = kit().TolokaClient
        _CACHES.append(client._session_for_thread)
        client._session_for_thread = lru_cache(maxsize=None)(_CACHES[0].__wrapped__)


@dataclass
class Ground:
    """A scenario of items, the server in front of it, and both doors to it.

    Attributes:
        tasks: rows that may be bought; the control tasks follow them.
        ended: orders that have ended, for the in-process door.
    """

    folder: Path
    scenario: Scenario = field(default_factory=lambda: load_scenario("default"))
    campaign: Campaign = CAMPAIGN
    tasks: int = 120
    controls: int = 50
    seed: int = 0
    tariff: SuiteTariff = field(default_factory=SuiteTariff)
    balance: Money = RICH
    ended: list[Order] = field(default_factory=list)
    server: Server | None = None

    @property
    def rows(self) -> int:
        return self.tasks + self.controls

    @property
    def truth(self) -> Any:
        classes = len(self.campaign.questions[0].classes)
        return np.random.default_rng(self.seed).integers(0, classes, self.rows)

    @property
    def control_rows(self) -> range:
        return range(self.tasks, self.rows)

    def items(self) -> Items:
        classes = len(self.campaign.questions[0].classes)
        return make_items(self.scenario, self.truth, classes, self.seed)

    def further(self) -> dict[str, Items | Opinions]:
        return {
            question.name: make_opinions(
                self.scenario, self.rows, len(question.classes), self.seed, question.name
            )
            for question in self.campaign.questions[1:]
        }

    def settings(self) -> Settings:
        """What the server is started with: the very items of the in-process door."""
        items = self.items()
        error = items.error.copy()
        error[list(self.control_rows)] *= self.scenario.control_error
        rows = {address(row): row for row in range(self.rows)}
        truth = Truth(
            self.campaign.questions[0].name, rows, replace(items, error=error), self.further()
        )
        return Settings(
            self.scenario, seed=self.seed, balance=self.balance, tariff=self.tariff, truth=truth
        )

    def serve(self) -> Server:
        """The running server; started on the first call."""
        if self.server is None:
            self.server = Server(self.settings())
            self.server.start()
        return self.server

    def close(self) -> None:
        if self.server is not None:
            self.server.close()

    def api(self, timeout_s: float = 10.0) -> Api:
        url = self.serve().url
        keep_connections()
        token = Token(CANARY)
        return connect(token, url, PlatformClock(url, token), timeout_s)

    def market(self, api: Api | None = None, **options: Any) -> TolokaSource:
        """The market as a new process would open it."""
        truth = self.truth
        goods = ShownTasks(
            options.pop("campaign", self.campaign),
            options.pop("address", address),
            {row: int(truth[row]) for row in self.control_rows},
            self.seed,
        )
        return TolokaSource(
            api or self.api(),
            goods,
            options.pop("tariff", self.tariff),
            self.folder / "market",
            options.pop("study", "study"),
            minutes=lambda condition, assignments: self.crowd().expected_minutes(
                condition, assignments
            ),
            horizon_minutes=self.scenario.horizon_minutes,
            **options,
        )

    def crowd(self) -> CrowdSource:
        """The same market in process."""

        def earlier(condition: Condition) -> list[Order]:
            return [order for order in self.ended if order.condition == condition]

        return CrowdSource(
            self.scenario,
            self.campaign,
            self.items(),
            self.control_rows,
            self.tariff,
            self.seed,
            earlier,
            self.further(),
        )

    def order(
        self,
        tasks: int | None = None,
        overlap: int = 1,
        tranche: int = 0,
        limit: int | None = None,
        minutes: float | None = None,
        price: str = "0.002",
        exam: bool = False,
        controls: int = 1,
        first: int = 0,
    ) -> Order:
        condition = Condition(
            "ground",
            "toloka:ground",
            self.campaign.key,
            Money.parse(price),
            controls,
            self.campaign.suite_size,
            exam,
        )
        rows = range(first, self.tasks if tasks is None else tasks)
        most = 5 * expected_assignments(len(rows), overlap, condition.real_per_suite) + 10
        wanted = tuple((row, overlap) for row in rows)
        return Order(condition, tranche, wanted, most if limit is None else limit, minutes)


@contextmanager
def ground(folder: Path, **settings: Any) -> Iterator[Ground]:
    """A ground whose server stops at the end."""
    made = Ground(folder, **settings)
    try:
        yield made
    finally:
        made.close()


def buy(source: Any, order: Order) -> list[Page]:
    """Place and collect an order."""
    return list(source.collect(source.place(order)))


def unnamed(pages: list[Page]) -> list[Any]:
    """What pages say, with annotators and assignments numbered in the order they first appear."""
    names: dict[str, int] = {}

    def number(annotator: str) -> int:
        return names.setdefault(annotator, len(names))

    found: list[Any] = [
        (
            number(a.annotator),
            a.tasks,
            a.labels,
            a.control,
            a.submitted_s,
            a.seconds,
            a.reward,
            a.further,
        )
        for page in pages
        for a in page.assignments
    ]
    bans = [(number(r.annotator), r.at_s, r.reason) for page in pages for r in page.restrictions]
    return [found, bans]


Look = Callable[[Ground], Any]
