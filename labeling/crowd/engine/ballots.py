"""Ballots: how sure each task's label is, in a pool with dynamic overlap."""

from __future__ import annotations

import numpy as np

from labeling.aggregation.dynamic_overlap import enough, votes
from labeling.types import DynamicOverlap, Ints


class Ballots:
    """Usable answers per task and their votes, each weighed by the skill known when it came.

    Answers of an annotator who is banned are taken out again. Suites that were submitted stay;
    only what has still to be asked follows from the ballots.
    """

    def __init__(self, rule: DynamicOverlap, rows: int, classes: int) -> None:
        self._rule = rule
        self._classes = classes
        self._score = np.zeros((rows, classes))
        self._answers = np.zeros(rows, dtype=np.int64)
        self._active = np.zeros(rows, dtype=np.int64)
        self._most = np.zeros(rows, dtype=np.int64)

    def extend(self, rows: int) -> None:
        """Further rows behind those there are."""
        self._score = np.concatenate((self._score, np.zeros((rows, self._classes))))
        for name in ("_answers", "_active", "_most"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate((column, np.zeros(rows, dtype=np.int64))))

    def allow(self, tasks: Ints, further: Ints) -> None:
        """An order allows so many further usable answers on tasks."""
        self._most[tasks] = np.minimum(self._answers[tasks] + further, self._rule.most)

    def opened(self, tasks: Ints) -> None:
        """Tasks are on a page that somebody opened."""
        self._active[tasks] += 1

    def given_up(self, tasks: Ints) -> None:
        """The page was handed back or expired."""
        self._active[tasks] -= 1

    def submitted(self, tasks: Ints, labels: Ints, skill: float) -> None:
        """The page was submitted by somebody of that skill."""
        self._active[tasks] -= 1
        self._answers[tasks] += 1
        self._score[tasks] += votes(labels, skill, self._classes)

    def withdrawn(self, tasks: Ints, labels: Ints, skill: float) -> None:
        """Whoever submitted the page is banned."""
        self._answers[tasks] -= 1
        self._score[tasks] -= votes(labels, skill, self._classes)

    def due(self, tasks: Ints, asked: Ints) -> Ints:
        """Those tasks that need one more answer now: asked nowhere, and not sure enough.

        Args:
            tasks: [n] rows, all different.
            asked: [n] answers they are in the queue for.
        """
        waiting = (asked > 0) | (self._active[tasks] > 0)
        return tasks[(self.lacking(tasks) > 0) & ~waiting]

    def lacking(self, tasks: Ints) -> Ints:
        """[n] further usable answers to ask for: up to the least at once, then one by one."""
        answers, most = self._answers[tasks], self._most[tasks]
        done = enough(self._rule, answers, self._score[tasks])
        wanted = np.minimum(np.maximum(self._rule.least, answers + 1), most)
        lacking: Ints = np.where(done, 0, np.maximum(wanted - answers, 0))
        return lacking
