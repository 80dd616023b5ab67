"""Ballots: how sure each task's label is, in a pool with dynamic overlap."""

from __future__ import annotations

import numpy as np

from labeling.aggregation.dynamic_overlap import enough, votes
from labeling.types import DynamicOverlap, Ints


class Ballots:
    """Usable answers per task and their votes.

    A vote is weighed by the annotator's skill at submission. A ban removes the annotator's votes.
    Submitted suites stay; the ballots decide only which answers are still asked.
    """

    def __init__(self, rule: DynamicOverlap, rows: int, classes: int) -> None:
        self._rule = rule
        self._classes = classes
        self._score = np.zeros((rows, classes))
        self._answers = np.zeros(rows, dtype=np.int64)
        self._active = np.zeros(rows, dtype=np.int64)
        self._most = np.zeros(rows, dtype=np.int64)

    def extend(self, rows: int) -> None:
        """Append rows."""
        self._score = np.concatenate((self._score, np.zeros((rows, self._classes))))
        for name in ("_answers", "_active", "_most"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate((column, np.zeros(rows, dtype=np.int64))))

    def allow(self, tasks: Ints, further: Ints) -> None:
        """Allow an order's further usable answers on its tasks."""
        self._most[tasks] = np.minimum(self._answers[tasks] + further, self._rule.most)

    def opened(self, tasks: Ints) -> None:
        """Count tasks on a page that an annotator opened."""
        self._active[tasks] += 1

    def given_up(self, tasks: Ints) -> None:
        """Remove tasks of a page that was handed back or expired."""
        self._active[tasks] -= 1

    def submitted(self, tasks: Ints, labels: Ints, skill: float) -> None:
        """Count the votes of a page that an annotator of this skill submitted."""
        self._active[tasks] -= 1
        self._answers[tasks] += 1
        self._score[tasks] += votes(labels, skill, self._classes)

    def withdrawn(self, tasks: Ints, labels: Ints, skill: float) -> None:
        """Remove the votes of a page whose annotator is banned."""
        # The skill must be the skill at submission: else a part of the votes stays in the score.
        self._answers[tasks] -= 1
        self._score[tasks] -= votes(labels, skill, self._classes)

    def due(self, tasks: Ints, asked: Ints) -> Ints:
        """Tasks that need one more answer now: not sure enough, and no answer is under way.

        Args:
            tasks: [n] rows, all different.
            asked: [n] answers in the queue for each task.
        """
        # One answer at a time: each may settle the task, and answers under way might do so already.
        waiting = (asked > 0) | (self._active[tasks] > 0)
        return tasks[(self.lacking(tasks) > 0) & ~waiting]

    def lacking(self, tasks: Ints) -> Ints:
        """Further usable answers [n] to ask for: up to the least at once, then one by one."""
        answers, most = self._answers[tasks], self._most[tasks]
        done = enough(self._rule, answers, self._score[tasks])
        wanted = np.minimum(np.maximum(self._rule.least, answers + 1), most)
        lacking: Ints = np.where(done, 0, np.maximum(wanted - answers, 0))
        return lacking
