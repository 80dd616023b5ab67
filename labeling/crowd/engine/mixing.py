"""Mixing: the choice of a suite's tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from labeling.crowd.engine.pool import PoolSettings, Visitor
from labeling.crowd.engine.slots import Slots
from labeling.crowd.engine.suites import SuiteLog
from labeling.types import Bools, Ints


class Mixing(Protocol):
    """Fills suites from the queue of tasks."""

    def take(self, pool: PoolSettings, visitor: Visitor) -> Ints:
        """Queue entries for an annotator's next suite; empty if the queue has none for them."""
        ...

    def lay_out(
        self, pool: PoolSettings, visitor: Visitor, taken: Ints, places: Ints
    ) -> tuple[Ints, Bools]:
        """Rows of the suite's tasks in the order of the page, and whether each is a control task.

        Args:
            pool: the pool's settings.
            visitor: the annotator.
            taken: the result of `take`.
            places: [S] a permutation that orders the page.
        """
        ...

    def taken(self, suite: int) -> Ints:
        """Queue entries of a suite of the log."""
        ...


class SmartMixing:
    """Suites of real tasks from the queue and control tasks in the annotator's own order."""

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
        # The permutation is drawn for a full page: a shorter page keeps the order of its own tasks.
        if len(tasks) < pool.suite_size:
            places = places[places < len(tasks)]
        return tasks[places], places >= len(taken)

    def taken(self, suite: int) -> Ints:
        """The suite's real tasks."""
        return self._log.real(suite)[0]


class FixedPages:
    """Suites that the requester composed: the queue holds whole pages.

    Args:
        slots: the queue, one row per page.
        pages: rows of each page's tasks, in order.
        control: [n] whether each row is a control task.
    """

    def __init__(self, slots: Slots, pages: Sequence[Ints], control: Bools) -> None:
        self._slots = slots
        self._pages = list(pages)
        self._control = control
        self._seen: dict[int, list[int]] = {}
        self._given: list[int] = []

    def extend(self, pages: Sequence[Ints], control: Bools) -> None:
        """Append pages and rows."""
        self._pages += pages
        self._control = np.concatenate((self._control, control))

    def take(self, pool: PoolSettings, visitor: Visitor) -> Ints:
        """A page that the annotator has not seen."""
        seen = self._seen.setdefault(visitor.person, [])
        page = self._slots.take(1, np.array(seen, dtype=np.int64))
        seen += page.tolist()
        return page

    def lay_out(
        self, pool: PoolSettings, visitor: Visitor, taken: Ints, places: Ints
    ) -> tuple[Ints, Bools]:
        """The page's tasks in their given order."""
        # Suites of the log are laid out in the order of their rows: the list is indexed by suite.
        self._given.append(int(taken[0]))
        rows = self._pages[int(taken[0])]
        return rows, self._control[rows]

    def taken(self, suite: int) -> Ints:
        """The suite's page."""
        return np.array([self._given[suite]], dtype=np.int64)
