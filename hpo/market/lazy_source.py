"""A market behind a door: it is opened when something is bought or asked there, and not before.

Reading a study's answer or quoting plans needs no token, no server and no network.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from budget.tariff import Tariff
from hpo.market import stop_signals
from labeling.source import Pool
from labeling.types import Condition, Order, Page

if TYPE_CHECKING:
    from labeling.toloka.source import TolokaSource


@dataclass(frozen=True, slots=True)
class Opened:
    """A market that was reached.

    Attributes:
        source: sells the labels.
        leave: lets go of what stands behind it, such as a local server.
    """

    source: TolokaSource
    leave: Callable[[], None]


class Door:
    """A label source that is reached through `enter` on first use.

    Args:
        enter: reaches the market.
        tariff: what the market charges.
        minutes: how long assignments are expected to take in a condition.
    """

    def __init__(
        self,
        enter: Callable[[], Opened],
        tariff: Tariff,
        minutes: Callable[[Condition, int], float],
    ) -> None:
        self._enter = enter
        self._tariff = tariff
        self._minutes = minutes
        self._opened: Opened | None = None

    @property
    def tariff(self) -> Tariff:
        """What the market charges."""
        return self._tariff

    @property
    def source(self) -> TolokaSource:
        """The market itself."""
        if self._opened is None:
            self._opened = self._enter()
        return self._opened.source

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """How long a number of assignments is expected to take in a condition's pool."""
        return self._minutes(condition, assignments)

    def place(self, order: Order) -> Pool:
        """Open the order's pool. Same key, same pool, however often it is asked."""
        return self.source.place(order)

    def collect(self, pool: Pool) -> Iterator[Page]:
        """Wait for the order's assignments, a page at a time, from its first one on."""
        yield from self.source.collect(pool)

    def sweep(self, adopt: Collection[str]) -> list[str]:
        """Close every open pool of the study that no order in `adopt` needs."""
        return self.source.sweep(adopt)

    def close(self) -> None:
        """Close every pool that was opened through this door, then let go of the market."""
        if self._opened is None:
            return
        with stop_signals.closing():
            try:
                self._opened.source.close()
            finally:
                self._opened.leave()
                self._opened = None
