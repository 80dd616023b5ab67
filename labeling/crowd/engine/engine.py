"""The engine: one condition's pool as seeded events on a virtual clock.

The caller adds tasks, moves the clock, reads new submissions and closes the pool. The engine uses
no wall clock, no thread and no global random state: the same calls give the same pool.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from labeling.aggregation.dynamic_overlap import Ballots
from labeling.crowd.engine.events import ARRIVE, EXAM, EXPIRE, HAND_BACK, RETURN, SUBMIT, EventQueue
from labeling.crowd.engine.mixing import FixedPages, Mixing, SmartMixing
from labeling.crowd.engine.pool import Ban, ExamRecord, PoolSettings, Visitor
from labeling.crowd.engine.referee import CampaignRules, Referee
from labeling.crowd.engine.slots import Slots
from labeling.crowd.engine.suites import SuiteDraws, SuiteLog, fate_of
from labeling.crowd.people.answers import CHANCES, answer_model
from labeling.crowd.people.further_questions import FurtherQuestions
from labeling.crowd.people.items import Items
from labeling.crowd.people.opinions import Opinions
from labeling.crowd.people.people import People, wanted_suites
from labeling.crowd.scenario import Scenario
from labeling.seeds import stream
from labeling.types import Bools, Ints


class Crowd:
    """A pool and its annotators.

    Args:
        scenario: the crowd, after the campaign's filter.
        pool: the pool's settings.
        items: truth, difficulty and distractor of every row, for the question that is checked.
        seed: the study's seed.
        key: the pool's key; key and seed determine every draw.
        further: items or opinions of the campaign's other questions.
        further_classes: number of answers of each other question.
        referee: admits and bans annotators; None for the campaign's own rules.
        pages: rows of the tasks of each suite that the requester composed; `open` and `add` then
            take numbers of pages. None for suites mixed from single tasks.

    Attributes:
        pool: the pool's settings.
        clock: seconds of pool time; only `step` and `advance` move it.
        suites: all suites with their answers.
        submitted: rows of `suites` in the order of submission; it only grows.
        exams: exams in the order in which they ended.
        bans: bans in the order of time.
        active: assignments opened and not yet submitted, handed back or expired.
        allowance: further assignments that may be opened now; at 0 the pool closes.
        is_open: whether suites are issued.
        exam_failed: number of annotators who failed the exam.
        exam_right: [E] number of annotators who got each exam task right.
        ballots: the votes that decide on further answers; None without dynamic overlap.
    """

    def __init__(
        self,
        scenario: Scenario,
        pool: PoolSettings,
        items: Items,
        seed: int,
        key: str,
        further: Sequence[Items | Opinions] = (),
        further_classes: Sequence[int] = (),
        referee: Referee | None = None,
        pages: Sequence[Ints] | None = None,
    ) -> None:
        self._events = EventQueue()
        self.suites = SuiteLog(pool.suite_size, len(further))
        self.submitted: list[int] = []
        self.exams: list[ExamRecord] = []
        self.bans: list[Ban] = []
        self.active = 0
        self.allowance: float = math.inf
        self.is_open = False
        self.exam_failed = 0
        self.exam_right = np.zeros(len(pool.exam_rows), dtype=np.int64)
        self.ballots = Ballots(pool.dynamic, len(items), pool.classes) if pool.dynamic else None
        self.slots = Slots(len(items) if pages is None else len(pages))
        self.people = People(scenario, pool.price, stream(seed, key, "people"))
        self._scenario = scenario
        self.pool = pool
        self._truth = items.truth
        self._model = answer_model(scenario, items, pool.classes, seed, key)
        self._further = FurtherQuestions(scenario, further, further_classes, seed, key)
        self._draws = SuiteDraws(pool.suite_size, stream(seed, key, "suites"))
        self._exam_rng = stream(seed, key, "exam")
        self._mix_rng = stream(seed, key, "controls")
        self._return_rng = stream(seed, key, "returns")
        self._fixed: FixedPages | None = None
        if pages is not None:
            is_control = np.isin(np.arange(len(items)), pool.control_rows)
            self._fixed = FixedPages(self.slots, pages, is_control)
        self._mixing: Mixing = self._fixed or SmartMixing(self.slots, self.suites)
        self._referee = referee or CampaignRules(pool.exam, pool.rules)
        self._visitors: dict[int, Visitor] = {}
        self._handlers: dict[int, Callable[[int], object]] = {
            ARRIVE: self._arrive,
            EXAM: self._exam,
            SUBMIT: self._submit,
            HAND_BACK: lambda suite: self._serve(self._give_up(suite)),
            EXPIRE: self._give_up,
            RETURN: self._come_back,
        }
        self._expect_next(-1)

    # What a requester does.

    def open(self, tasks: Ints, counts: Ints, allowance: float = math.inf) -> None:
        """Open the pool for further answers; earlier annotators may return.

        Args:
            tasks: [n] rows, all different.
            counts: [n] further answers wanted on each task, above 0.
            allowance: the most assignments that may be submitted or active from now on.
        """
        self.is_open = True
        self.allowance = allowance
        self.slots.add(tasks, counts)
        self._recall(new_visit=True)

    def add(self, tasks: Ints, counts: Ints) -> None:
        """Raise overlap in the open pool; annotators who left for lack of tasks may return."""
        self.slots.add(tasks, counts)
        self._recall(new_visit=False)

    def close(self) -> None:
        """Issue no further suites; active assignments may still be submitted."""
        self.is_open = False
        self.slots.clear()

    def banned(self, person: int) -> bool:
        """Whether an annotator is banned."""
        return person in self._visitors and self._visitors[person].banned

    def restrict(self, person: int, banned: bool) -> None:
        """Ban an annotator by hand, or lift a ban: then the annotator may continue at once."""
        visitor = self._visitors[person]
        if visitor.banned != banned:
            visitor.banned = banned
            self._resume(visitor)

    def admit(self, person: int, admitted: bool) -> None:
        """Admit an annotator to the pool from now on, or exclude the annotator."""
        visitor = self._visitors[person]
        if visitor.admitted != admitted:
            visitor.admitted = admitted
            self._resume(visitor)

    def _resume(self, visitor: Visitor) -> None:
        if self._may_work(visitor) and not visitor.busy:
            visitor.busy = True
            self._events.schedule(0.0, RETURN, visitor.person)

    def extend(
        self,
        items: Items,
        further: Sequence[Items | Opinions] = (),
        control: Bools | None = None,
        pages: Sequence[Ints] = (),
    ) -> None:
        """Append rows and pages.

        Args:
            items: the rows, for the question that is checked.
            further: the same rows, for the other questions.
            control: whether each row is a control task, for fixed pages.
            pages: rows of the tasks of each new page.
        """
        self._truth = np.concatenate((self._truth, items.truth))
        self._model.extend(items)
        self._further.extend(further)
        if self.ballots:
            self.ballots.extend(len(items))
        if self._fixed is not None and control is not None:
            self._fixed.extend(pages, control)
        self.slots.extend(len(items) if self._fixed is None else len(pages))

    def revise(self, pool: PoolSettings) -> None:
        """Change the pool's settings; a new price applies to annotators who look later."""
        if pool.price != self.pool.price:
            self.people.reprice(pool.price, self.clock)
        self.pool = pool

    def taken(self, suite: int) -> Ints:
        """Queue entries of a suite of the log: its real tasks, or its page."""
        return self._mixing.taken(suite)

    # The clock.

    @property
    def idle(self) -> bool:
        """Whether no assignment is active and no suite can be issued."""
        return not self.active and (not self.slots or self.allowance < 1 or not self.is_open)

    @property
    def clock(self) -> float:
        """Seconds of pool time."""
        return self._events.now

    @property
    def next_event(self) -> float:
        """Seconds of pool time at the next event; infinite without a next event."""
        return math.inf if self.idle else self._events.next_at

    def step(self) -> None:
        """Run the next event."""
        event, index = self._events.pop()
        self._handlers[event](index)

    def advance(self, until: float = math.inf) -> None:
        """Run events up to `until`, or until the pool is idle or has no events."""
        while not self.idle and self._events:
            if self._events.next_at > until:
                self._events.now = until
                return
            self.step()

    # What annotators do.

    def _expect_next(self, after: int) -> None:
        person = self.people.next_joining(after)
        if person is not None:
            arrival = float(self.people.traits.arrival[person])
            self._events.schedule(arrival - self.clock, ARRIVE, person)

    def _arrive(self, person: int) -> None:
        # Each arrival schedules the next one: the row of people is endless, the heap is not.
        self._expect_next(person)
        if not self._has_work():
            return
        traits = self.people.traits
        visitor = Visitor(
            person, self._mix_rng.permutation(self.pool.control_rows), int(traits.suites[person])
        )
        self._visitors[person] = visitor
        if self.pool.exam is None:
            visitor.admitted = self._referee.admits(visitor)
            self._serve(visitor)
            return
        visitor.busy = True
        visitor.admitted = False
        pace = float(traits.pace[person])
        self._events.schedule(pace * len(self.pool.exam_rows), EXAM, person)

    def _exam(self, person: int) -> None:
        visitor, traits, rows = self._visitors[person], self.people.traits, self.pool.exam_rows
        labels = self._model.labels(
            int(traits.kind[person]),
            float(traits.skill[person]),
            float(traits.favourite[person]),
            rows,
            self._exam_rng.random((len(rows), CHANCES)),
        )
        correct = labels == self._truth[rows]
        self.exams.append(ExamRecord(person, self.clock, labels))
        self.exam_right += correct
        visitor.judged += len(rows)
        visitor.failed += int(np.count_nonzero(~correct))
        visitor.admitted = self._referee.admits(visitor)
        visitor.busy = False
        if visitor.admitted:
            self._serve(visitor)
        else:
            self.exam_failed += 1

    def _come_back(self, person: int) -> None:
        visitor = self._visitors[person]
        visitor.busy = False
        self._serve(visitor)

    def _recall(self, new_visit: bool) -> None:
        """Some earlier annotators return: on a new visit all may, else those who lacked tasks."""
        able = [v for v in self._visitors.values() if self._may_work(v) and not v.busy]
        able = able if new_visit else [v for v in able if v.left > 0]
        chance = self._return_rng.random(len(able))
        delay = self._return_rng.exponential(60 * self._scenario.return_minutes, len(able))
        wanted = wanted_suites(self._scenario, self._return_rng.standard_normal(len(able)))
        for at, visitor in enumerate(able):
            if new_visit:
                visitor.left = int(wanted[at])
            if chance[at] < self._scenario.return_share:
                visitor.busy = True
                self._events.schedule(float(delay[at]), RETURN, visitor.person)

    def _has_work(self) -> bool:
        return self.is_open and self.allowance >= 1 and bool(self.slots)

    def _may_work(self, visitor: Visitor) -> bool:
        fresh_controls = len(visitor.controls) - visitor.used >= self.pool.controls
        return visitor.admitted and not visitor.banned and fresh_controls

    def _serve(self, visitor: Visitor) -> None:
        """Issue the next suite to an annotator, if there is one."""
        if visitor.left < 1 or not self._has_work() or not self._may_work(visitor):
            return
        taken = self._mixing.take(self.pool, visitor)
        if not len(taken):
            return
        if self._fixed is None and len(taken) < self.pool.real_per_suite and self._holds_back():
            self.slots.add(taken, 1)
            return
        suite = self._fill_suite(visitor, taken)
        visitor.opened.append(suite)
        visitor.used += self.pool.controls
        visitor.left -= 1
        visitor.busy = True
        self.active += 1
        self.allowance -= 1
        # An active assignment counts as submitted: so the limit of paid assignments holds.
        if self.allowance < 1:
            self.close()

    def _holds_back(self) -> bool:
        """Whether a partial suite is kept back."""
        # With dynamic overlap, active assignments may soon add tasks that fill the suite.
        return not self.pool.partial or (self.ballots is not None and self.active > 0)

    def _fill_suite(self, visitor: Visitor, taken: Ints) -> int:
        """Lay out the page; draw its answers, its working time and its fate."""
        # Answers are drawn when the suite is opened: its random numbers follow the order of
        # openings, whatever other suites do until it is submitted.
        pool, log, draw, person = self.pool, self.suites, self._draws.next(), visitor.person
        traits = self.people.traits
        kind, pace = int(traits.kind[person]), float(traits.pace[person])
        tasks, control = self._mixing.lay_out(pool, visitor, taken, draw.places)
        size = len(tasks)
        skill = self._model.skill_now(float(traits.skill[person]), visitor.done)
        favourite = float(traits.favourite[person])
        labels = self._model.labels(kind, skill, favourite, tasks, draw.chances[:size])
        seconds = self._model.seconds(kind, pace, tasks, visitor.done, draw.time)
        suite = log.next()
        log.tasks[suite, :size] = tasks
        log.labels[suite, :size] = labels
        log.control[suite, :size] = control
        if self._further:
            log.further[suite, :size] = self._further.labels(person, kind, skill, favourite, tasks)
        if self.ballots:
            self.ballots.opened(taken)
        log.person[suite] = person
        log.start[suite] = self.clock
        log.seconds[suite] = seconds
        if pool.controls or self._fixed is not None:
            log.wrong[suite] = np.count_nonzero((labels != self._truth[tasks]) & control)
        event, delay = fate_of(draw, seconds, self._scenario, pool.assignment_seconds)
        log.end[suite] = self.clock + delay
        self._events.schedule(delay, event, suite)
        return suite

    def _submit(self, suite: int) -> None:
        visitor = self._visitors[int(self.suites.person[suite])]
        self.active -= 1
        self.submitted.append(suite)
        visitor.done += 1
        visitor.wrong += int(self.suites.wrong[suite])
        visitor.judged += self.pool.controls
        if self.ballots:
            self._count(self.ballots, visitor, suite)
        visitor.fast += bool(self.suites.seconds[suite] < self.pool.rules.fast_seconds)
        reason = self._referee.verdict(visitor, suite)
        visitor.busy = False
        if reason is None:
            self._serve(visitor)
        else:
            self._ban(visitor, reason, suite)

    def _count(self, ballots: Ballots, visitor: Visitor, suite: int) -> None:
        """Count a suite's votes, and ask for one more answer to tasks that are not sure enough."""
        tasks, labels = self.suites.real(suite)
        self.suites.skill[suite] = visitor.skill
        ballots.submitted(tasks, labels, visitor.skill)
        due = ballots.due(tasks, self.slots.need[tasks])
        if self.is_open and len(due):
            self.slots.add(due, 1)

    def _ban(self, visitor: Visitor, reason: str, suite: int) -> None:
        visitor.banned = True
        for done in visitor.opened if self.ballots else ():
            if self.ballots and not np.isnan(self.suites.skill[done]):
                self.ballots.withdrawn(*self.suites.real(done), float(self.suites.skill[done]))
        self.bans.append(Ban(visitor.person, self.clock, reason, suite))

    def _give_up(self, suite: int) -> Visitor:
        """Return the tasks of a suite that was not submitted to the queue."""
        visitor = self._visitors[int(self.suites.person[suite])]
        self.active -= 1
        self.allowance += 1
        self._referee.given_up(visitor, suite)
        visitor.busy = False
        taken = self._mixing.taken(suite)
        if self.ballots:
            self.ballots.given_up(taken)
        if self.is_open:
            self.slots.add(taken, 1)
        return visitor
