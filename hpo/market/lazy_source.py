"""A market that is reached when something is bought or asked there, and not before.

Reading a study's answer or quoting plans needs no token, no server and no network.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

from budget.money import Money
from budget.tariff import Tariff
from hpo.market import stop_signals
from labeling.source import ComparedSource, Finding, LabelSource, Pool, PooledSource, StoredOrder
from labeling.types import Condition, Order, Page

SourceT = TypeVar("SourceT", bound=LabelSource)
ComparedT = TypeVar("ComparedT", bound=ComparedSource)


@dataclass(frozen=True, slots=True)
class ReachedSource(Generic[SourceT]):
    """A market that was reached.

    Attributes:
        source: sells the labels.
        leave: lets go of what stands behind it, such as a local server.
    """

    source: SourceT
    leave: Callable[[], None] = lambda: None


class LazySource(Generic[SourceT]):
    """A source that is reached through `reach` on first use.

    Args:
        reach: reaches the market.
        tariff: what the market charges.
        minutes: how long assignments are expected to take in a condition.
    """

    def __init__(
        self,
        reach: Callable[[], ReachedSource[SourceT]],
        tariff: Tariff,
        minutes: Callable[[Condition, int], float],
    ) -> None:
        self._reach = reach
        self._tariff = tariff
        self._minutes = minutes
        self._reached: ReachedSource[SourceT] | None = None

    @property
    def tariff(self) -> Tariff:
        """What the market charges."""
        return self._tariff

    @property
    def source(self) -> SourceT:
        """The market itself."""
        if self._reached is None:
            self._reached = self._reach()
        return self._reached.source

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """How long a number of assignments is expected to take in a condition's pool."""
        return self._minutes(condition, assignments)

    def place(self, order: Order) -> Pool:
        """Open the order's pool. Same key, same pool, however often it is asked."""
        return self.source.place(order)

    def collect(self, pool: Pool) -> Iterator[Page]:
        """Wait for the order's assignments, a page at a time, from its first one on."""
        yield from self.source.collect(pool)

    def close(self) -> None:
        """Close every pool that was opened through this source, then let go of the market."""
        if self._reached is None:
            return
        with stop_signals.closing():
            try:
                self._reached.source.close()
            finally:
                self._reached.leave()
                self._reached = None


class LazyComparedSource(LazySource[ComparedT]):
    """A source that can be compared with a study's books, reached on first use."""

    def differences(self, books: Sequence[StoredOrder]) -> list[Finding]:
        """Compare a study's orders and holds with the market."""
        return self.source.differences(books)


class LazyPooledSource(LazyComparedSource[PooledSource]):
    """A source with pools that is reached on first use."""

    def sweep(self, adopt: Collection[str] = ()) -> list[str]:
        """Close every open pool of the study that no order in `adopt` needs."""
        return self.source.sweep(adopt)

    def archive(self, conditions: Collection[str]) -> list[str]:
        """Archive the closed pools of some conditions for good."""
        return self.source.archive(conditions)

    def archived(self, conditions: Collection[str]) -> list[str]:
        """Those of some conditions that have no pool any more but archived ones."""
        return self.source.archived(conditions)

    def balance(self) -> Money:
        """What the account holds."""
        return self.source.balance()

    def mend(self, finding: Finding) -> bool:
        """Do what a finding asks for on the market."""
        return self.source.mend(finding)

    def alone_with(self, order_key: str) -> AbstractContextManager[bool]:
        """Whether no other process is at work on an order."""
        return self.source.alone_with(order_key)


def say_who(holder: str) -> None:
    """Say why nothing happens: another process collects the same order."""
    facts = {"name": "order", "holder": holder}
    logging.getLogger("labelworth").info("waiting", extra={"facts": facts})
    print(
        f"Process {holder} collects this order on the market. This one waits, and goes on where "
        "that ends.",
        file=sys.stderr,
    )
