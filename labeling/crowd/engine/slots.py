"""Slots: the queue of tasks that still want answers; it is never scanned as a whole."""

from __future__ import annotations

import numpy as np

from labeling.types import Ints

_NONE = np.empty(0, dtype=np.int64)


class Slots:
    """Tasks that want answers; a task is queued once, whatever the number of answers.

    A taken task goes to the back of the queue while it wants further answers, so overlap grows
    evenly. `take` steps only over tasks that the annotator has seen: the work per suite does not
    grow with the size of the pool.
    """

    def __init__(self, rows: int) -> None:
        self.need = np.zeros(rows, dtype=np.int64)
        self._queued = np.zeros(rows, dtype=np.bool_)
        self._queue = np.empty(1024, dtype=np.int64)
        self._head = 0
        self._tail = 0
        self._seen = np.zeros(rows + 1, dtype=np.bool_)  # the last place takes padding (-1)

    def __bool__(self) -> bool:
        return self._head < self._tail

    def add(self, tasks: Ints, counts: Ints | int) -> None:
        """Ask for further answers: `counts` (above 0) on each of `tasks` (all different)."""
        self.need[tasks] += counts
        self._append(tasks[~self._queued[tasks]])

    def take(self, count: int, seen: Ints = _NONE) -> Ints:
        """Up to `count` different tasks from the front of the queue, without the seen ones.

        Args:
            count: the most tasks wanted.
            seen: rows that this annotator has been shown; -1 is padding.
        """
        if not len(seen):
            taken = self._queue[self._head : min(self._head + count, self._tail)].copy()
            self._head += len(taken)
        else:
            self._seen[seen] = True
            taken = self._take_unseen(count)
            self._seen[seen] = False
        self.need[taken] -= 1
        self._queued[taken] = False
        self._append(taken[self.need[taken] > 0])
        return taken

    def _take_unseen(self, count: int) -> Ints:
        # The window grows by a factor until it holds enough unseen tasks: for an annotator with few
        # suites the first windows are enough.
        reach = count
        while True:
            end = min(self._head + reach, self._tail)
            window = self._queue[self._head : end]
            fresh = np.flatnonzero(~self._seen[window])
            if len(fresh) >= count or end == self._tail:
                break
            reach *= 4
        fresh = fresh[:count]
        if not len(fresh):
            return _NONE
        used = int(fresh[-1]) + 1
        taken = window[fresh]
        left = np.ones(used, dtype=np.bool_)
        left[fresh] = False
        # Tasks stepped over move up to the new head: they keep their turn for the next annotator.
        passed = window[:used][left]
        self._head += used - len(passed)
        self._queue[self._head : self._head + len(passed)] = passed
        return taken

    def extend(self, rows: int) -> None:
        """Append rows."""
        self.need = np.concatenate((self.need, np.zeros(rows, dtype=np.int64)))
        self._queued = np.concatenate((self._queued, np.zeros(rows, dtype=np.bool_)))
        self._seen = np.zeros(len(self.need) + 1, dtype=np.bool_)

    def lower(self, tasks: Ints) -> None:
        """Remove tasks from the queue: they want no further answers."""
        self.need[tasks] = 0
        waiting = self._queue[self._head : self._tail]
        kept = waiting[self.need[waiting] > 0]
        self._queued[waiting] = False
        self._head, self._tail = 0, len(kept)
        self._queue[: len(kept)] = kept
        self._queued[kept] = True

    def clear(self) -> None:
        """Empty the queue: no task wants further answers."""
        waiting = self._queue[self._head : self._tail]
        self.need[waiting] = 0
        self._queued[waiting] = False
        self._head = self._tail = 0

    def _append(self, tasks: Ints) -> None:
        if self._tail + len(tasks) > len(self._queue):
            self._make_room(len(tasks))
        self._queue[self._tail : self._tail + len(tasks)] = tasks
        self._tail += len(tasks)
        self._queued[tasks] = True

    def _make_room(self, more: int) -> None:
        waiting = self._queue[self._head : self._tail].copy()
        wanted = len(waiting) + more
        # Half of the queue stays free, so that moving the waiting tasks to the front is rare.
        if 2 * wanted > len(self._queue):
            self._queue = np.empty(4 * wanted, dtype=np.int64)
        self._queue[: len(waiting)] = waiting
        self._head, self._tail = 0, len(waiting)
