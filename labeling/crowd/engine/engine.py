"""The engine: one condition's pool as seeded events on a virtual clock.

It is stepped from outside: tasks are added, the clock is moved on, submissions are read from where
the reader stopped, the pool is closed. No wall clock, no thread, no global random state: the same
calls give the same pool.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from labeling.crowd.engine.ballots import Ballots
from labeling.crowd.engine.events import ARRIVE, EXAM, EXPIRE, HAND_BACK, RETURN, SUBMIT, EventQueue
from labeling.crowd.engine.mixing import FixedPages, Mixing, SmartMixing
from labeling.crowd.engine.pool import Ban, ExamSat, PoolSettings, Visitor
from labeling.crowd.engine.referee import CampaignRules, Referee
from labeling.crowd.engine.slots import Slots
from labeling.crowd.engine.suites import SuiteDraws, SuiteLog, fate_of
from labeling.crowd.people.answers import CHANCES, AnswerModel
from labeling.crowd.people.further_questions import FurtherQuestions
from labeling.crowd.people.items import Items
from labeling.crowd.people.opinions import Opinions
from labeling.crowd.people.people import People, wanted_suites
from labeling.crowd.scenario import Scenario
from labeling.seeds import stream
from labeling.types import Bools, Ints


class Crowd:
    """A pool and the people who come to it.

    Args:
        scenario: the crowd, as the campaign meets it.
        pool: what the requester sets.
        items: truth, difficulty and distractor of every row, for the question that is checked.
        seed: the study's seed.
        key: the pool's key; with the seed it determines everything.
        further: what people see in the campaign's other questions, if there are any.
        further_classes: number of answers of each of them.
        referee: who admits and bans annotators; None for the campaign's own rules.
        pages: rows of the tasks of suites that the requester has put together; None for suites
            that are mixed from single tasks. With pages, the pool is opened for pages, by number.

    Attributes:
        pool: what the requester sets.
        clock: seconds of pool time; it stands still while nobody moves it.
        suites: everything shown and answered.
        submitted: rows of `suites` in the order of submission; read it from where you stopped.
        exams: in the order in which they ended.
        bans: in the order of time.
        active: assignments opened and not yet submitted, handed back or expired.
        allowance: further assignments that may be opened now; the pool closes when it is used up.
        is_open: whether suites are issued.
        exam_failed: people who sat the exam and failed.
        exam_right: [E] those of them who got each exam task right.
        ballots: what is asked again, task by task; None without dynamic overlap.
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
        self.exams: list[ExamSat] = []
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
        self._model = AnswerModel(scenario, items, pool.classes, stream(seed, key, "ring"))
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
        """Open the pool for `counts` further answers on each of `tasks`; earlier people may return.

        Args:
            tasks: [n] rows, all different.
            counts: [n] answers wanted on each, above 0.
            allowance: the most assignments that may be submitted or active from now on.
        """
        self.is_open = True
        self.allowance = allowance
        self.slots.add(tasks, counts)
        self._recall(new_visit=True)

    def add(self, tasks: Ints, counts: Ints) -> None:
        """Raise overlap in the open pool; those who left for lack of tasks may come back."""
        self.slots.add(tasks, counts)
        self._recall(new_visit=False)

    def close(self) -> None:
        """Issue nothing more; assignments already active may still be submitted."""
        self.is_open = False
        self.slots.clear()

    def banned(self, person: int) -> bool:
        """Whether an annotator is banned."""
        return person in self._visitors and self._visitors[person].banned

    def restrict(self, person: int, banned: bool) -> None:
        """Ban an annotator by hand, or lift a ban: they may go on at once."""
        visitor = self._visitors[person]
        if visitor.banned != banned:
            visitor.banned = banned
            self._resume(visitor)

    def admit(self, person: int, admitted: bool) -> None:
        """Let an annotator see the pool from now on, or no longer."""
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
        """Further rows behind those there are, and further pages.

        Args:
            items: the rows, for the question that is checked.
            further: the same rows, for the other questions.
            control: which of the rows are control tasks, where pages are fixed.
            pages: rows of the tasks of each further page.
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
        """The requester has changed the pool: its price counts for those still to come."""
        if pool.price != self.pool.price:
            self.people.reprice(pool.price, self.clock)
        self.pool = pool

    def taken(self, suite: int) -> Ints:
        """What a suite of the log was issued for: its real tasks, or its page."""
        return self._mixing.taken(suite)

    # The clock.

    @property
    def idle(self) -> bool:
        """Whether nothing is active and nothing more can be issued."""
        return not self.active and (not self.slots or self.allowance < 1 or not self.is_open)

    @property
    def clock(self) -> float:
        """Seconds of pool time."""
        return self._events.now

    @property
    def next_event(self) -> float:
        """Seconds of pool time at which something happens next; infinite if nothing will."""
        return math.inf if self.idle else self._events.next_at

    def step(self) -> None:
        """Let the next event happen."""
        event, index = self._events.pop()
        self._handlers[event](index)

    def advance(self, until: float = math.inf) -> None:
        """Move the clock on to `until`, or to where the pool is idle or nobody is left to come."""
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
        self.exams.append(ExamSat(person, self.clock, labels))
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
        """Some of the earlier annotators come again, after a while.

        A new visit is open to all who may work; within a visit only those come back who left for
        lack of tasks.
        """
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
        """Give an annotator the next suite, or let them go."""
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
        if self.allowance < 1:
            self.close()

    def _holds_back(self) -> bool:
        """Whether a suite that is not full is kept back: with dynamic overlap, until it is last."""
        return not self.pool.partial or (self.ballots is not None and self.active > 0)

    def _fill_suite(self, visitor: Visitor, taken: Ints) -> int:
        """Lay out the page, draw the answers, the time and what becomes of the suite."""
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
        """Count a suite's answers, and ask for one more where they are not sure enough."""
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
        """Take the tasks of a suite that was not submitted back into the pool."""
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
