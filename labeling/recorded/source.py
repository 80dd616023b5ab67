"""Replay: recorded answers of real annotators, served as a market of labels.

A study can try overlap, control tasks and aggregation on real answers before it buys any. A replay
knows nothing about price: the answers are the same at every price. A plan still pays for them, in
whole suites.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from budget.errors import InputError
from budget.tariff import Tariff
from labeling.campaign.campaign import Campaign
from labeling.recorded.playback import AT_ONCE, OrderPlayback, Playback, RecordedAnswers
from labeling.recorded.recording import Recording
from labeling.seeds import stream
from labeling.source import Pool, checked_tasks, orders_before
from labeling.tables.spelling import is_number
from labeling.types import Assignment, Bools, Condition, Ints, Order, Page, Restriction

_PAGE = 50  # assignments


@dataclass(frozen=True, slots=True)
class _PlayedCondition:
    """A condition's playback and its played orders, by tranche."""

    playback: Playback
    done: list[OrderPlayback]


class ReplaySource:
    """A market of recorded answers.

    Each condition draws from all recorded answers, without replacement; the draw depends on the
    seed and the condition alone. With annotators' ids, an annotator's suites show the annotator's
    own answers to control tasks, the campaign's rules ban annotators, and recorded answers to the
    exam tasks decide the exam. Without ids a replay has no control tasks, no exam and no bans, and
    each suite is done by a new annotator.

    Attributes:
        knows_price: False: a price changes the cost only.
        knows_time: whether the recording has working times. If so, minutes assume eight annotators
            at work at a time; otherwise they are 0.

    Args:
        recording: the answers.
        rows: recorded task of each image row that has one (see `reading.task_rows`).
        campaign: the question, and the rules for annotators.
        control_truth: true class of each control task, by image row.
        tariff: the tariff that the answers are charged by.
        seed: the study's seed.
        earlier: returns the ended orders of a condition.

    Raises:
        InputError: the recording's labels do not fit the campaign's question.
    """

    knows_price = False

    def __init__(
        self,
        recording: Recording,
        rows: Mapping[int, int],
        campaign: Campaign,
        control_truth: Mapping[int, int],
        tariff: Tariff,
        seed: int,
        earlier: Callable[[Condition], Sequence[Order]],
    ) -> None:
        _check_question(recording, campaign)
        self.knows_time = recording.seconds is not None
        self._source = recording.source
        self._named = recording.annotator is not None
        self._campaign = campaign
        self._controls = np.array(sorted(control_truth), dtype=np.int64)
        self._tariff = tariff
        self._seed = seed
        self._earlier = earlier
        self._recorded = _recorded_answers(recording, rows, control_truth)
        size = int(self._recorded.row.max(initial=-1)) + 1
        self._answer_counts = np.bincount(self._recorded.row, minlength=size)
        timed = self._recorded.seconds[self._recorded.seconds > 0]
        self._pace = float(timed.mean()) if len(timed) else 0.0
        self._played: dict[str, _PlayedCondition] = {}

    @property
    def tariff(self) -> Tariff:
        """The tariff that the answers are charged by."""
        return self._tariff

    def most_overlap(self, tasks: Sequence[int]) -> int:
        """The largest overlap that the recording has answers for on all of the tasks."""
        return min((self._answers_to(int(task)) for task in tasks), default=0)

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """Minutes of work of eight annotators at a time; 0 for a recording without times."""
        return assignments * condition.suite_size * self._pace / 60 / AT_ONCE

    def check(self, condition: Condition) -> None:
        """Refuse a condition for which the recording lacks answers.

        Raises:
            InputError: another campaign, or no annotator with enough answers to control tasks or
                to the exam.
        """
        self._check_condition(condition)
        self._admitted(condition)

    def place(self, order: Order) -> Pool:
        """Name the order's pool; `collect` plays it.

        Raises:
            InputError: the recording cannot serve the order: another campaign, an image without
                answers, more overlap than recorded, no annotator with enough answers to control
                tasks or to the exam, or a reward below the tariff's smallest.
        """
        self._tariff.check_rate(order.condition.reward)
        self.check(order.condition)
        tasks, wanted = checked_tasks(order, self._controls.tolist())
        for task, count in zip(tasks.tolist(), wanted.tolist(), strict=True):
            if self._answers_to(task) < count:
                most = self.most_overlap(tasks.tolist())
                raise InputError(
                    f"overlap: {count} answers are wanted on image {task}, but {self._source} has "
                    f"{self._answers_to(task)}; it serves at most overlap {most} on these images"
                )
        return Pool(f"replay-{order.condition.key[:16]}", order)

    def collect(self, pool: Pool) -> Iterator[Page]:
        """Play the order back and yield its assignments in the order of submission."""
        live, run = self._run(pool.order)
        (first, last), (ban, last_ban) = run.suites, run.bans
        while True:
            upto, ban_end = min(first + _PAGE, last), ban
            while ban_end < last_ban and live.playback.bans[ban_end][3] < upto:
                ban_end += 1
            yield Page(
                tuple(self._assignment(live.playback, run, at) for at in range(first, upto)),
                tuple(
                    Restriction(self._name(run.order, person), at - run.opened, reason)
                    for person, at, reason, _ in live.playback.bans[ban:ban_end]
                ),
                run.end if upto == last else None,
            )
            if upto == last:
                return
            first, ban = upto, ban_end

    def close(self) -> None:
        """Forget the played orders; collecting an order again plays it with the same result."""
        self._played.clear()

    def _run(self, order: Order) -> tuple[_PlayedCondition, OrderPlayback]:
        """The order's run, after all earlier orders of its condition."""
        key, before = order.condition.key, order.tranche
        live = self._played.get(key)
        if live and len(live.done) > before and live.done[before].order == order:
            return live, live.done[before]
        orders = orders_before(order, self._earlier(order.condition))
        if live is None or [run.order for run in live.done] != orders:
            live = _PlayedCondition(self._open(order.condition), [])
            for old in orders:
                live.done.append(live.playback.run(old))
            self._played[key] = live
        live.done.append(live.playback.run(order))
        return live, live.done[before]

    def _open(self, condition: Condition) -> Playback:
        admitted, failed = self._admitted(condition)
        recorded = self._recorded
        if condition.exam:  # an exam task is never shown again
            seen = np.isin(recorded.row, self._exam_rows())
            recorded = RecordedAnswers(
                *(getattr(recorded, name)[~seen] for name in RecordedAnswers.__slots__)
            )
        return Playback(
            recorded,
            admitted if self._named else None,
            condition.real_per_suite,
            condition.controls,
            self._campaign.rules,
            failed,
            stream(self._seed, condition.key, "replay"),
        )

    def _admitted(self, condition: Condition) -> tuple[Bools, int]:
        """The annotators who may work in a condition's pool, and the number who failed its exam.

        Raises:
            InputError: no annotator may work.
        """
        recorded, exam = self._recorded, self._campaign.exam
        people = int(recorded.person.max(initial=-1)) + 1
        admitted, failed, left = np.ones(people, dtype=np.bool_), 0, self._controls
        if condition.exam:
            rows = self._exam_rows()
            left = np.setdiff1d(left, rows)
            sat = np.isin(recorded.row, rows)
            answered = np.bincount(recorded.person[sat], minlength=people)
            right = np.bincount(recorded.person[sat & ~recorded.wrong], minlength=people)
            able = answered >= exam.tasks
            if not able.any() or len(rows) < exam.tasks:
                raise InputError(
                    f"exam: nobody in {self._source} answered all {exam.tasks} exam tasks; "
                    "set exam to off, or record them"
                )
            admitted = able & (right >= exam.pass_correct)
            failed = int((able & ~admitted).sum())
        answered_controls = np.bincount(
            recorded.person[np.isin(recorded.row, left)], minlength=people
        )
        if self._named and not (answered_controls[admitted] >= condition.controls).any():
            raise InputError(
                f"controls: nobody who may work has {condition.controls} recorded answers to "
                f"control tasks in {self._source}; ask for fewer, or record them"
            )
        return admitted, failed

    def _exam_rows(self) -> Ints:
        shuffled = stream(self._seed, "exam tasks").permutation(self._controls)
        return shuffled[: self._campaign.exam.tasks]

    def _check_condition(self, condition: Condition) -> None:
        campaign = self._campaign
        if condition.campaign != campaign.key or condition.suite_size != campaign.suite_size:
            raise ValueError("order: its condition belongs to another campaign than this market's")
        if condition.dynamic is not None:
            raise InputError(f"overlap: {condition.dynamic} cannot be replayed; give whole numbers")
        if not 0 <= condition.controls < condition.suite_size:
            raise InputError(
                f"controls: {condition.controls} control tasks leave no place for real tasks in a "
                f"suite of {condition.suite_size}"
            )
        if not self._named and (condition.controls or condition.exam):
            raise InputError(
                f"{'controls' if condition.controls else 'exam'}: {self._source} does not say who "
                "answered, so nobody's control answers are known; set controls to 0 and exam to off"
            )

    def _answers_to(self, task: int) -> int:
        return int(self._answer_counts[task]) if 0 <= task < len(self._answer_counts) else 0

    def _assignment(self, playback: Playback, run: OrderPlayback, at: int) -> Assignment:
        suite, recorded = playback.suites[at], playback.recorded
        return Assignment(
            id=f"{run.order.key[:12]}-{at - run.suites[0]:06d}",
            annotator=self._name(run.order, suite.person),
            tasks=tuple(recorded.row[suite.places].tolist()),
            labels=tuple(recorded.label[suite.places].tolist()),
            control=tuple(recorded.control[suite.places].tolist()),
            submitted_s=suite.end - run.opened,
            seconds=suite.seconds,
            reward=run.order.condition.reward,
        )

    def _name(self, order: Order, person: int) -> str:
        return f"{order.condition.key[:10]}-{person:07d}"


