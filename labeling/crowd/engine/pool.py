"""A pool: what the requester sets, and what the platform knows of those who take part."""

from __future__ import annotations

from dataclasses import dataclass, field

from budget.money import Money
from labeling.aggregation.dynamic_overlap import skill_of
from labeling.campaign.campaign import Exam, QualityRules
from labeling.types import DynamicOverlap, Ints


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, the resolution at which platforms tell times."""
    return round(1000 * seconds)


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What the requester sets for a pool.

    Attributes:
        price: dollars per task.
        suite_size: tasks per suite S, control tasks included.
        controls: control tasks per suite.
        exam: the unpaid admission test, or None.
        rules: when annotators are banned.
        assignment_seconds: an assignment not submitted in this time expires unpaid.
        classes: number of classes of the question.
        control_rows: [G] rows that serve as control tasks.
        exam_rows: [E] rows that make up the exam.
        dynamic: when a task needs no further answer; None for as many as are asked.
        partial: whether the last suite is given out if there are too few real tasks to fill it.
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
    """What the platform knows about one annotator who takes part.

    Attributes:
        person: their number in the row of people.
        controls: [G] the control tasks in the order in which this person gets them.
        left: suites they still want on this visit.
        used: control tasks shown to them.
        done: suites submitted.
        judged: answers to control and exam tasks.
        wrong: wrong control answers submitted.
        failed: wrong exam answers.
        fast: fast responses submitted.
        admitted: passed the exam, or there is none.
        banned: gets no more suites.
        busy: has an event to come.
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
        """The platform's estimate of the person's skill, by control and exam tasks."""
        return float(skill_of(self.judged - self.wrong - self.failed, self.judged))


@dataclass(frozen=True, slots=True)
class Ban:
    """A ban: who, when (seconds of pool time), why, and after which submission."""

    person: int
    at: float
    reason: str
    suite: int


@dataclass(frozen=True, slots=True)
class ExamSat:
    """An exam: who sat it, when it ended (seconds of pool time), and the answer to each task."""

    person: int
    at: float
    labels: Ints
