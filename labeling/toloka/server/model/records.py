"""The platform's records of tasks, assignments and pools."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from budget.money import Money
from labeling.toloka.server.model.clock import to_iso

Doc = dict[str, Any]
REAL, GOLDEN, TRAINING = "real", "golden", "training"
ACTIVE, SUBMITTED, ACCEPTED, REJECTED = "ACTIVE", "SUBMITTED", "ACCEPTED", "REJECTED"
SKIPPED, EXPIRED = "SKIPPED", "EXPIRED"
DONE = frozenset((SUBMITTED, ACCEPTED, REJECTED))
OPEN, CLOSED, ARCHIVED = "OPEN", "CLOSED", "ARCHIVED"


def money(value: object) -> Money:
    """An amount from JSON.

    Raises:
        InputError: the value is no amount of money.
    """
    return Money.parse(str(value))


@dataclass(eq=False)
class TaskOrSuite:
    """A task or a task suite with its overlap.

    Attributes:
        doc: the requester's fields.
        overlap: answers wanted; None for infinite overlap.
        row: row in the crowd's queue; -1 before the annotators come.
        given: number of its assignments that are active or were submitted.
    """

    id: str
    pool_id: str
    created: int
    doc: Doc
    overlap: int | None
    row: int = -1
    given: int = 0

    @property
    def remaining(self) -> int:
        """Remaining answers; 0 for infinite overlap."""
        return max(0, self.overlap - self.given) if self.overlap is not None else 0

    def view(self) -> Doc:
        """The JSON form."""
        doc = {"id": self.id, "pool_id": self.pool_id, "created": to_iso(self.created), **self.doc}
        doc["infinite_overlap"] = self.overlap is None
        if self.overlap is not None:
            doc |= {"overlap": self.overlap, "remaining_overlap": self.remaining}
        return {"reserved_for": [], "unavailable_for": [], **doc}

    def read(self, name: str) -> Any:
        """A field, for filters."""
        return getattr(self, name, None)


@dataclass(eq=False)
class Task(TaskOrSuite):
    """A task of a pool.

    Attributes:
        kind: REAL, GOLDEN (with a known answer) or TRAINING (with an explained answer).
        answered: annotator and output values of each answer that was submitted and not rejected.
    """

    kind: str = REAL
    answered: list[tuple[str, Doc]] = field(default_factory=list)


@dataclass(eq=False)
class TaskSuite(TaskOrSuite):
    """A suite that the requester composed."""

    tasks: tuple[Task, ...] = ()

    def view(self) -> Doc:
        """The suite's JSON form."""
        shown = [{"id": task.id, **task.doc} for task in self.tasks]
        return {**super().view(), "tasks": shown, "mixed": False, "automerged": False}


@dataclass(eq=False)
class PlatformAssignment:
    """A suite issued to one annotator. Times are in milliseconds.

    Attributes:
        seconds: working time, exact.
        answers: output values of each task; the requester sees them after the submission.
        suite: the requester's own suite; None for a mixed suite.
    """

    id: str
    task_suite_id: str
    pool_id: str
    user_id: str
    reward: Money
    tasks: tuple[Task, ...]
    answers: list[Doc]
    seconds: float
    created: int
    suite: TaskSuite | None = None
    status: str = ACTIVE
    submitted: int | None = None
    accepted: int | None = None
    rejected: int | None = None
    skipped: int | None = None
    expired: int | None = None
    public_comment: str | None = None
    bonus_ids: list[str] = field(default_factory=list)

    def view(self, owner: Doc) -> Doc:
        """The assignment's JSON form."""
        doc: Doc = {
            "id": self.id,
            "task_suite_id": self.task_suite_id,
            "pool_id": self.pool_id,
            "user_id": self.user_id,
            "status": self.status,
            "reward": float(self.reward.exact()),
            "tasks": [task.view() for task in self.tasks],
            "mixed": self.suite is None,
            "automerged": False,
            "created": to_iso(self.created),
            "owner": owner,
        }
        if self.status in DONE:
            doc["solutions"] = [{"output_values": values} for values in self.answers]
        if self.public_comment is not None:
            doc["public_comment"] = self.public_comment
        if self.bonus_ids:
            doc["bonus_ids"] = list(self.bonus_ids)
        for name in ("submitted", "accepted", "rejected", "skipped", "expired"):
            if (at := getattr(self, name)) is not None:
                doc[name] = to_iso(at)
        return doc

    def read(self, name: str) -> Any:
        """A field, for filters."""
        return getattr(self, name, None)