def _check_question(recording: Recording, campaign: Campaign) -> None:
    if len(campaign.questions) > 1:
        raise InputError(
            f"campaign {campaign.name!r}: {recording.source} holds answers to one question, not "
            f"{len(campaign.questions)}; ask one"
        )
    check_classes(recording, campaign.questions[0].classes)


def check_classes(recording: Recording, classes: Sequence[str]) -> None:
    """Refuse a recording whose class indices mean other classes than the study's.

    Raises:
        InputError: the recording's classes are neither the study's nor their positions from 0.
    """
    numbers = tuple(map(str, range(len(recording.classes))))
    fits = recording.classes == numbers and len(numbers) <= len(classes)
    fits = fits and not any(map(is_number, classes))  # a number is a name there, not a position
    if recording.classes != tuple(classes) and not fits:
        raise InputError(
            f"{recording.source}: its classes ({', '.join(recording.classes[:5])}) are not the "
            f"study's ({', '.join(classes[:5])}); name them alike, or number them from 0"
        )


def _recorded_answers(
    recording: Recording, rows: Mapping[int, int], control_truth: Mapping[int, int]
) -> RecordedAnswers:
    """The answers to the study's images, sorted by row."""
    row_of = np.full(len(recording.tasks), -1, dtype=np.int64)
    for image, task in rows.items():
        row_of[task] = image
    row = row_of[recording.task]
    order = np.argsort(row, kind="stable")
    order = order[row[order] >= 0]
    row, label = row[order], recording.label[order]
    truth = np.full(int(max(row.max(initial=-1), *control_truth, -1)) + 1, -1, dtype=np.int64)
    for image, true in control_truth.items():
        truth[image] = true
    is_control = truth[row] >= 0
    person = np.zeros(len(row), dtype=np.int64)
    if recording.annotator is not None:
        person = recording.annotator[order]
    seconds = np.zeros(len(row))
    if recording.seconds is not None:
        usual = float(np.nanmedian(recording.seconds))
        seconds = np.nan_to_num(recording.seconds[order], nan=usual)
    wrong = is_control & (truth[row] != label)
    return RecordedAnswers(row, label, person, seconds, wrong, is_control)
