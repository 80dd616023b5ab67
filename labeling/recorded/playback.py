"""Playback: one condition's recorded annotators at work on a virtual clock, an order at a time.

A suite goes to one annotator and shows tasks that this annotator answered in the recording; no
recorded answer is given twice. Annotators who can fill a whole suite come first. Each of them has a
chance in proportion to the number of answers that they can give, so every recorded answer is about
as likely to be served. If no annotator can fill a suite, an annotator with the most answers comes
next. In a recording without ids, each suite is done by a new annotator.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from labeling.campaign.campaign import FAST_RESPONSES, WRONG_CONTROLS, QualityRules
from labeling.source import assignments_left, missing_answers, next_round, wanted_arrays
from labeling.types import Bools, Floats, Ints, Order, OrderEnd

AT_ONCE = 8
"""Annotators at work at a time. A recording does not tell this number. It follows from a published
campaign: 327 suites of 42 s within 30 minutes. Minutes are proportional to its inverse."""


@dataclass(frozen=True, slots=True)
class RecordedAnswers:
    """Recorded answers to the study's images, one entry per answer, sorted by row.

    Attributes:
        row: [A] image row.
        label: [A] class index.
        person: [A] code of the annotator; all 0 for a recording without ids.
        seconds: [A] working time; all 0 for a recording without times.
        wrong: [A] whether the answer is a wrong answer to a control task.
        control: [A] whether the row is a control task.
    """

    row: Ints
    label: Ints
    person: Ints
    seconds: Floats
    wrong: Bools
    control: Bools


@dataclass(frozen=True, slots=True)
class RecordedSuite:
    """A suite: its annotator, its places among the recorded answers, and its times in seconds."""

    person: int
    places: Ints
    seconds: float
    end: float


@dataclass(frozen=True, slots=True)
class OrderPlayback:
    """A played order: [first, last) of the suites and of the bans, and the end."""

    order: Order
    opened: float
    suites: tuple[int, int]
    bans: tuple[int, int]
    end: OrderEnd


class _SuiteIssuer(Protocol):
    """Issues suites of recorded answers."""

    def ask(self, tasks: Ints, counts: Ints) -> None:
        """Set the number of answers wanted on each task; this replaces the earlier numbers."""
        ...

    def take(self, idle: Bools) -> tuple[int, Ints] | None:
        """The next suite of an idle annotator: annotator and places; None if no annotator can."""
        ...


class Playback:
    """A condition's annotators at work.

    Args:
        recorded: the recorded answers.
        admitted: [J] whether each annotator may work; None for a recording without ids.
        real: most real tasks per suite.
        controls: control tasks per suite.
        rules: the rules for bans; without ids they ban no annotator.
        exam_failed: annotators who sat the exam and failed.
        rng: draws annotators and tasks.
    """

    def __init__(
        self,
        recorded: RecordedAnswers,
        admitted: Bools | None,
        real: int,
        controls: int,
        rules: QualityRules,
        exam_failed: int,
        rng: np.random.Generator,
    ) -> None:
        self.suites: list[RecordedSuite] = []
        self.bans: list[tuple[int, float, str, int]] = []  # person, time, reason, suite
        self.recorded, self._real, self._controls, self._rules = recorded, real, controls, rules
        self._clock = 0.0
        self._idle = np.ones(1, dtype=np.bool_) if admitted is None else admitted.copy()
        self._named = admitted is not None
        self._wrong = np.zeros(len(self._idle), dtype=np.int64)
        self._fast = np.zeros(len(self._idle), dtype=np.int64)
        self._exam_failed = exam_failed
        self._issuer: _SuiteIssuer = (
            _IssuerWithIds(recorded, len(self._idle), real, controls, rng)
            if self._named
            else _IssuerWithoutIds(recorded, real, rng)
        )

    def run(self, order: Order) -> OrderPlayback:
        """Play an order; further rounds ask again for answers that bans made unusable."""
        opened, first, bans = self._clock, len(self.suites), len(self.bans)
        deadline = opened + 60 * order.minutes if order.minutes is not None else math.inf
        reason = self._rounds(order, first, deadline)
        missing = int(self._missing(order, first).sum())
        if not missing:
            reason = "complete"
        closed = deadline if reason == "deadline" else self._clock
        end = OrderEnd(
            reason=reason,
            minutes=(max(closed, self._clock) - opened) / 60,
            missing=missing,
            looked=len({s.person for s in self.suites[first:]}) + self._exam_failed,
            joined=len({s.person for s in self.suites[first:]}),
            exam_failed=self._exam_failed,
        )
        self._exam_failed = 0  # the exam belongs to the condition's first order
        return OrderPlayback(order, opened, (first, len(self.suites)), (bans, len(self.bans)), end)

    def _rounds(self, order: Order, first: int, deadline: float) -> str:
        tasks, wanted = wanted_arrays(order)
        raised = next_round(wanted, self._real, order.limit)
        while True:
            before = len(self.suites)
            self._issuer.ask(tasks, raised)
            in_time = self._work(order.limit - (before - first), deadline)
            if not in_time:
                return "deadline"
            missing = self._missing(order, first)
            left = assignments_left(order.limit, len(self.suites) - first, 0)
            raised = next_round(missing, self._real, left)
            if not raised.any():
                return "limit" if missing.any() else "complete"
            if len(self.suites) == before:
                return "supply"

    def _work(self, most: int, deadline: float) -> bool:
        """Issue suites and let time pass until all are submitted.

        Returns:
            Whether all suites were issued before the deadline.
        """
        active: list[tuple[float, int, int, Ints, float]] = []
        issued, in_time, exhausted = 0, True, False
        while True:
            while len(active) < AT_ONCE and issued < most and not exhausted:
                if self._clock >= deadline:
                    in_time, exhausted = False, True
                    break
                suite = self._issuer.take(self._idle)
                if suite is None:
                    break
                person, places = suite
                seconds = float(self.recorded.seconds[places].sum())
                heapq.heappush(active, (self._clock + seconds, issued, person, places, seconds))
                issued += 1
                if self._named:
                    self._idle[person] = False
            if not active:
                return in_time
            self._clock, _, person, places, seconds = heapq.heappop(active)
            self._submit(RecordedSuite(person, places, seconds, self._clock))

    def _submit(self, suite: RecordedSuite) -> None:
        self.suites.append(suite)
        if not self._named:
            return
        rules, person = self._rules, suite.person
        self._wrong[person] += int(self.recorded.wrong[suite.places].sum())
        full = len(suite.places) == self._real + self._controls
        self._fast[person] += full and 0 < suite.seconds < rules.fast_seconds
        reason = None
        if rules.wrong_controls and self._wrong[person] >= rules.wrong_controls:
            reason = WRONG_CONTROLS
        elif rules.fast_responses and self._fast[person] >= rules.fast_responses:
            reason = FAST_RESPONSES
        if reason is None:
            self._idle[person] = True
        else:
            self.bans.append((person, self._clock, reason, len(self.suites) - 1))

    def _missing(self, order: Order, first: int) -> Ints:
        tasks, wanted = wanted_arrays(order)
        banned = {person for person, *_ in self.bans} if self._named else set()
        mine = self.suites[first:]
        places = np.concatenate([s.places for s in mine] or [np.empty(0, dtype=np.int64)])
        usable = np.repeat(
            np.array([s.person not in banned for s in mine], dtype=np.bool_),
            [len(s.places) for s in mine],
        )
        real = ~self.recorded.control[places]
        return missing_answers(tasks, wanted, self.recorded.row[places][real], usable[real])


class _IssuerWithIds:
    """Suites of annotators with ids: their own answers, and their own control answers."""

    def __init__(
        self,
        recorded: RecordedAnswers,
        people: int,
        real: int,
        controls: int,
        rng: np.random.Generator,
    ) -> None:
        self._recorded, self._real, self._per_suite, self._rng = recorded, real, controls, rng
        rows = int(recorded.row.max(initial=-1)) + 1
        self._need = np.zeros(rows, dtype=np.int64)
        self._first = np.searchsorted(recorded.row, np.arange(rows + 1))
        self._unused = ~recorded.control
        self._offer = np.zeros(people, dtype=np.int64)  # unused answers to tasks that are needed
        by_person = np.argsort(recorded.person, kind="stable")
        ends = np.searchsorted(recorded.person[by_person], np.arange(people + 1))
        own = [by_person[ends[j] : ends[j + 1]] for j in range(people)]
        self._answers = [places[~recorded.control[places]] for places in own]
        self._controls = [rng.permutation(places[recorded.control[places]]) for places in own]
        self._left = np.array([len(places) for places in self._controls], dtype=np.int64)

    def ask(self, tasks: Ints, counts: Ints) -> None:
        """Set the number of answers wanted on each task; this replaces the earlier numbers."""
        self._need[:] = 0
        self._need[tasks] = counts
        wanted = self._unused & (self._need[self._recorded.row] > 0)
        self._offer = np.bincount(self._recorded.person[wanted], minlength=len(self._offer))

    def take(self, idle: Bools) -> tuple[int, Ints] | None:
        """The next suite of an idle annotator."""
        able = np.where(idle & (self._left >= self._per_suite), self._offer, 0)
        most = int(able.max(initial=0))
        if not most:
            return None
        chosen = np.where(able >= min(most, self._real), able, 0)
        person = int(self._rng.choice(len(able), p=chosen / chosen.sum()))
        own = self._answers[person]
        own = own[self._unused[own] & (self._need[self._recorded.row[own]] > 0)]
        real = self._rng.permutation(own)[: self._real]
        self._give(real)
        last = int(self._left[person])
        self._left[person] -= self._per_suite
        controls = self._controls[person][last - self._per_suite : last]
        return person, self._rng.permutation(np.concatenate((real, controls)))

    def _give(self, places: Ints) -> None:
        recorded = self._recorded
        self._unused[places] = False
        np.subtract.at(self._offer, recorded.person[places], 1)
        rows = recorded.row[places]
        self._need[rows] -= 1
        for row in rows[self._need[rows] == 0].tolist():
            others = np.arange(self._first[row], self._first[row + 1])
            np.subtract.at(self._offer, recorded.person[others[self._unused[others]]], 1)


class _IssuerWithoutIds:
    """Suites of a recording without ids: each by a new annotator, with one answer to each task."""

    def __init__(self, recorded: RecordedAnswers, real: int, rng: np.random.Generator) -> None:
        self._recorded, self._real, self._rng = recorded, real, rng
        rows = int(recorded.row.max(initial=-1)) + 1
        self._shuffled = np.lexsort((rng.random(len(recorded.row)), recorded.row))
        self._next, self._end = np.searchsorted(
            recorded.row, [np.arange(rows), np.arange(1, rows + 1)]
        )
        self._queue: Ints = np.empty(0, dtype=np.int64)
        self._at = 0
        self._people = 0

    def ask(self, tasks: Ints, counts: Ints) -> None:
        """Set the number of answers wanted on each task; this replaces the earlier numbers."""
        counts = np.minimum(counts, self._end[tasks] - self._next[tasks])
        order = self._rng.permutation(len(tasks))
        tasks, counts = tasks[order], counts[order]
        most = int(counts.max(initial=0))
        layers = [tasks[counts > layer] for layer in range(most)]
        self._queue = np.concatenate([np.empty(0, dtype=np.int64), *layers])
        self._at = 0

    def take(self, idle: Bools) -> tuple[int, Ints] | None:
        """The next suite: tasks in the queue's order, up to the first repeated task."""
        rows = self._queue[self._at : self._at + self._real]
        if not len(rows):
            return None
        _, first = np.unique(rows, return_index=True)
        repeated = np.setdiff1d(np.arange(len(rows)), first)
        rows = rows[: repeated[0]] if len(repeated) else rows
        self._at += len(rows)
        places = self._shuffled[self._next[rows]]
        self._next[rows] += 1
        self._people += 1
        return self._people, places
