"""A pool: the requester's settings, and the platform's records of annotators, bans and exams."""

from __future__ import annotations

from dataclasses import dataclass, field

from budget.money import Money
from labeling.aggregation.dynamic_overlap import skill_of
from labeling.campaign.campaign import Exam, QualityRules
from labeling.types import DynamicOverlap, Ints


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, the resolution of platforms' times."""
    return round(1000 * seconds)


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """The requester's settings of a pool.

    Attributes:
        price: dollars per task.
        suite_size: tasks per suite S, control tasks included.
        controls: control tasks per suite.
        exam: the unpaid admission test, or None.
        rules: the rules for bans.
        assignment_seconds: an assignment not submitted in this time expires unpaid.
        classes: number of classes of the question.
        control_rows: [G] rows that serve as control tasks.
        exam_rows: [E] rows that make up the exam.
        dynamic: the dynamic overlap; None for a fixed overlap.
        partial: whether a suite is issued if real tasks are too few to fill it.
    """

    price: Money
    suite_size: int
    controls: int
    exam: Exam | None
    rules: QualityRules
    assignment_seconds: float
    classes: int
    control_rows: Ints
    exam_rows: Ints
    dynamic: DynamicOverlap | None = None
    partial: bool = True

    @property
    def real_per_suite(self) -> int:
        """Tasks of a suite that are not control tasks."""
        return self.suite_size - self.controls


@dataclass(slots=True)
class Visitor:
    """The platform's record of an annotator who takes part.

    Attributes:
        person: the annotator's number in the row of people.
        controls: [G] the control tasks, in the order in which this annotator gets them.
        left: suites that the annotator still wants on this visit.
        used: number of control tasks shown to the annotator.
        done: number of suites submitted.
        judged: number of answers to control and exam tasks.
        wrong: number of wrong control answers submitted.
        failed: number of wrong exam answers.
        fast: number of fast responses submitted.
        admitted: whether the annotator may work in the pool.
        banned: whether the annotator is banned.
        busy: whether an event of the annotator is scheduled.
        opened: suites opened, as rows of the log.
    """

    person: int
    controls: Ints
    left: int
    used: int = 0
    done: int = 0
    judged: int = 0
    wrong: int = 0
    failed: int = 0
    fast: int = 0
    admitted: bool = True
    banned: bool = False
    busy: bool = False
    opened: list[int] = field(default_factory=list)

    @property
    def skill(self) -> float:
        """The platform's estimate of the annotator's skill, from control and exam tasks."""
        return float(skill_of(self.judged - self.wrong - self.failed, self.judged))


@dataclass(frozen=True, slots=True)
class Ban:
    """A ban: annotator, time (seconds of pool time), reason, and the suite submitted before it."""

    person: int
    at: float
    reason: str
    suite: int


@dataclass(frozen=True, slots=True)
class ExamRecord:
    """An exam: annotator, end (seconds of pool time), and the answer to each task."""

    person: int
    at: float
    labels: Ints
