"""Markets of labels: what each can do, and arithmetic that they share."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from budget.money import Money
from budget.tariff import Tariff
from labeling.types import Bools, Condition, Ints, Order, Page


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


CLOSE, ARCHIVE, COLLECT, VOID, SETTLE = "close", "archive", "collect", "void", "settle"
"""What mends a difference between a study's books and its market."""


@dataclass(frozen=True, slots=True)
class Book:
    """An order as a study's database has it.

    Attributes:
        order: as it was written down.
        hold: money held for it; None where none is held any more.
        ended: whether it has ended.
        assignments: assignments stored.
        paid: reward and fee of those.
    """

    order: Order
    hold: Money | None
    ended: bool
    assignments: int
    paid: Money


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not agree, and what mends it.

    Attributes:
        text: one line for people.
        mend: CLOSE or ARCHIVE (a pool, on the market), COLLECT (start the study again: it goes on
            with the order), VOID or SETTLE (the ledger's hold); empty where nothing can be done.
        pool_id: the pool concerned; empty for none.
        order: key of the order concerned; empty for none.
        amount: what is to be settled; None elsewhere.
    """

    text: str
    mend: str
    pool_id: str = ""
    order: str = ""
    amount: Money | None = None


class PooledSource(LabelSource, Protocol):
    """A market with pools on a platform, which outlive the process that opened them."""

    def sweep(self, adopt: Collection[str] = ()) -> list[str]:
        """Close every open pool of the study that no order in `adopt` needs; returns their ids."""
        ...

    def archive(self, conditions: Collection[str]) -> list[str]:
        """Archive the closed pools of some conditions for good; returns their ids."""
        ...

    def archived(self, conditions: Collection[str]) -> list[str]:
        """Those of some conditions that have no pool any more but archived ones."""
        ...

    def balance(self) -> Money:
        """What the account holds."""
        ...

    def differences(self, books: Sequence[Book]) -> list[Finding]:
        """Compare a study's orders and holds with the market. Changes nothing."""
        ...

    def mend(self, finding: Finding) -> bool:
        """Do what a finding asks for on the market; whether it was the market's to mend."""
        ...

    def alone_with(self, order_key: str) -> AbstractContextManager[bool]:
        """Whether no other process is at work on an order, until the block is left."""
        ...


def checked_tasks(order: Order, controls: Collection[int]) -> tuple[Ints, Ints]:
    """An order's tasks and the answers wanted on each, both [n], if they can be bought.

    Args:
        order: the order to come.
        controls: rows of the market's control tasks.

    Raises:
        ValueError: a task is wanted twice or not at all, or is a control task.
    """
    tasks, wanted = wanted_arrays(order)
    if len(np.unique(tasks)) < len(tasks) or np.any(wanted < 1):
        raise ValueError("order: each task is wanted once, with at least one answer")
    if np.isin(tasks, np.array(sorted(controls), dtype=np.int64)).any():
        raise ValueError("order: a control task cannot be bought as a real task")
    return tasks, wanted


def orders_before(order: Order, ended: Sequence[Order]) -> list[Order]:
    """The orders that a condition has been through before an order, by tranche.

    Args:
        order: the order to come.
        ended: the condition's ended orders, in any order.

    Raises:
        ValueError: one of them is not known.
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
        wanted: [n] usable answers wanted on each.
        answered: [A] row of the task of each answer given; answers to other rows do not count.
        usable: [A] whether the answer's annotator is not banned.

    Returns:
        [n] at least 0.
    """
    rows = 1 + max(int(tasks.max(initial=-1)), int(answered.max(initial=-1)))
    got = np.bincount(answered[usable], minlength=rows)
    lacking: Ints = np.maximum(wanted - got[tasks], 0)
    return lacking


def assignments_left(limit: int, submitted: int, active: int) -> int:
    """Assignments that may still be issued: each active one may yet be submitted."""
    return max(0, limit - submitted - active)


def next_round(missing: Ints, real_per_suite: int, left: int) -> Ints:
    """By how much to raise each task's overlap for the next round.

    All that is missing or, where the assignments left cannot carry it, as much of it as they can,
    the first tasks first.

    Args:
        missing: [n] usable answers missing on each task.
        real_per_suite: tasks of a suite that are not control tasks.
        left: assignments that may still be issued.

    Returns:
        [n] further answers to ask for; all 0 if nothing is missing or no assignment is left.
    """
    before = np.cumsum(missing) - missing
    raised: Ints = np.clip(left * real_per_suite - before, 0, missing)
    return raised
