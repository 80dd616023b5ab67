"""Updates of an order's assignments: only assignments that may still change are read again."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from budget.errors import MarketContradiction
from budget.money import Money
from labeling.campaign.campaign import Campaign
from labeling.toloka.api.client import Api
from labeling.types import Assignment

PAID = frozenset({"ACCEPTED", "SUBMITTED"})
_LISTED = 10_000  # assignments in one answer
_STRIDE = 20  # smallest number of final assignments that the next question skips


@dataclass(frozen=True, slots=True)
class AssignmentUpdate:
    """An assignment in its current state on the platform.

    Attributes:
        tasks: ids of its tasks, in the order of the page.
        answers: output values of each task; empty until the submission.
        ended: time of the submission, handing back or expiry; None while it is active.
    """

    id: str
    user: str
    status: str
    created: datetime
    submitted: datetime | None
    ended: datetime | None
    reward: Money
    tasks: tuple[str, ...]
    answers: tuple[Mapping[str, Any], ...]

    @property
    def is_given(self) -> bool:
        """Whether it was submitted, paid or not: the platform counts such answers for overlap."""
        return self.status in PAID or self.status == "REJECTED"


def read_suites(api: Api, pool_id: str, after: str = "", upto: str = "") -> list[AssignmentUpdate]:
    """A pool's assignments, oldest first.

    Args:
        api: the platform.
        pool_id: the pool.
        after: id of an assignment; only later assignments are read. Empty for all.
        upto: id of an assignment; only assignments up to it are read. Empty for all.
    """
    bounds = {"id_gt": after, "id_lte": upto}
    filters = {name: bound for name, bound in bounds.items() if bound}
    raw = api.list("/v1/assignments", _LISTED, pool_id=pool_id, **filters)
    return sorted((_suite(assignment) for assignment in raw), key=lambda suite: suite.id)


def _suite(raw: Mapping[str, Any]) -> AssignmentUpdate:
    times = {name: _time(raw.get(name)) for name in ("submitted", "skipped", "expired")}
    return AssignmentUpdate(
        id=raw["id"],
        user=raw["user_id"],
        status=raw["status"],
        created=_time(raw["created"]) or datetime.min.replace(tzinfo=UTC),
        submitted=times["submitted"],
        ended=next((time for time in times.values() if time is not None), None),
        reward=Money.parse(str(raw.get("reward", 0)), "reward"),
        tasks=tuple(task["id"] for task in raw.get("tasks", ())),
        answers=tuple(
            solution.get("output_values") or {} for solution in raw.get("solutions") or ()
        ),
    )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AssignmentReader:
    """Reads the platform's assignments as assignments of an order.

    Attributes:
        campaign: the campaign with its questions.
        rows: image row of each task, by the task's id.
        control: ids of the control tasks.
        opened: time of the first opening of the order's pool.
    """

    campaign: Campaign
    rows: Mapping[str, int]
    control: frozenset[str]
    opened: datetime

    def assignment(self, suite: AssignmentUpdate) -> Assignment:
        """A submitted suite as an assignment.

        Raises:
            MarketContradiction: the suite holds an unknown task or an unknown answer.
        """
        if len(suite.tasks) != len(suite.answers) or any(t not in self.rows for t in suite.tasks):
            raise MarketContradiction(
                f"assignment {suite.id}: its tasks are not those of this study"
            )
        first, *further = (
            tuple(self._label(suite, values, at) for values in suite.answers)
            for at in range(len(self.campaign.questions))
        )
        return Assignment(
            id=suite.id,
            annotator=suite.user,
            tasks=tuple(self.rows[task] for task in suite.tasks),
            labels=first,
            control=tuple(task in self.control for task in suite.tasks),
            submitted_s=seconds_between(self.opened, suite.submitted or self.opened),
            seconds=seconds_between(suite.created, suite.submitted or suite.created),
            reward=suite.reward,
            further=tuple(further),
        )

    def real_rows(self, suites: Iterable[AssignmentUpdate]) -> list[tuple[int, str]]:
        """Row and annotator of each answer to a real task in some suites."""
        return [
            (self.rows[task], suite.user)
            for suite in suites
            for task in suite.tasks
            if task in self.rows and task not in self.control
        ]

    def _label(self, suite: AssignmentUpdate, values: Mapping[str, Any], at: int) -> int:
        question = self.campaign.questions[at]
        value = values.get(question.name)
        if value not in question.classes:
            raise MarketContradiction(
                f"assignment {suite.id}: {str(value)[:40]!r} is no answer to {question.name!r}"
            )
        return question.classes.index(value)


class AssignmentUpdates:
    """The current state of an order's assignments.

    Args:
        api: the platform.
        pool_id: the order's pool.
        after: id of the last assignment of earlier orders; empty for the pool's first order.
        upto: id of the last assignment of this order, once it has ended; empty until then.
        review: whether answers are reviewed before they are accepted; they are open until then.

    Attributes:
        suites: the last read state of every assignment, by id.
        open: ids of assignments that may still be submitted, or still be accepted.
        paid: assignments that are or will be paid, in the order of submission.
    """

    def __init__(self, api: Api, pool_id: str, after: str, upto: str, review: bool) -> None:
        self.suites: dict[str, AssignmentUpdate] = {}
        self.open: set[str] = set()
        self.paid: list[AssignmentUpdate] = []
        self._api = api
        self._pool_id = pool_id
        self._after = after
        self._upto = upto
        self._review = review
        self._settled = ""

    def poll(self) -> bool:
        """Ask the platform once.

        Returns:
            Whether an assignment has changed, or the next question starts further on.
        """
        return self._ask(max(self._after, self._settled))

    def read_all(self) -> None:
        """Ask for all assignments of the order again: no paid assignment may be missed."""
        self._ask(self._after)

    @property
    def last(self) -> str:
        """Id of the order's last assignment."""
        return max(self.suites, default=self._after)

    @property
    def waiting(self) -> list[AssignmentUpdate]:
        """Assignments that wait for review."""
        open_suites = (self.suites[key] for key in sorted(self.open))
        return [suite for suite in open_suites if suite.status == "SUBMITTED"]

    def _ask(self, after: str) -> bool:
        """Ask for all assignments after one; later questions skip final assignments."""
        suites = read_suites(self._api, self._pool_id, after, self._upto)
        changed = [suite for suite in suites if self._is_news(suite)]
        for suite in changed:
            self._note(suite)
        # Ids rise with time: before the first open assignment none can change any more.
        first_open = min(self.open, default=None)
        settled = [s.id for s in suites if first_open is None or s.id < first_open]
        if len(settled) < _STRIDE:
            return bool(changed)
        # The next question starts further on: its answer cannot be compared with this one's.
        self._settled = settled[-1]
        return True

    def _note(self, suite: AssignmentUpdate) -> None:
        before = self.suites.get(suite.id)
        if before is not None and before.status in PAID and before in self.paid:
            # The new state is inserted again below, unless the review has rejected the assignment.
            self.paid.remove(before)
        self.suites[suite.id] = suite
        if suite.status == "ACTIVE" or (self._review and suite.status == "SUBMITTED"):
            self.open.add(suite.id)
            return
        self.open.discard(suite.id)
        if suite.status in PAID:
            insort(self.paid, suite, key=lambda paid: (paid.submitted or paid.created, paid.id))

    def _is_news(self, suite: AssignmentUpdate) -> bool:
        before = self.suites.get(suite.id)
        return before is None or before.status != suite.status


def seconds_between(start: datetime, end: datetime) -> float:
    """Seconds from one time to another, rounded to milliseconds."""
    return round((end - start).total_seconds(), 3)


def minutes_between(start: datetime, end: datetime) -> float:
    """Minutes from one time to another: the quotient of whole milliseconds, as the crowd has it."""
    return round(1000 * seconds_between(start, end)) / 60_000