@dataclass(eq=False)
class PlatformPool:
    """A pool or a training.

    Attributes:
        doc: the requester's settings.
        training: whether it is a training: unpaid, explained tasks.
        suites: suites that the requester composed; without any, suites are mixed.
        raises: raised overlap of tasks or suites of the open pool that the crowd was not yet asked.
        complete: time (ms) since which the open pool has no work; None while it has work.
        history: submitted assignments of each annotator, in order.
        since: index in the annotator's history from which rules count, after a ban has ended.
        skipped: number of suites that each annotator has handed back in a row.
        active: active assignments, by the engine's number of the suite.
    """

    id: str
    created: int
    doc: Doc
    training: bool = False
    status: str = CLOSED
    last_close_reason: str | None = None
    last_started: int | None = None
    last_stopped: int | None = None
    tasks: list[Task] = field(default_factory=list)
    suites: list[TaskSuite] = field(default_factory=list)
    assignments: list[PlatformAssignment] = field(default_factory=list)
    history: dict[str, list[PlatformAssignment]] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    active: dict[int, PlatformAssignment] = field(default_factory=dict)
    raises: dict[str, int] = field(default_factory=dict)
    complete: int | None = None
    staff: object | None = None  # the pool's annotators, see `staff.staff_at`

    @property
    def reward(self) -> Money:
        """Reward of one assignment."""
        return money(self.doc.get("reward_per_assignment", 0))

    @property
    def is_open(self) -> bool:
        """Whether suites are issued."""
        return self.status == OPEN

    def mix(self) -> tuple[int, int, int]:
        """Real, golden and training tasks of a full suite."""
        if self.training:
            return 0, 0, int(self.doc.get("training_tasks_in_task_suite_count", 0))
        return mix_of(self.doc)

    def asked(self) -> list[TaskOrSuite]:
        """The items that annotators are asked and paid for: whole suites, or real tasks."""
        return [*self.suites] if self.suites else [*self.of_kind(REAL)]

    def of_kind(self, *kinds: str) -> list[Task]:
        """Tasks of the given kinds, in the order of creation."""
        return [task for task in self.tasks if task.kind in kinds]

    def view(self, owner: Doc) -> Doc:
        """The pool's JSON form."""
        doc = {**self.doc, "id": self.id, "created": to_iso(self.created), "owner": owner}
        doc["status"] = self.status
        if not self.training:
            doc["type"] = "REGULAR"
        for name in ("last_started", "last_stopped"):
            if (at := getattr(self, name)) is not None:
                doc[name] = to_iso(at)
        if self.last_close_reason is not None:
            doc["last_close_reason"] = self.last_close_reason
        return doc

    def read(self, name: str) -> Any:
        """A field, for filters."""
        return getattr(self, name) if hasattr(self, name) else self.doc.get(name)


def mix_of(form: Doc) -> tuple[int, int, int]:
    """Real, golden and training tasks of a full suite, by the settings of a pool."""
    mixer = form.get("mixer_config") or {}
    real, golden, training = (
        int(mixer.get(f"{kind}_tasks_count", 0)) for kind in (REAL, GOLDEN, TRAINING)
    )
    return real, golden, training


def default_overlap(pool: PlatformPool) -> int | None:
    """Overlap of new tasks without an overlap of their own."""
    defaults = pool.doc.get("defaults") or {}
    tasks = defaults.get("default_overlap_for_new_tasks")
    value = tasks or defaults.get("default_overlap_for_new_task_suites")
    return int(value) if value else None
