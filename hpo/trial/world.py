"""Everything a trial needs, built from a configuration: the only place that wires."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from budget.database import open_database
from budget.files import locked, try_locked
from budget.ledger import Ledger, accounts_of
from hpo.data.dataset import Dataset, load
from hpo.market.lazy_source import Door
from hpo.market.market import Market
from hpo.market.open import open_market
from hpo.market.quote import Quote, answers_share, outside, quote, quote_plan
from hpo.settings.config import StudyConfig
from hpo.settings.search_space import SearchSpace
from hpo.trial.trainer import CrossValidated, Trainer
from labeling.aggregation.selection import task_order
from labeling.aggregation.shares import Shares
from labeling.seeds import derive
from labeling.source import LabelSource
from labeling.store import Store
from labeling.types import Condition, LabelPlan, Order

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from training.features import Features


@dataclass
class World:
    """A study's data, market, money and memory, and prices of plans given what is owned."""

    config: StudyConfig
    folder: Path
    data: Dataset
    market: Market
    space: SearchSpace
    store: Store
    ledger: Ledger
    pool: NDArray[np.int64]
    engine: Engine
    trainer: Trainer
    _lacking: dict[str, Quote] = field(default_factory=dict, repr=False)
    _panels: dict[str, Shares] = field(default_factory=dict, repr=False)
    _alone: set[Path] = field(default_factory=set, repr=False)

    @property
    def source(self) -> LabelSource:
        """Whoever sells the labels."""
        return self.market.source

    def condition(self, plan: LabelPlan) -> Condition:
        """The pool that a plan is bought in."""
        return self.market.condition(plan)

    def tasks(self, plan: LabelPlan) -> list[int]:
        """Rows of the plan's tasks: a prefix of the pool's seeded order."""
        return [int(row) for row in self.pool[: plan.tasks]]

    @cached_property
    def features(self) -> Features:
        """Features of all images, computed once and kept on disk."""
        return features_of(self.config, self.data, self.folder.parent)

    def panel(self, role: str) -> Shares:
        """Densely answered shares of a subjective question on a role's images, asked once."""
        from hpo.trial.subjective import panel

        if role not in self._panels:
            self._panels[role] = panel(self, role)
        return self._panels[role]

    @cached_property
    def control_truth(self) -> dict[int, int]:
        """True labels of the control tasks."""
        return {int(row): int(self.data.truth[row]) for row in self.data.rows["control"]}

    @cached_property
    def _list_prices(self) -> dict[str, Quote]:
        return {plan.key: self._whole(plan) for plan in self.space.plans}

    def _whole(self, plan: LabelPlan) -> Quote:
        return quote_plan(self.market, plan, self.config.allowance)

    def _quote(self, plan: LabelPlan, answers: int, overlap: int) -> Quote:
        return quote(
            self.source,
            self.condition(plan),
            answers,
            overlap,
            self.config.allowance,
            answers_share(self.market, plan),
        )

    def list_price(self, plan: LabelPlan) -> Quote:
        """The whole plan's quote, as if nothing were owned."""
        return self._list_prices.get(plan.key) or self._whole(plan)

    def lacking(self, plan: LabelPlan) -> Order | None:
        """The order that the plan lacks (or the condition's unfinished one); None if owned."""
        return self.store.propose(
            self.condition(plan),
            self.tasks(plan),
            plan.overlap,
            self.config.allowance,
            self.config.max_minutes,
        )

    def to_buy(self, plan: LabelPlan) -> Quote:
        """The quote of what the plan still lacks; zero answers when it is contained."""
        condition = self.condition(plan)
        if condition.key not in self._conditions_bought:
            return self.list_price(plan)
        if plan.key not in self._lacking:
            order = self.lacking(plan)
            wanted = [count for _, count in order.wanted] if order else []
            self._lacking[plan.key] = self._quote(plan, sum(wanted), max(wanted, default=0))
        return self._lacking[plan.key]

    @cached_property
    def _conditions_bought(self) -> set[str]:
        return {record.order.condition.key for record in self.store.all_orders()}

    def forget_quotes(self) -> None:
        """Prices of what is missing have changed: something was bought."""
        self._lacking.clear()
        self.__dict__.pop("_conditions_bought", None)

    def inside_limits(self, plan: LabelPlan) -> str | None:
        """Why a plan is outside the study's limits, or None when it is inside."""
        return self._outside[plan.key]

    @cached_property
    def _outside(self) -> dict[str, str | None]:
        cap = self.ledger.cap
        return {
            plan.key: outside(self.config, cap, self.list_price(plan)) for plan in self.space.plans
        }

    @contextmanager
    def alone(self, plan: LabelPlan) -> Iterator[None]:
        """Keep other processes from buying in a plan's condition; waits until none does.

        It holds among processes of one machine, and ends with the process.
        """
        lock = self.lock_of(plan)
        if lock in self._alone:
            yield
            return
        with locked(lock):
            self._alone.add(lock)
            try:
                yield
            finally:
                self._alone.remove(lock)

    def lock_of(self, plan: LabelPlan) -> Path:
        """The lock that whoever buys in a plan's condition holds.

        Behind a door it is one for all conditions: they share an exam, and a rehearsal's server.
        """
        if isinstance(self.source, Door):
            return self._market_lock
        return self.folder / "locks" / self.condition(plan).key

    @property
    def _market_lock(self) -> Path:
        return self.folder / "locks" / "market"

    def other_accounts(self) -> list[Ledger]:
        """The study's other accounts: of its search, or of purchases beside it."""
        names = accounts_of(self.engine, self.config.study)
        return [Ledger.open(self.engine, name) for name in names if name != self.ledger.name]

    def ledger_of(self, order: Order) -> Ledger:
        """The account that an order is paid from: whichever held money for it first."""
        for ledger in self.other_accounts():
            if any(e.key == order.key and e.kind == "reserve" for e in ledger.entries()):
                return ledger
        return self.ledger

    def own(self) -> World:
        """This world without what other accounts bought: what is told of this one's money."""
        others = [e.key for ledger in self.other_accounts() for e in ledger.entries()]
        if not others:
            return self
        other = replace(self, store=self.store.without(frozenset(others)), _lacking={})
        for name in ("features", "control_truth", "_list_prices"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    def sweep(self) -> list[str]:
        """Close what a killed process left open on the market; returns what was closed.

        Where an agent buys there now, nothing is touched: it closes what it has opened.
        """
        with self.idle() as nobody_buys:
            if not nobody_buys:
                return []
            return self.market.sweep([order.key for order in self.store.unfinished()])

    @contextmanager
    def idle(self) -> Iterator[bool]:
        """Whether nobody buys behind the market's door, and nobody begins to in the block."""
        with try_locked(self._market_lock) as nobody_buys:
            yield nobody_buys

    def close(self) -> None:
        """Close the market's pools and the database."""
        try:
            self.source.close()
        finally:
            self.engine.dispose()


def features_of(config: StudyConfig, data: Dataset, runs: Path) -> Features:
    """Features of all images: from the cache that all studies share, else computed."""
    from training.features import extract

    weights = Path(config.backbone_file) if config.backbone_file else None
    return extract(data.images, config.backbone, weights, runs / ".features")


def build(
    config: StudyConfig,
    folder: Path,
    data: Dataset | None = None,
    crowd_seed: int | None = None,
    trainer: Trainer | None = None,
) -> World:
    """Wire a study's world in its folder. Buys nothing.

    Args:
        config: the study's configuration.
        folder: its folder, which exists.
        data: its images, when loaded already.
        crowd_seed: draws other annotators over the same items; None for the study's own.
        trainer: fits the heads; None for the cross-validated ones.

    Raises:
        InputError: the data, the scenario or the folder are wrong.
        LedgerCorrupt: the folder's ledger does not verify.
    """
    data = data or load(config)
    engine = open_database(folder / "labelworth.sqlite")
    ledger = Ledger.open(engine, config.study, config.budget)
    store = Store(engine, config.study)
    market = open_market(
        config,
        data,
        store,
        crowd_seed,
        lambda: features_of(config, data, folder.parent).values,
        folder,
    )
    pool = task_order(data.rows["pool"], derive(config.seed, "pool order"), data.strata("pool"))
    return World(
        config,
        folder,
        data,
        market,
        SearchSpace.of(config, len(pool)),
        store,
        ledger,
        np.asarray(pool, dtype=np.int64),
        engine,
        trainer or CrossValidated(),
    )
