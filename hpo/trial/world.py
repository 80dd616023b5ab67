"""Everything a trial needs, built from a configuration: the only place that wires."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from budget.database import Database
from budget.ledger import Ledger, accounts_of
from budget.postgres.locks import SessionLocks
from hpo.data.dataset import Dataset, load
from hpo.data.roles import keep_roles
from hpo.data.stand_ins import with_stand_ins
from hpo.market.machines.machine import Machine, open_machine
from hpo.market.market import Market
from hpo.market.open import open_market
from hpo.settings.config import StudyConfig
from hpo.settings.run_folder import Locks, open_store, runs_of
from hpo.settings.search_space import SearchSpace
from hpo.trial.holdings.image_order import moves
from hpo.trial.holdings.prices import PriceList, Prices
from hpo.trial.trainer import CrossValidated, Trainer
from labeling.aggregation.selection import task_order
from labeling.aggregation.shares import Shares
from labeling.machine import is_machine
from labeling.seeds import derive
from labeling.source import LabelSource
from labeling.store import Store
from labeling.types import Condition, Floats, LabelPlan, Order

if TYPE_CHECKING:
    from training.evaluate import Scores
    from training.features import Features
    from training.fit import Model

Kept = TypeVar("Kept")
_MOST_KEPT = 256  # models, or scores: a study's front and its repeat draws


@dataclass(slots=True)
class Computed:
    """Results for a study's images that are computed once and shared by all its worlds.

    Attributes:
        compute: gives the features of all images.
        panels: densely answered shares of a subjective question, by role.
        models: heads by what they were trained on: an owned plan is trained on more than once.
        joint: target and prior of the heads among them whose labels are a head's, too.
        scores: of models, by the model's id and what was measured; the model keeps its id.
        tests: labels bought to measure by, by the state of their condition.
        looked_at: the best labels made last, after what they were made of.
    """

    compute: Callable[[], Features]
    panels: dict[str, Shares] = field(default_factory=dict)
    models: dict[object, Model] = field(default_factory=dict)
    joint: dict[object, tuple[Floats, Floats]] = field(default_factory=dict)
    scores: dict[object, tuple[Model, Scores]] = field(default_factory=dict)
    tests: dict[object, Any] = field(default_factory=dict)
    looked_at: tuple[object, Any] | None = None
    _features: Features | None = None

    @property
    def features(self) -> Features:
        """Features of all images, kept on disk, too."""
        if self._features is None:
            self._features = self.compute()
        return self._features

    @staticmethod
    def keep(kept: dict[object, Kept], key: object, value: Kept) -> None:
        """Put a value among `models`, `joint` or `scores`; the oldest make room."""
        kept[key] = value
        while len(kept) > _MOST_KEPT:
            del kept[next(iter(kept))]


@dataclass(frozen=True, slots=True)
class World:
    """A study's data, market, money and memory, wired together.

    Attributes:
        config: the study's configuration.
        folder: its folder.
        data: its images.
        market: who answers.
        space: the plans it may choose from.
        store: orders and answers.
        ledger: the account that is paid from.
        pool: [n] rows of the pool's images, in the study's order.
        database: where store and ledger lie.
        locks: by which processes wait for each other.
        prices: of plans, given what is owned.
        computed: what is computed once, shared by all worlds of the study.
        trainer: fits the heads.
        machine: sells labels beside the market; None without one.
    """

    config: StudyConfig
    folder: Path
    data: Dataset
    market: Market
    space: SearchSpace
    store: Store
    ledger: Ledger
    pool: NDArray[np.int64]
    database: Database
    locks: Locks
    prices: Prices
    computed: Computed
    trainer: Trainer
    machine: Machine | None = None

    def but(self, **changes: Any) -> World:
        """A world that differs in some of its wiring; its prices are read anew.

        Args:
            changes: attributes other than prices.
        """
        other = replace(self, **changes)
        listed = self.prices.listed
        if other.market is not self.market:
            listed = PriceList(other.config, other.market, listed.cap)
        moves = self.prices.moves and other.pool is self.pool and other.market is self.market
        return replace(other, prices=Prices(listed, other.store, other.pool, moves=moves))

    @property
    def is_shared(self) -> bool:
        """Whether processes of several machines search at the same time.

        Not on a market with pools: they share an exam and a server, and one process buys at a time.
        """
        return self.config.storage is not None and not self.market.kind.has_pools

    @property
    def source(self) -> LabelSource:
        """Sells the labels."""
        return self.market.source

    @property
    def features(self) -> Features:
        """Features of all images."""
        return self.computed.features

    @property
    def control_truth(self) -> dict[int, int]:
        """True labels of the control tasks."""
        return {int(row): int(self.data.truth[row]) for row in self.data.rows["control"]}

    def seller(self, condition: Condition) -> LabelSource:
        """Who answers in a condition: the market's people, or the machine."""
        if self.machine is not None and is_machine(condition):
            return self.machine.source
        return self.source

    def condition(self, plan: LabelPlan) -> Condition:
        """The pool that a plan is bought in."""
        return self.market.condition(plan)

    def tasks(self, plan: LabelPlan) -> list[int]:
        """Rows of the plan's tasks: the pool's seeded order, from where its condition begins."""
        return [int(row) for row in self.prices.images(self.condition(plan))[: plan.tasks]]

    def buying(
        self, plan: LabelPlan, busy: Callable[[str], None] | None = None
    ) -> AbstractContextManager[None]:
        """Keep other processes from buying in a plan's condition; waits until none does.

        Args:
            plan: the plan.
            busy: told the number of the process that buys there, before the wait.
        """
        return self.locks.hold(self.lock_of(plan), busy)

    def lock_of(self, plan: LabelPlan) -> str:
        """The name of the lock that is held to buy in a plan's condition.

        On a market with pools it is one for all conditions: they share an exam and a server.
        """
        return MARKET_LOCK if self.market.kind.has_pools else self.condition(plan).key

    def other_accounts(self) -> list[Ledger]:
        """The study's other accounts: of its search, or of purchases beside it."""
        names = accounts_of(self.database, self.config.study)
        return [Ledger.open(self.database, name) for name in names if name != self.ledger.name]

    def ledger_of(self, order: Order) -> Ledger:
        """The account that an order is paid from: the one that held money for it first."""
        for ledger in self.other_accounts():
            if any(e.key == order.key and e.kind == "reserve" for e in ledger.entries()):
                return ledger
        return self.ledger

    def own(self) -> World:
        """This world without what other accounts bought: what is told of this one's money."""
        others = [e.key for ledger in self.other_accounts() for e in ledger.entries()]
        return self.but(store=self.store.without(frozenset(others))) if others else self

    def close(self) -> None:
        """Close the market's pools and the database."""
        try:
            self.source.close()
        finally:
            self.database.dispose()


