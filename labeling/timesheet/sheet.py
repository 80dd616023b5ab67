"""A condition's answers in the order of submission: which count, what they earn, who is trusted.

Label Studio enforces nothing: a person may answer twice, late, in another's name, or with a class
that does not exist. So every answer passes here. The rules look back only, so that the same answers
give the same assignments, however often they are collected.
"""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from budget.money import Money
from budget.tariffs.staff import StaffTariff
from labeling.aggregation.dynamic_overlap import skill_of
from labeling.campaign.campaign import FAST_RESPONSES, WRONG_CONTROLS, Campaign
from labeling.timesheet.tally import Tally, tally_of
from labeling.types import Assignment, Ints, Order, Restriction

USUAL_FROM = 5
"""Answers of a person from which on the person's median time limits what is paid."""

JUDGED_FROM, TIMED_FROM = 3, 10
"""Control answers, and answers, of a person from which on a ban is possible."""


@dataclass(frozen=True, slots=True)
class WorkedAnswer:
    """One answer as it was submitted.

    Attributes:
        id: unique in the condition.
        annotator: who answered.
        task: row of the image; None if the task is not the study's.
        labels: the class chosen for each of the campaign's questions; None for an unknown class.
        at_s: time of the submission, in seconds of any one clock.
        seconds: working time, as the annotator's browser tells it.
        fault: why the answer cannot count, as far as the market sees it; empty for no fault.
    """

    id: str
    annotator: str
    task: int | None
    labels: tuple[int, ...] | None
    at_s: float
    seconds: float
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that does not count and is not paid, and why."""

    id: str
    annotator: str
    reason: str


@dataclass(slots=True)
class _Record:
    """A person's work in a condition: sorted paid times, control answers, fast answers."""

    times: list[int] = field(default_factory=list)
    judged: int = 0
    wrong: int = 0
    fast: int = 0


@dataclass(slots=True)
class _OrderWork:
    """An order's answers so far."""

    order: Order
    opened_s: float
    paid: int = 0
    last_s: float = 0.001


