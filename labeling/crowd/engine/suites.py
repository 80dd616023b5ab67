"""Suites: the columns in which the engine writes what was shown and answered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labeling.crowd.engine.events import EXPIRE, HAND_BACK, SUBMIT
from labeling.crowd.people.answers import CHANCES
from labeling.crowd.scenario import Scenario
from labeling.types import Bools, Floats, Ints

_BLOCK = 256
_SKIP_SECONDS = 5.0  # a look at the page before it is handed back


class SuiteLog:
    """Every suite ever opened, one row each, in columns that grow by doubling.

    Attributes:
        count: number of suites opened.
        tasks: [., S] rows of the tasks shown, in the order on the page; -1 where there is none.
        labels: [., S] answers, in the same places.
        control: [., S] whether the place held a control task.
        person: [.] who opened it.
        start: [.] seconds of pool time at which it was opened.
        end: [.] seconds of pool time at which it is submitted, handed back or expires.
        seconds: [.] working time.
        wrong: [.] wrong answers to its control tasks.
        skill: [.] with dynamic overlap: the skill by which its answers are weighed; nan until it
            is submitted.
        further: [., S, Q] answers to Q further questions.
    """

    def __init__(self, size: int, questions: int = 0) -> None:
        self.count = 0
        self.tasks: Ints = np.full((_BLOCK, size), -1, dtype=np.int64)
        self.labels: Ints = np.zeros((_BLOCK, size), dtype=np.int64)
        self.control: Bools = np.zeros((_BLOCK, size), dtype=np.bool_)
        self.person: Ints = np.zeros(_BLOCK, dtype=np.int64)
        self.start: Floats = np.zeros(_BLOCK)
        self.end: Floats = np.zeros(_BLOCK)
        self.seconds: Floats = np.zeros(_BLOCK)
        self.wrong: Ints = np.zeros(_BLOCK, dtype=np.int64)
        self.skill: Floats = np.full(_BLOCK, np.nan)
        self.further: Ints = np.zeros((_BLOCK, size, questions), dtype=np.int64)

    def real(self, suite: int) -> tuple[Ints, Ints]:
        """Rows of a suite's real tasks, and the answers to them."""
        tasks = self.tasks[suite]
        real = (tasks >= 0) & ~self.control[suite]
        return tasks[real], self.labels[suite][real]

    def next(self) -> int:
        """The number of a new row."""
        if self.count == len(self.person):
            self._double()
        self.count += 1
        return self.count - 1

    def _double(self) -> None:
        self.tasks = np.concatenate((self.tasks, np.full_like(self.tasks, -1)))
        self.skill = np.concatenate((self.skill, np.full_like(self.skill, np.nan)))
        for name in ("labels", "control", "person", "start", "end", "seconds", "wrong", "further"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate((column, np.zeros_like(column))))


@dataclass(frozen=True, slots=True)
class SuiteDraw:
    """The random numbers of one suite.

    Attributes:
        chances: [S, CHANCES] uniform, for the answers.
        places: [S] a permutation: which task comes where on the page.
        fate: uniform: whether the suite is handed back or abandoned.
        time: standard normal: how long it takes.
    """

    chances: Floats
    places: Ints
    fate: float
    time: float


class SuiteDraws:
    """Random numbers of suites in the sequence in which they are opened, drawn in blocks."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self._size = size
        self._rng = rng
        self._next = _BLOCK

    def next(self) -> SuiteDraw:
        """The numbers of the next suite."""
        if self._next == _BLOCK:
            self._fill()
        at = self._next
        self._next += 1
        return SuiteDraw(self._chances[at], self._places[at], self._fates[at], self._times[at])

    def _fill(self) -> None:
        rng = self._rng
        self._chances = rng.random((_BLOCK, self._size, CHANCES))
        self._places: Ints = rng.random((_BLOCK, self._size)).argsort(axis=1)
        self._fates: list[float] = rng.random(_BLOCK).tolist()
        self._times: list[float] = rng.standard_normal(_BLOCK).tolist()
        self._next = 0


def fate_of(
    draw: SuiteDraw, seconds: float, scenario: Scenario, longest: float
) -> tuple[int, float]:
    """What becomes of a suite that was opened, and after how many seconds.

    Args:
        draw: the suite's random numbers.
        seconds: that its annotator would work on it.
        scenario: how often suites are handed back or forgotten.
        longest: seconds after which the platform takes it back.

    Returns:
        SUBMIT, HAND_BACK or EXPIRE, and the delay.
    """
    if draw.fate < scenario.skip_share:
        return HAND_BACK, min(_SKIP_SECONDS, float(longest))
    if draw.fate < scenario.skip_share + scenario.expire_share or seconds > longest:
        return EXPIRE, float(longest)
    return SUBMIT, seconds
