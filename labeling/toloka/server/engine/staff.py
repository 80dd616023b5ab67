"""A pool's annotators: the simulated crowd behind the pool, and its time on the platform."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budget.money import Money
from labeling.campaign.campaign import Exam, QualityRules
from labeling.crowd.engine.engine import Crowd
from labeling.crowd.engine.pool import PoolSettings, milliseconds
from labeling.crowd.engine.referee import Referee
from labeling.crowd.people.audience import audience_of
from labeling.crowd.people.exam_items import set_exam
from labeling.crowd.people.items import Items, confusion_steps, draw_wrong
from labeling.crowd.people.opinions import Opinions, make_opinions
from labeling.crowd.scenario import Scenario
from labeling.seeds import stream
from labeling.toloka.server.model import filters
from labeling.toloka.server.model.ids import user_id
from labeling.toloka.server.model.questions import OutputField, fields_of, judged_field
from labeling.toloka.server.model.records import (
    GOLDEN,
    REAL,
    TRAINING,
    Doc,
    PlatformPool,
    Task,
    TaskOrSuite,
    TaskSuite,
    default_overlap,
)
from labeling.toloka.server.model.truth import Truth
from labeling.toloka.server.model.world import PlatformState
from labeling.types import DynamicOverlap, Ints

CONDITION = "labelworth_condition"
_ROOM = 50  # smallest number of places in a page, for suites that the requester adds later


@dataclass(frozen=True, slots=True)
class AdmissionPool:
    """A pool that annotators must pass before another: its exam or its training."""

    pool: PlatformPool
    tasks: list[Task]


class TaskRows:
    """The rows of a pool's tasks in the items of its crowd."""

    def __init__(
        self, truth: Truth | None, scenario: Scenario, seed: int, field: OutputField
    ) -> None:
        own_truth = truth if truth is not None and truth.question == field.name else None
        self._truth = own_truth
        self._scenario = scenario
        self._seed = seed
        self._field = field
        self._rows = len(own_truth.items) if own_truth else 0
        self._taken: dict[int, Task] = {}
        self._fresh: list[tuple[int, float, int]] = []

    def place(self, tasks: Sequence[Task]) -> None:
        """Set the rows of tasks: the rows of the rehearsal's images, or new rows."""
        for task in tasks:
            row = self._truth_row(task)
            if row is None or row in self._taken:
                row = self._rows
                self._rows += 1
                self._fresh.append(self._draw(task))
            self._taken[row] = task
            task.row = row

    def task(self, row: int) -> Task:
        """The task of a row."""
        return self._taken[row]

    def fresh(self) -> Items:
        """Items of the new rows since the last call."""
        columns = list(zip(*self._fresh, strict=True)) or [(), (), ()]
        self._fresh = []
        truth, error, distractor = columns
        return Items(
            np.array(truth, dtype=np.int64),
            np.array(error, dtype=np.float64),
            np.array(distractor, dtype=np.int64),
        )

    def all(self) -> Items:
        """Items of all rows; called once, at the start."""
        fresh = self.fresh()
        if self._truth is None:
            return fresh
        items = self._truth.items
        return Items(
            *(np.concatenate((getattr(items, n), getattr(fresh, n))) for n in Items.__slots__)
        )

    def _truth_row(self, task: Task) -> int | None:
        if self._truth is None:
            return None
        values = task.doc["input_values"].values()
        rows = (self._truth.row.get(value) for value in values if isinstance(value, str))
        return next((row for row in rows if row is not None), None)

    def _draw(self, task: Task) -> tuple[int, float, int]:
        """Truth, error and distractor of a task that is in no truth file."""
        s, classes = self._scenario, len(self._field.answers)
        rng = stream(self._seed, "task", json.dumps(task.doc["input_values"], sort_keys=True))
        truth, error = int(rng.integers(classes)), float(rng.beta(s.error_a, s.error_b))
        error, chance = error * s.error_scale, float(rng.random())
        for solution in task.doc.get("known_solutions") or ():
            label = self._field.place(solution["output_values"].get(self._field.name))
            if label is not None:
                truth, error = label, error * s.control_error
                break
        steps = confusion_steps(s, classes)
        wrong = draw_wrong(np.array([truth]), np.array([chance]), steps)
        return truth, error, int(wrong[0])