MARKET_LOCK = "market"
"""The lock under which one process at a time buys on a market with pools."""


def cache_of(runs: Path) -> Path:
    """Folder of the scans and features that all studies of a folder share."""
    return runs / ".features"


def features_of(config: StudyConfig, data: Dataset, runs: Path) -> Features:
    """Features of all images: from the cache that all studies share, else computed."""
    from training.features import extract

    weights = Path(config.backbone_file) if config.backbone_file else None
    return extract(data.images, config.backbone, weights, cache_of(runs), config.image_size)


def features_without_weights(data: Dataset, runs: Path) -> Features:
    """The features that the images have where no weights are at hand, cached like all others."""
    from training.features import extract, without_weights

    return extract(data.images, without_weights(data.images), None, cache_of(runs))


def build(
    config: StudyConfig,
    folder: Path,
    data: Dataset | None = None,
    crowd_seed: int | None = None,
    trainer: Trainer | None = None,
    resold: Callable[[Market], Market] | None = None,
) -> World:
    """Wire a study's world in its folder. Buys nothing.

    Args:
        config: the study's configuration.
        folder: its folder, which exists.
        data: its images, when loaded already.
        crowd_seed: draws other annotators over the same items; None for the study's own.
        trainer: fits the heads; None for the cross-validated ones.
        resold: gives the market to buy from instead of the configured one.

    Raises:
        InputError: the data, the scenario or the folder are wrong.
        LedgerCorrupt: the folder's ledger does not verify.
    """
    loaded = data or load(config, folder, cache_of(runs_of(folder)))
    if loaded.drawn:
        keep_roles(folder, loaded.drawn)
    database = open_store(folder, config)
    try:
        return _wire(
            config, folder, loaded, database, crowd_seed, trainer or CrossValidated(), resold
        )
    except BaseException:
        database.dispose()
        raise


def _wire(
    config: StudyConfig,
    folder: Path,
    loaded: Dataset,
    database: Database,
    crowd_seed: int | None,
    trainer: Trainer,
    resold: Callable[[Market], Market] | None,
) -> World:
    ledger = Ledger.open(database, config.study, config.budget)
    store = Store(database, config.study)
    computed = Computed(lambda: features_of(config, loaded, runs_of(folder)))
    images = with_stand_ins(loaded, config, lambda: computed.features.values)
    market = open_market(
        config, images, store, crowd_seed, lambda: computed.features.values, folder
    )
    if resold is not None:
        market = resold(market)
    order = task_order(
        images.rows["pool"], derive(config.seed, "pool order"), images.strata("pool")
    )
    pool = np.asarray(order, dtype=np.int64)
    listed = PriceList(config, market, ledger.balance().cap)
    return World(
        config,
        folder,
        images,
        market,
        SearchSpace.of(config, len(pool)),
        store,
        ledger,
        pool,
        database,
        Locks(folder, SessionLocks(database, config.study) if config.storage else None),
        Prices(listed, store, pool, moves=moves(config, pool)),
        computed,
        trainer,
        open_machine(config, images, market, runs_of(folder)),
    )
