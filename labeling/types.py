"""The nouns of labeling, all frozen: plan, condition, order, assignment, answers, labels.

A task is the row of its image in the study's image index (an int), an annotator the platform's
opaque id (a str), a label the class index (an int).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from budget.errors import InputError
from budget.money import Money
from budget.tariffs.staff import Group

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]
    Bools: TypeAlias = NDArray[np.bool_]
    Floats: TypeAlias = NDArray[np.float64]
else:  # a command that meets no array does not wait for numpy
    Ints = Bools = Floats = Any

_KEY = re.compile(
    r"([pw])(\d+\.\d+)-k(?:(\d+)to)?(\d+)(?:at([0-9.]+(?:e-\d+)?))?-c(\d+)-n(\d+)(-exam)?(-prelabel)?"
    r"(?:-by-([a-z][a-z0-9_]*))?"
)  # of a plan
STOPPED = "stopped"
"""End of an order that the user stopped: the next order buys the missing answers."""


@dataclass(frozen=True, slots=True)
class DynamicOverlap:
    """A pool's setting: a task gets further answers until its label is sure enough.

    Attributes:
        least: smallest number of usable answers per task, at least 1.
        most: largest number of usable answers per task.
        confidence: probability of the leading label at which a task is done.
    """

    least: int
    most: int
    confidence: float

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise InputError(f"{self}: the smallest overlap lies between 1 and the largest")
        if not 0 < self.confidence < 1:
            raise InputError(f"{self}: the confidence lies above 0 and below 1, such as 0.9")

    def __str__(self) -> str:
        return f"dynamic({self.least},{self.most},{self.confidence!r})"


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """The knobs of one trial.

    Attributes:
        price: dollars per task (a control task is paid like a real task), or a wage per hour.
        overlap: usable answers wanted per task; the largest number under dynamic overlap.
        controls: control tasks in each suite.
        tasks: number of tasks, taken from the start of the pool's seeded order.
        exam: whether annotators must pass the campaign's exam first.
        dynamic: the dynamic overlap; None for the same overlap on every task.
        wage: whether the price is a wage per hour.
        prelabel: whether annotators see a prediction with each task.
        group: name of the group of own annotators who answer; empty for everybody.
    """

    price: Money
    overlap: int
    controls: int
    tasks: int
    exam: bool
    dynamic: DynamicOverlap | None = None
    wage: bool = False
    prelabel: bool = False
    group: str = ""

    def __post_init__(self) -> None:
        if self.dynamic is not None and self.overlap != self.dynamic.most:
            raise InputError(
                f"plan: overlap {self.overlap} is not the largest of {self.dynamic}; give that"
            )

    @property
    def key(self) -> str:
        """A readable unique name, such as "p0.002-k3-c1-n980-exam"; with a wage, "w18.00-..."."""
        extra = f"{'-exam' if self.exam else ''}{'-prelabel' if self.prelabel else ''}"
        extra += f"-by-{self.group}" if self.group else ""
        overlap = str(self.overlap)
        if self.dynamic is not None:
            overlap = f"{self.dynamic.least}to{self.overlap}at{self.dynamic.confidence!r}"
        price = f"{'w' if self.wage else 'p'}{self.price.exact()}"
        return f"{price}-k{overlap}-c{self.controls}-n{self.tasks}{extra}"

    @classmethod
    def parse(cls, key: str, name: str = "plan") -> LabelPlan:
        """The plan of a key, as reports print it.

        Args:
            key: such as "p0.002-k3-c1-n980-exam".
            name: name of the key in the error message.

        Raises:
            InputError: the text is no plan's key.
        """
        parts = _KEY.fullmatch(key)
        if not parts:
            raise InputError(
                f"{name}: {key!r} is no plan; give one as reports name it, such as "
                "p0.002-k3-c1-n980-exam, or advised for the campaign's own"
            )
        kind, price, least, most, sure, controls, tasks, exam, prelabel, group = parts.groups()
        if (least is None) != (sure is None):
            raise InputError(f"{name}: {key!r}: dynamic overlap is written as k2to5at0.9")
        rule = DynamicOverlap(int(least), int(most), float(sure)) if least else None
        return cls(
            Money.parse(price, name),
            int(most),
            int(controls),
            int(tasks),
            exam is not None,
            rule,
            kind == "w",
            prelabel is not None,
            group or "",
        )


@dataclass(frozen=True, slots=True)
class Condition:
    """The settings that influence annotators' answers; each condition has its own pool.

    Attributes:
        data: content hash of the pool's and the control tasks' images.
        market: the market that answers, such as "simulated:default".
        campaign: the campaign's key.
        price: dollars per task, or per hour where annotators earn a wage.
        controls: control tasks per suite.
        suite_size: tasks per suite, control tasks included.
        exam: whether an exam must be passed.
        dynamic: the pool's dynamic overlap; None for the same overlap on every task. Under dynamic
            overlap a task's answers stop when they agree: a smaller overlap cannot be selected from
            them.
        one_by_one: whether annotators submit tasks one at a time: an assignment is one task, and
            `controls` of every `suite_size` tasks are control tasks.
        prelabels: hash of the predictions that annotators see with the tasks; empty for none.
        group: the own annotators who answer; None for everybody.
    """

    data: str
    market: str
    campaign: str
    price: Money
    controls: int
    suite_size: int
    exam: bool
    dynamic: DynamicOverlap | None = None
    one_by_one: bool = False
    prelabels: str = ""
    group: Group | None = None

    @property
    def key(self) -> str:
        """Content hash of all fields."""
        # Conditions without the later fields keep the keys that they had before these existed.
        parts = (
            self.data,
            self.market,
            self.campaign,
            str(self.price.micros),
            str(self.controls),
            str(self.suite_size),
            str(self.exam),
            *([str(self.dynamic)] if self.dynamic else []),
            *(["one by one"] if self.one_by_one else []),
            *([f"prelabels {self.prelabels}"] if self.prelabels else []),
            *(["group", self.group.name, *self.group.members] if self.group else []),
        )
        return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()

    def people(self, everybody: int) -> int:
        """How many own annotators may answer, out of all."""
        return everybody if self.group is None else len(self.group.members)

    @property
    def reward(self) -> Money:
        """The tariff's rate: the price of a suite, or of one task, or the wage of an hour."""
        return self.price if self.one_by_one else self.price * self.suite_size

    @property
    def real_per_suite(self) -> int:
        """Tasks of a suite that are not control tasks."""
        return self.suite_size - self.controls

    @property
    def real_per_assignment(self) -> int | Fraction:
        """Expected tasks of an assignment that are not control tasks."""
        real = self.real_per_suite
        return Fraction(real, self.suite_size) if self.one_by_one else real


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase in a condition's pool, stored before any money is held.

    Attributes:
        condition: the condition whose pool sells the answers.
        tranche: 0 for the condition's first order, then 1, 2, ...
        wanted: (task, further usable answers wanted), in the pool's order; under dynamic overlap
            the largest number of further answers.
        limit: the most assignments that may be submitted, recompletion included.
        minutes: minutes after which the pool is closed; None for no deadline.
    """

    condition: Condition
    tranche: int
    wanted: tuple[tuple[int, int], ...]
    limit: int
    minutes: float | None

    @property
    def key(self) -> str:
        """Hash of (condition, tranche): the idempotency key of every request of the order."""
        text = f"{self.condition.key}/{self.tranche}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def answers_wanted(self) -> int:
        """Number of answers wanted in all."""
        return sum(count for _, count in self.wanted)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One suite done by one annotator, submitted and therefore paid.

    Attributes:
        id: unique in the order; collecting the order again gives the same id.
        tasks: rows of all tasks shown, control tasks included.
        labels: the answer to each task.
        control: whether each task was a control task.
        submitted_s: seconds from the opening of the order's pool to submission.
        seconds: working time.
        reward: the annotator's reward, without the platform fee.
        further: the answers to the campaign's further questions: one tuple per question, in the
            campaign's order, each in the sequence of `labels` (which answer the first question).
    """

    id: str
    annotator: str
    tasks: tuple[int, ...]
    labels: tuple[int, ...]
    control: tuple[bool, ...]
    submitted_s: float
    seconds: float
    reward: Money
    further: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Restriction:
    """A ban: the annotator gets no further suites of the condition."""

    annotator: str
    at_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class OrderEnd:
    """The end of an order.

    Attributes:
        reason: "complete", "limit" (assignments used up, answers missing), "deadline", "supply"
            (no annotator left for the missing answers), or "stopped" (by the user: the missing
            answers are still wanted).
        minutes: from the opening to the last submission; where answers are missing, to the closing
            if that is later.
        missing: usable answers still missing.
        looked: annotators who opened the pool's page.
        joined: annotators who submitted at least one assignment.
        exam_failed: annotators who sat the exam and failed.
    """

    reason: str
    minutes: float
    missing: int
    looked: int
    joined: int
    exam_failed: int


