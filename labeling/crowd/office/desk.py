"""The queue of an office in process: who gets which task next, and when."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from labeling.crowd.office.staff import OfficeStaff, Worked
from labeling.seeds import stream
from labeling.timesheet.sheet import Sheet, WorkedAnswer
from labeling.types import Bools, Condition, Ints, Order

_DAY_S = 86_400.0


class Desk:
    """The people of an office at work in one condition, order after order.

    Like Label Studio's queue: tasks that have answers come first, else one at random; nobody gets
    a task twice. A person's control tasks come in random places. At the end of a working day all
    stop, and go on where they stopped the next morning.

    Args:
        staff: the people.
        sheet: counts their answers.
        condition: gives the share of control tasks.
        hours: that they work a day.
        seed: the study's seed.
    """

    def __init__(
        self, staff: OfficeStaff, sheet: Sheet, condition: Condition, hours: float, seed: int
    ) -> None:
        self._staff = staff
        self._sheet = sheet
        self._share = condition.controls / condition.suite_size
        self._day_s = 3600 * hours
        self._rng = stream(seed, condition.key, "desk")
        self._done: Counter[str] = Counter()
        self._today: dict[str, tuple[int, int]] = {}
        self._given = 0
        self.names = staff.names
        self.worked_s = 0.0

    def run(self, order: Order, controls: Sequence[int]) -> Iterator[WorkedAnswer]:
        """Answers to an order as they are submitted; the caller counts each before the next.

        It ends when no answer is missing, the limit is reached, the deadline is over, or nobody is
        left who could answer.
        """
        opened = self.worked_s
        until = opened + self._work_seconds(order.minutes)
        queue = _Queue(order, controls, self._sheet, self._staff.names, self._rng, self._share)
        turns: list[tuple[float, int, WorkedAnswer | None]] = []
        turns += [(opened, at, None) for at in range(len(self._staff.names))]
        waiting: list[int] = []
        while turns:
            at_s, person, answer = heapq.heappop(turns)
            if answer is not None:
                self.worked_s = at_s
                yield answer
                queue.hand_in(answer)
                for other in waiting:  # a ban may have made answers necessary again
                    heapq.heappush(turns, (at_s, other, None))
                waiting.clear()
            name = self._staff.names[person]
            task = queue.next(name) if at_s < until else None
            if task is None:
                waiting.append(person)
                continue
            done = self._answer(name, task, at_s)
            heapq.heappush(turns, (done.at_s, person, done))

    def clock_s(self, worked_s: float) -> float:
        """Seconds on the clock at a time of work, nights included."""
        days = int(worked_s // self._day_s)
        return days * _DAY_S + (worked_s - days * self._day_s)

    def _work_seconds(self, minutes: float | None) -> float:
        """Working time within a number of minutes on the clock from now."""
        if minutes is None:
            return float("inf")
        end = self.clock_s(self.worked_s) + 60 * minutes
        days = int(end // _DAY_S)
        return days * self._day_s + min(self._day_s, end - days * _DAY_S) - self.worked_s

    def _answer(self, name: str, task: int, at_s: float) -> WorkedAnswer:
        day = int(at_s // self._day_s)
        before, count = self._today.get(name, (day, 0))
        today = count if before == day else 0
        given = self._staff.answer(name, task, Worked(self._done[name], today))
        self._done[name] += 1
        self._today[name] = (day, today + 1)
        self._given += 1
        return WorkedAnswer(
            f"{self._given:07d}", name, task, given.labels, at_s + given.seconds, given.seconds
        )


class _Queue:
    """An order's tasks, and who may still get which.

    Args:
        order: the order.
        controls: rows of the condition's control tasks.
        sheet: what has been answered and counted.
        names: the people.
        rng: chooses tasks.
        share: share of control tasks in a person's work.
    """

    def __init__(
        self,
        order: Order,
        controls: Sequence[int],
        sheet: Sheet,
        names: Sequence[str],
        rng: np.random.Generator,
        share: float,
    ) -> None:
        self._sheet = sheet
        self._rng = rng
        self._share = share
        self._tasks = [task for task, _ in order.wanted]
        self._place = {task: at for at, task in enumerate(self._tasks)}
        answered = sheet.answered()
        self._begun: Bools = np.array([task in answered for task in self._tasks], np.bool_)
        self._in_hand: Ints = np.zeros(len(self._tasks), np.int64)
        self._held = 0
        self._fresh = {
            name: np.array([not sheet.has_seen(name, task) for task in self._tasks], np.bool_)
            for name in names
        }
        self._unchecked = {
            name: [task for task in controls if not sheet.has_seen(name, task)] for name in names
        }

    def next(self, name: str) -> int | None:
        """A task for a person, who holds it until it is handed in; None if there is none."""
        sheet, unchecked = self._sheet, self._unchecked[name]
        if name in sheet.banned or sheet.left <= self._held:
            return None
        able = (sheet.missing() > self._in_hand) & self._fresh[name]
        if not able.any():
            return None
        self._held += 1
        if unchecked and self._rng.random() < self._share:
            return unchecked.pop(int(self._rng.integers(len(unchecked))))
        choice = np.flatnonzero(able & self._begun)
        if not len(choice):
            choice = np.flatnonzero(able)
        place = int(choice[self._rng.integers(len(choice))])
        self._begun[place] = True
        self._fresh[name][place] = False
        self._in_hand[place] += 1
        return self._tasks[place]

    def hand_in(self, answer: WorkedAnswer) -> None:
        """Note that a person submitted the task in hand."""
        self._held -= 1
        place = self._place.get(answer.task) if answer.task is not None else None
        if place is not None:
            self._in_hand[place] -= 1