class Staff:
    """The annotators of one pool.

    Attributes:
        crowd: the engine.
        fields: the project's output fields.
        judged: index of the field that control tasks check.
        admission_pools: exams and trainings that annotators must pass first.
    """

    def __init__(
        self,
        world: PlatformState,
        pool: PlatformPool,
        admission_pools: list[AdmissionPool],
        referee: Referee,
    ) -> None:
        settings = world.settings
        control_tasks = [task for task in pool.tasks if task.kind != REAL]
        control_tasks += [
            task for admission_pool in admission_pools for task in admission_pool.tasks
        ]
        self.fields = fields_of(world.project(pool.doc["project_id"]), control_tasks)
        self.judged = judged_field(self.fields, control_tasks)
        if settings.truth is not None:
            names = [field.name for field in self.fields]
            if settings.truth.question in names:
                self.judged = names.index(settings.truth.question)
        self.admission_pools = admission_pools
        self.key = stream_key(pool)
        self._opened_ms, self._opened_at = world.now, 0.0
        self._issued = 0
        scenario = audience_of(
            settings.scenario,
            filters.wants_language_test(pool.doc.get("filter")),
            len(self.fields),
        )
        self._rows = TaskRows(
            settings.truth, settings.scenario, settings.seed, self.fields[self.judged]
        )
        self._rows.place(
            [
                *pool.tasks,
                *(task for admission_pool in admission_pools for task in admission_pool.tasks),
            ]
        )
        items = self._rows.all()
        self._scenario, self._seed, self._row_count = scenario, settings.seed, len(items)
        self._pages: list[TaskSuite] = []
        # Rows of the exam's tasks in this pool; another pool with the same exam has other rows.
        self._exam_rows = _array(
            task.row for admission_pool in admission_pools for task in admission_pool.tasks
        )
        spec = _settings(pool, self._exam_rows, len(self.fields[self.judged].answers))
        if spec.exam is not None and scenario.exam_pass_rates:
            items = set_exam(scenario, items, spec.exam_rows, spec.classes)
        further = self._further(settings.truth, len(items))
        classes = [len(field.answers) for field in self._others()]
        pages = self._turn(pool.suites) if pool.suites else None
        self.crowd = Crowd(
            scenario, spec, items, settings.seed, self.key, further, classes, referee, pages
        )

    # Time.

    def ms(self, seconds: float) -> int:
        """Platform time (ms) of a pool time."""
        return self._opened_ms + milliseconds(seconds - self._opened_at)

    def next_ms(self) -> float:
        """Platform time (ms) of the next event, exact; infinite without events."""
        return self._opened_ms + 1000 * (self.crowd.next_event - self._opened_at)

    def catch_up(self, now: int) -> None:
        """Move the pool's clock to the platform's time, before an event from outside.

        An idle pool's clock stood still: it continues from here.
        """
        if now <= self.ms(self.crowd.clock):
            return
        if self.crowd.idle:
            self._opened_ms, self._opened_at = now, self.crowd.clock
        else:
            self.crowd.advance(self._opened_at + (now - self._opened_ms) / 1000)

    # What a requester does.

    def open(self, asked: Sequence[TaskOrSuite], now: int) -> None:
        """Open the pool for the remaining answers, as a new visit."""
        self._opened_ms, self._opened_at = now, self.crowd.clock
        rows, ballots = _array(item.row for item in asked), self.crowd.ballots
        remaining = _array(item.remaining for item in asked)
        if ballots is not None and self.crowd.pool.dynamic is not None:
            ballots.allow(rows, np.full(len(rows), self.crowd.pool.dynamic.most))
            remaining = ballots.lacking(rows)
        self.crowd.open(rows[remaining > 0], remaining[remaining > 0])

    def add(self, asked: Sequence[TaskOrSuite], counts: Sequence[int], now: int) -> None:
        """Ask for further answers in the open pool."""
        self.catch_up(now)
        self.crowd.add(_array(item.row for item in asked), _array(counts))

    def lower(self, asked: TaskOrSuite) -> None:
        """Lower the queued answers of a task or suite to its remaining answers."""
        self.crowd.slots.lower(_array([asked.row]))
        if asked.remaining:
            self.crowd.slots.add(_array([asked.row]), asked.remaining)

    def close(self, now: int | None = None) -> None:
        """Issue no further suites.

        Args:
            now: platform time (ms) of the closing; None if an event of the pool closes it.
        """
        if now is not None:
            self.crowd.advance(self._opened_at + (now - self._opened_ms) / 1000)
        self.crowd.close()

    def extend(
        self, pool: PlatformPool, tasks: Sequence[Task], suites: Sequence[TaskSuite] = ()
    ) -> None:
        """Add tasks and suites that were created after the annotators came."""
        self._rows.place(tasks)
        fresh = self._rows.fresh()
        control = np.array([task.kind != REAL for task in tasks], dtype=np.bool_)
        further, self._row_count = self._more(len(fresh)), self._row_count + len(fresh)
        if len(fresh) or suites:
            self.crowd.extend(fresh, further, control, self._turn(suites))
        if control.any():
            self.revise(pool)

    def revise(self, pool: PlatformPool) -> None:
        """Take over changed settings or control tasks of the pool."""
        self.crowd.revise(_settings(pool, self._exam_rows, self.crowd.pool.classes))

    # What annotators did.

    def news_issued(self) -> range:
        """Suites issued since the last call."""
        first, self._issued = self._issued, self.crowd.suites.count
        return range(first, self._issued)

    def user(self, person: int) -> str:
        """An annotator's id."""
        return user_id(self.key, person)

    def tasks(self, suite: int) -> list[Task]:
        """The tasks of a suite, in the order of the page."""
        rows = self.crowd.suites.tasks[suite]
        return [self._rows.task(int(row)) for row in rows[rows >= 0]]

    def page(self, suite: int) -> TaskSuite | None:
        """The requester's suite behind an issued suite; None for mixed suites."""
        return self._pages[int(self.crowd.taken(suite)[0])] if self._pages else None

    def exam_answers(self, labels: Ints) -> list[Doc]:
        """Output values of exam tasks; unchecked questions get their first answer."""
        first = {field.name: field.answers[0] for field in self.fields}
        field = self.fields[self.judged]
        return [{**first, field.name: field.answers[int(label)]} for label in labels]

    def answers(self, suite: int) -> list[Doc]:
        """Output values of each task of a suite."""
        log = self.crowd.suites
        shown = log.tasks[suite] >= 0
        labels = [log.further[suite, shown, at] for at in range(len(self.fields) - 1)]
        labels.insert(self.judged, log.labels[suite][shown])
        return [
            {f.name: f.answers[int(label)] for f, label in zip(self.fields, given, strict=True)}
            for given in zip(*labels, strict=True)
        ]

    def _turn(self, suites: Sequence[TaskSuite]) -> list[Ints]:
        """Suites as pages of rows."""
        for suite in suites:
            suite.row = len(self._pages)
            self._pages.append(suite)
        return [_array(task.row for task in suite.tasks) for suite in suites]

    def _others(self) -> list[OutputField]:
        """The fields that control tasks do not check."""
        return [field for at, field in enumerate(self.fields) if at != self.judged]

    def _further(self, truth: Truth | None, rows: int) -> list[Items | Opinions]:
        """Items or opinions of the other fields: from the truth file, else opinions."""
        seen: list[Items | Opinions] = []
        for field in self._others():
            given = truth.further.get(field.name) if truth else None
            if given is None or len(given) != rows:
                given = make_opinions(
                    self._scenario, rows, len(field.answers), self._seed, field.name
                )
            seen.append(given)
        return seen

    def _more(self, rows: int) -> list[Items | Opinions]:
        """Opinions of the other fields for further rows."""
        names = [(field, f"{field.name} from {self._row_count}") for field in self._others()]
        return [
            make_opinions(self._scenario, rows, len(field.answers), self._seed, name)
            for field, name in names
        ]