@dataclass(frozen=True, slots=True)
class Page:
    """A batch of an order's new assignments and bans. Only an order's last page has an `end`."""

    assignments: tuple[Assignment, ...]
    restrictions: tuple[Restriction, ...]
    end: OrderEnd | None


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers in columns, one row per answer, in a fixed order.

    Attributes:
        task: [A] row of the task.
        annotator: [A] small integer code of the annotator.
        label: [A] class index.
        control: [A] whether the task was shown as a control task.
        usable: [A] whether the annotator was not banned at the order's end.
    """

    task: Ints
    annotator: Ints
    label: Ints
    control: Bools
    usable: Bools

    def __len__(self) -> int:
        return len(self.task)

    def where(self, mask: Bools) -> Answers:
        """The rows for which the mask is true."""
        return Answers(
            self.task[mask],
            self.annotator[mask],
            self.label[mask],
            self.control[mask],
            self.usable[mask],
        )


@dataclass(frozen=True, slots=True)
class AnswerTimes:
    """Times of answers, row by row beside `Answers`.

    Attributes:
        submitted_s: [A] seconds from the opening of the order's pool to submission.
        seconds: [A] working time of the answer: the suite's time, divided equally among its tasks.
    """

    submitted_s: Floats
    seconds: Floats

    def where(self, mask: Bools) -> AnswerTimes:
        """The rows for which the mask is true."""
        return AnswerTimes(self.submitted_s[mask], self.seconds[mask])


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Aggregated labels of a plan's tasks.

    Attributes:
        task: [N] row of each task with at least one usable answer.
        shares: [N, C] (weighted) vote shares; rows sum to 1.
        posterior: [N, C] probability of each class under the aggregation model; rows sum to 1.
        answers: [N] number of answers behind each row.
    """

    task: Ints
    shares: Floats
    posterior: Floats
    answers: Ints

    def where(self, mask: Bools) -> LabelSet:
        """The rows for which the mask is true."""
        return LabelSet(
            self.task[mask], self.shares[mask], self.posterior[mask], self.answers[mask]
        )
