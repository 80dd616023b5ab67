"""Mixing: which tasks make up a suite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from labeling.crowd.engine.pool import PoolSettings, Visitor
from labeling.crowd.engine.slots import Slots
from labeling.crowd.engine.suites import SuiteLog
from labeling.types import Bools, Ints


class Mixing(Protocol):
    """What fills suites from the queue of what is asked."""

    def take(self, pool: PoolSettings, visitor: Visitor) -> Ints:
        """Places of the queue for an annotator's next suite; empty if there is nothing for them."""
        ...

    def lay_out(
        self, pool: PoolSettings, visitor: Visitor, taken: Ints, places: Ints
    ) -> tuple[Ints, Bools]:
        """Rows of the suite's tasks in the order on the page, and which are control tasks.

        Args:
            pool: what the requester sets.
            visitor: the annotator.
            taken: what `take` gave.
            places: [S] a permutation: which task comes where.
        """
        ...

    def taken(self, suite: int) -> Ints:
        """Places of the queue that a suite of the log came from."""
        ...


class SmartMixing:
    """Real tasks from the queue, control tasks in each annotator's own order, shuffled."""

    def __init__(self, slots: Slots, log: SuiteLog) -> None:
        self._slots = slots
        self._log = log

    def take(self, pool: PoolSettings, visitor: Visitor) -> Ints:
        """Real tasks that the annotator has not seen."""
        if visitor.opened:
            seen = self._log.tasks[visitor.opened].ravel()
            return self._slots.take(pool.real_per_suite, seen)
        return self._slots.take(pool.real_per_suite)

    def lay_out(
        self, pool: PoolSettings, visitor: Visitor, taken: Ints, places: Ints
    ) -> tuple[Ints, Bools]:
        """Real and control tasks in random places."""
        controls = visitor.controls[visitor.used : visitor.used + pool.controls]
        tasks = np.concatenate((taken, controls))
        if len(tasks) < pool.suite_size:
            places = places[places < len(tasks)]
        return tasks[places], places >= len(taken)

    def taken(self, suite: int) -> Ints:
        """The suite's real tasks."""
        return self._log.real(suite)[0]


class FixedPages:
    """Suites that the requester has put together: the queue holds whole pages.

    Args:
        slots: the queue, a row per page.
        pages: rows of each page's tasks, in order.
        control: [n] which rows are control tasks.
    """

    def __init__(self, slots: Slots, pages: Sequence[Ints], control: Bools) -> None:
        self._slots = slots
        self._pages = list(pages)
        self._control = control
        self._seen: dict[int, list[int]] = {}
        self._given: list[int] = []

    def extend(self, pages: Sequence[Ints], control: Bools) -> None:
        """Further pages, and further rows."""
        self._pages += pages
        self._control = np.concatenate((self._control, control))

    def take(self, pool: PoolSettings, visitor: Visitor) -> Ints:
        """One page that the annotator has not seen."""
        seen = self._seen.setdefault(visitor.person, [])
        page = self._slots.take(1, np.array(seen, dtype=np.int64))
        seen += page.tolist()
        return page

    def lay_out(
        self, pool: PoolSettings, visitor: Visitor, taken: Ints, places: Ints
    ) -> tuple[Ints, Bools]:
        """The page as it is."""
        self._given.append(int(taken[0]))
        rows = self._pages[int(taken[0])]
        return rows, self._control[rows]

    def taken(self, suite: int) -> Ints:
        """The suite's page."""
        return np.array([self._given[suite]], dtype=np.int64)
