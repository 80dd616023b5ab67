"""The door to whoever sells labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from budget.errors import InputError
from budget.tariff import Tariff
from labeling.types import Condition, Order, Page


@dataclass(frozen=True, slots=True)
class Pool:
    """An order placed on a market.

    Attributes:
        id: the market's name of the pool, the same however often the order is placed.
    """

    id: str
    order: Order


class LabelSource(Protocol):
    """A market of labels. Every call is idempotent by the order's key."""

    @property
    def tariff(self) -> Tariff:
        """What the market charges."""
        ...

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """How long a number of assignments is expected to take in a condition's pool."""
        ...

    def place(self, order: Order) -> Pool:
        """Open the order's pool. Same key, same pool, however often it is asked."""
        ...

    def collect(self, pool: Pool) -> Iterator[Page]:
        """Wait for the order's assignments, a page at a time, from its first one on.

        The last page carries the order's end: by then the pool is closed and no assignment is
        active any more. Collecting again yields the same assignments again.
        """
        ...

    def close(self) -> None:
        """Let go of what the source holds open; every pool it opened is closed."""
        ...


def orders_before(order: Order, ended: Sequence[Order]) -> list[Order]:
    """The orders that a condition has been through before an order, by tranche.

    Args:
        order: the order to come.
        ended: the condition's ended orders, in any order.

    Raises:
        InputError: one of them is not known.
    """
    before = order.tranche
    orders = sorted((o for o in ended if o.tranche < before), key=lambda o: o.tranche)
    if [o.tranche for o in orders] != list(range(before)):
        raise InputError(
            f"order {order.key}: tranche {before} needs the {before} orders before it; "
            f"{len(orders)} are known"
        )
    return orders