class Sheet:
    """The work done in one condition, through all its orders.

    A person is banned at half of the control answers wrong, from `JUDGED_FROM` of them on, or at
    half of the answers too fast to look, from `TIMED_FROM` on. The campaign's rules switch both
    off with 0.

    Args:
        campaign: the questions and rules.
        tariff: what an answer earns.
        truth: class of each control task, for the campaign's judged question.
    """

    def __init__(self, campaign: Campaign, tariff: StaffTariff, truth: Mapping[int, int]) -> None:
        self._campaign = campaign
        self._tariff = tariff
        self._truth = truth
        self._people: defaultdict[str, _Record] = defaultdict(_Record)
        self._seen: set[tuple[str, int]] = set()
        self._refused: set[tuple[str, int]] = set()
        self._known: set[int] = set()
        self._work: _OrderWork | None = None
        self._tally: Tally | None = None
        self.banned: dict[str, str] = {}

    def open(self, order: Order, opened_s: float) -> None:
        """Begin an order; the answers that follow are its own."""
        if self._tally is None:
            asked = self._campaign.questions[self._campaign.judged or 0]
            self._tally = tally_of(order.condition.dynamic, len(asked.classes))
        self._tally.open(order)
        self._work = _OrderWork(order, opened_s)
        self._known.update(task for task, _ in order.wanted)

    def take(
        self, answer: WorkedAnswer, clock_s: float | None = None
    ) -> tuple[Assignment | Refusal, Restriction | None]:
        """Count an answer, or refuse it; and ban its annotator if it comes to that.

        Args:
            answer: the next one submitted.
            clock_s: its time on the clock of `open`; None for `answer.at_s`.
        """
        work, at_s = self._at_work, answer.at_s if clock_s is None else clock_s
        reason = self._fault(answer, work)
        if reason or answer.task is None or answer.labels is None:
            if answer.task is not None:
                self._refused.add((answer.annotator, answer.task))
            return Refusal(answer.id, answer.annotator, reason), None
        record = self._people[answer.annotator]
        usual = float(np.median(record.times)) if len(record.times) >= USUAL_FROM else None
        paid_ms = self._tariff.time.paid_ms(answer.seconds, usual)
        control = answer.task in self._truth
        # A server may show an answer after one that was submitted a little later.
        work.last_s = max(work.last_s, round(at_s - work.opened_s, 3))
        self._seen.add((answer.annotator, answer.task))
        bisect.insort(record.times, self._tariff.time.paid_ms(answer.seconds))
        work.paid += 1
        if not control and answer.annotator not in self.banned:
            skill = float(skill_of(record.judged - record.wrong, record.judged))
            label = answer.labels[self._campaign.judged or 0]
            self._counted.count(answer.annotator, answer.task, label, skill)
        made = Assignment(
            id=answer.id,
            annotator=answer.annotator,
            tasks=(answer.task,),
            labels=answer.labels[:1],
            control=(control,),
            submitted_s=work.last_s,
            seconds=paid_ms / 1000,
            reward=self._reward(answer.annotator, work.order, paid_ms),
            further=tuple((label,) for label in answer.labels[1:]),
        )
        return made, self._judge(answer, record, paid_ms, made.submitted_s)

    def missing(self) -> Ints:
        """Usable answers that the order still lacks, [n] in the sequence of its wanted tasks."""
        return self._counted.missing()

    @property
    def left(self) -> int:
        """Answers that the order's limit leaves; below 0 above it."""
        return self._at_work.order.limit - self._at_work.paid

    def can_answer(self, people: Collection[str]) -> bool:
        """Whether one of some people may still give an answer that the order lacks.

        A market asks nobody a second time, after an answer that was refused neither.
        """
        places = np.flatnonzero(self.missing()).tolist()
        tasks = [self._at_work.order.wanted[at][0] for at in places]
        trusted = [name for name in people if name not in self.banned]
        left = ((name, task) for task in tasks for name in trusted)
        return any(each not in self._seen and each not in self._refused for each in left)

    def has_seen(self, annotator: str, task: int) -> bool:
        """Whether a person has answered a task."""
        return (annotator, task) in self._seen

    def answers_by(self) -> Counter[str]:
        """Counted answers of each person in the condition."""
        return Counter(name for name, _ in self._seen)

    def answered(self) -> Counter[int]:
        """Counted answers to each task, whoever gave them."""
        return Counter(task for _, task in self._seen)

    @property
    def _at_work(self) -> _OrderWork:
        if self._work is None:
            raise ValueError("no order is open")
        return self._work

    @property
    def _counted(self) -> Tally:
        if self._tally is None:
            raise ValueError("no order is open")
        return self._tally

    def _reward(self, annotator: str, order: Order, paid_ms: int) -> Money:
        return self._tariff.earned(annotator, order.condition.reward, paid_ms)

    def _fault(self, answer: WorkedAnswer, work: _OrderWork) -> str:
        if answer.fault:
            return answer.fault
        group = work.order.condition.group
        if group is not None and answer.annotator not in group.members:
            return f"not of the group {group.name}"
        if answer.task is None or not (answer.task in self._known or answer.task in self._truth):
            return "the task is not the study's"
        if answer.labels is None:
            return "unknown class"
        if (answer.annotator, answer.task) in self._seen:
            return "second answer of a person to a task"
        if work.paid >= work.order.limit + self._tariff.among(group).people:
            return "above the limit"
        return ""

    def _judge(
        self, answer: WorkedAnswer, record: _Record, paid_ms: int, at_s: float
    ) -> Restriction | None:
        rules, judged = self._campaign.rules, self._campaign.judged
        if judged is not None and answer.task is not None and answer.labels is not None:
            truth = self._truth.get(answer.task)
            record.judged += truth is not None
            record.wrong += truth is not None and answer.labels[judged] != truth
        record.fast += paid_ms < 1000 * rules.fast_seconds / self._campaign.suite_size
        reason = ""
        if rules.wrong_controls and record.judged >= JUDGED_FROM:
            reason = WRONG_CONTROLS if 2 * record.wrong >= record.judged else ""
        if rules.fast_responses and not reason and len(record.times) >= TIMED_FROM:
            reason = FAST_RESPONSES if 2 * record.fast >= len(record.times) else ""
        if not reason or answer.annotator in self.banned:
            return None
        self.banned[answer.annotator] = reason
        self._counted.withdraw(answer.annotator)
        return Restriction(answer.annotator, at_s, reason)
