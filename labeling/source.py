"""Markets of labels: their interface, and the arithmetic that they share."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from budget.money import Money
from budget.tariff import Tariff
from budget.tariffs.staff import StaffTariff
from labeling.types import Bools, Condition, Ints, Order, Page


@dataclass(frozen=True, slots=True)
class Pool:
    """An order placed on a market.

    Attributes:
        id: the market's name of the pool; placing the order again gives the same id.
    """

    id: str
    order: Order


class LabelSource(Protocol):
    """A market of labels. Every call is idempotent by the order's key."""

    @property
    def tariff(self) -> Tariff:
        """The market's tariff."""
        ...

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """Expected minutes for a number of assignments in a condition's pool."""
        ...

    def place(self, order: Order) -> Pool:
        """Open the order's pool. Repeated calls with the same key give the same pool."""
        ...

    def collect(self, pool: Pool) -> Iterator[Page]:
        """Wait for the order's assignments, a page at a time, from the first assignment on.

        The last page carries the order's end; the pool is then closed and no assignment is active.
        Another call yields the same assignments again.
        """
        ...

    def close(self) -> None:
        """Release the source's resources and close every pool that the source opened."""
        ...


def tariff_of(source: LabelSource, condition: Condition) -> Tariff:
    """What a source charges in a condition: where a group answers, by the wages of its people."""
    if condition.group is None:
        return source.tariff
    return cast("StaffTariff", source.tariff).among(condition.group)  # own annotators alone


CLOSE, ARCHIVE, COLLECT, VOID, SETTLE = "close", "archive", "collect", "void", "settle"
"""Repairs of a difference between a study's orders and its market."""


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order as a study's database holds it.

    Attributes:
        order: the stored order.
        hold: money held for the order; None without an open hold.
        ended: whether the order has ended.
        assignments: number of stored assignments.
        paid: rewards and platform fee of the stored assignments.
    """

    order: Order
    hold: Money | None
    ended: bool
    assignments: int
    paid: Money


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference between a study's orders and its market, and the repair.

    Attributes:
        text: one line for the user.
        mend: CLOSE or ARCHIVE (a pool, on the market), COLLECT (start the study again: it continues
            the order), VOID or SETTLE (the ledger's hold); empty if no repair is possible.
        pool_id: the pool concerned; empty for none.
        order: key of the order concerned; empty for none.
        amount: money to settle; None for other repairs.
    """

    text: str
    mend: str
    pool_id: str = ""
    order: str = ""
    amount: Money | None = None


class ComparedSource(LabelSource, Protocol):
    """A market that can be compared with a study's books."""

    def differences(self, books: Sequence[StoredOrder]) -> list[Finding]:
        """Compare a study's orders and holds with the market; change nothing."""
        ...


class PooledSource(ComparedSource, Protocol):
    """A market with pools on a platform; the pools outlive the process that opened them."""

    def sweep(self, adopt: Collection[str] = ()) -> list[str]:
        """Close every open pool of the study that no order in `adopt` needs; returns their ids."""
        ...

    def archive(self, conditions: Collection[str]) -> list[str]:
        """Archive the closed pools of some conditions for good; returns their ids."""
        ...

    def archived(self, conditions: Collection[str]) -> list[str]:
        """Those of the given conditions whose pools are all archived."""
        ...

    def balance(self) -> Money:
        """Money in the requester's account."""
        ...

    def mend(self, finding: Finding) -> bool:
        """Repair a finding on the market.

        Returns:
            Whether the repair belongs to the market (and not to the ledger or the study).
        """
        ...

    def alone_with(self, order_key: str) -> AbstractContextManager[bool]:
        """Whether this process works alone on an order, for the length of the block."""
        ...


def checked_tasks(order: Order, controls: Collection[int]) -> tuple[Ints, Ints]:
    """An order's tasks and the answers wanted on each, both [n], after a check.

    Args:
        order: the new order.
        controls: rows of the market's control tasks.

    Raises:
        ValueError: a task occurs twice, has no wanted answer, or is a control task.
    """
    tasks, wanted = wanted_arrays(order)
    if len(np.unique(tasks)) < len(tasks) or np.any(wanted < 1):
        raise ValueError("order: each task is wanted once, with at least one answer")
    if np.isin(tasks, np.array(sorted(controls), dtype=np.int64)).any():
        raise ValueError("order: a control task cannot be bought as a real task")
    return tasks, wanted


def orders_before(order: Order, ended: Sequence[Order]) -> list[Order]:
    """The condition's orders before a new order, sorted by tranche.

    Args:
        order: the new order.
        ended: the condition's ended orders, in any sequence.

    Raises:
        ValueError: an earlier order is missing.
    """
    before = order.tranche
    orders = sorted((o for o in ended if o.tranche < before), key=lambda o: o.tranche)
    if [o.tranche for o in orders] != list(range(before)):
        raise ValueError(
            f"order {order.key}: tranche {before} needs the {before} orders before it; "
            f"{len(orders)} are known"
        )
    return orders


def wanted_arrays(order: Order) -> tuple[Ints, Ints]:
    """An order's tasks and the answers wanted on each, both [n], in the order's sequence."""
    pairs = np.array(order.wanted, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def missing_answers(tasks: Ints, wanted: Ints, answered: Ints, usable: Bools) -> Ints:
    """Usable answers still missing on each task.

    Args:
        tasks: [n] rows of the tasks, all different.
        wanted: [n] usable answers wanted on each task.
        answered: [A] task row of each answer; answers to other rows do not count.
        usable: [A] whether the answer's annotator is not banned.

    Returns:
        [n] at least 0.
    """
    rows = 1 + max(int(tasks.max(initial=-1)), int(answered.max(initial=-1)))
    got = np.bincount(answered[usable], minlength=rows)
    lacking: Ints = np.maximum(wanted - got[tasks], 0)
    return lacking


def assignments_left(limit: int, submitted: int, active: int) -> int:
    """Assignments that may still be issued; an active assignment counts as submitted."""
    return max(0, limit - submitted - active)


def next_round(missing: Ints, real_per_suite: int, left: int) -> Ints:
    """Answers by which to raise each task's overlap for the next round.

    The round asks for all missing answers. If the assignments left cannot carry them all, the first
    tasks come first.

    Args:
        missing: [n] usable answers missing on each task.
        real_per_suite: tasks of a suite that are not control tasks.
        left: assignments that may still be issued.

    Returns:
        [n] further answers to ask for; all 0 if no answer is missing or no assignment is left.
    """
    before = np.cumsum(missing) - missing
    raised: Ints = np.clip(left * real_per_suite - before, 0, missing)
    return raised


def filled(raised: Ints, condition: Condition) -> Ints:
    """Answers to ask for, so many that the last suite is full.

    A full suite costs no more: the further answers are free. A suite of one or two tasks is done in
    seconds, and the rule for fast responses would ban honest annotators.

    Args:
        raised: [n] further answers wanted on each task of an order.
        condition: the order's condition.

    Returns:
        [n] at most one answer more on a task. Dynamic overlap asks task by task, and fewer tasks
        than places cannot fill a suite: then `raised`.
    """
    real = condition.real_per_suite
    if condition.dynamic is not None or len(raised) < real:
        return raised
    more = raised.copy()
    more[np.argsort(raised, kind="stable")[: -int(raised.sum()) % real]] += 1
    return more