def staff_at(pool: PlatformPool) -> Staff | None:
    """The annotators of a pool; None before the first opening, and for exams and trainings."""
    return pool.staff if isinstance(pool.staff, Staff) else None


def staff_of(pool: PlatformPool) -> Staff:
    """The annotators of a pool with events: such a pool has annotators."""
    staff = staff_at(pool)
    assert staff is not None  # noqa: S101 - only pools with annotators have events
    return staff


def stream_key(pool: PlatformPool) -> str:
    """Name of a pool's random stream: the condition in its metadata, else the pool's id."""
    named = (pool.doc.get("metadata") or {}).get(CONDITION)
    if isinstance(named, list) and named:
        named = named[0]
    if isinstance(named, str) and named:
        return named
    words = str(pool.doc.get("private_name", "")).split()
    if len(words) == 3 and words[0] == "labelworth" and words[1] != "exam":
        return words[2]
    return pool.id


def _settings(pool: PlatformPool, exam_rows: Ints, classes: int) -> PoolSettings:
    real, golden, training = pool.mix()
    size = real + golden + training
    if pool.suites:
        size, golden, training = max(_ROOM, *(len(suite.tasks) for suite in pool.suites)), 0, 0
    mixer = pool.doc.get("mixer_config") or {}
    return PoolSettings(
        price=Money(round(pool.reward.micros / _typical_size(pool, size))),
        suite_size=size,
        controls=golden + training,
        exam=Exam(len(exam_rows), len(exam_rows)) if len(exam_rows) else None,
        rules=QualityRules(0, 0.0, 0),
        assignment_seconds=float(pool.doc["assignment_max_duration_seconds"]),
        classes=classes,
        control_rows=_array(task.row for task in pool.of_kind(GOLDEN, TRAINING)),
        exam_rows=exam_rows,
        dynamic=_dynamic(pool),
        partial=bool(mixer.get("force_last_assignment", True)),
    )


def _typical_size(pool: PlatformPool, size: int) -> int:
    if not pool.suites:
        return size
    return max(1, round(sum(len(suite.tasks) for suite in pool.suites) / len(pool.suites)))


def _dynamic(pool: PlatformPool) -> DynamicOverlap | None:
    """A pool's dynamic overlap; None for suites that the requester composed."""
    config = pool.doc.get("dynamic_overlap_config")
    if not config or pool.suites:
        return None
    least = default_overlap(pool) or 1
    sure = min(max(float(config["min_confidence"]), 0.001), 0.999)
    return DynamicOverlap(least, max(least, int(config["max_overlap"])), sure)


def _array(values: object) -> Ints:
    return np.array(list(values), dtype=np.int64)  # type: ignore[call-overload]
