"""Collects an order on the market: polls, asks again for missing answers, closes, yields pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from budget.errors import InputError, MarketError
from labeling.source import (
    assignments_left,
    filled,
    missing_answers,
    next_round,
    wanted_arrays,
)
from labeling.toloka.api.client import Api
from labeling.toloka.api.intents import DONE, INTENT, IntentLog
from labeling.toloka.pools.assignment_updates import (
    AssignmentReader,
    AssignmentUpdate,
    AssignmentUpdates,
    minutes_between,
    seconds_between,
)
from labeling.toloka.pools.find_or_make import LISTED, status_of
from labeling.toloka.pools.review import Review, judge
from labeling.toloka.pools.upload import read_tasks
from labeling.types import STOPPED, Ints, Order, OrderEnd, Page, Restriction

_PAGE = 50  # assignments
_SLACK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order on the market.

    Attributes:
        pool_id: id of the order's pool.
        after: id of the pool's last assignment before the order.
        expires: time at which the pool closes by itself.
        has_deadline: whether this time is the order's deadline.
        reading: reader of the order's assignments.
        task_ids: id of the task of each wanted row.
        given: answers to each wanted row before this order.
        exam: id and smallest passing value of the exam's skill; None without an exam.
    """

    pool_id: str
    after: str
    expires: datetime
    has_deadline: bool
    reading: AssignmentReader
    task_ids: Mapping[int, str]
    given: Mapping[int, int]
    exam: tuple[str, float] | None


@dataclass(frozen=True, slots=True)
class PoolActions:
    """Actions of a collector on the order's pool; the source gives them.

    Attributes:
        open: opens the order's pool again.
        close: closes the pool, and its exam pool if no other pool needs it.
        set_overlap: sets the number of answers in all to a task.
    """

    open: Callable[[], None]
    close: Callable[[], None]
    set_overlap: Callable[[str, int], None]


class OrderCollector:
    """Collects one order until its end.

    Args:
        api: the platform.
        journal: records intents and the order's end.
        order: the order.
        placed: the order's state on the market.
        actions: actions on the order's pool.
        review: returns the reason to reject an assignment, or None to accept it; None accepts all.
        wait: sleeps before the next question, given the number of assignments left.
        stopping: whether the user stops the order: active assignments may still be submitted.
    """

    def __init__(
        self,
        api: Api,
        journal: IntentLog,
        order: Order,
        placed: PlacedOrder,
        actions: PoolActions,
        review: Review | None,
        wait: Callable[[int], None],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._api = api
        self._journal = journal
        self._order = order
        self._placed = placed
        self._actions = actions
        self._review = review
        self._wait = wait
        self._stopping = stopping
        end = journal.done("end", order.key)
        self._end = end
        self._news = AssignmentUpdates(
            api, placed.pool_id, placed.after, end["last"] if end else "", review is not None
        )
        self._tasks, self._wanted = wanted_arrays(order)
        self._asked: dict[int, int] | None = None
        self._told: set[str] = set()
        self._banned: set[str] = set()

    def pages(self) -> Iterator[Page]:
        """All pages, from the order's first assignment on; the last page carries the end."""
        self._end_round()
        while True:
            changed = self._news.poll()
            self._judge()
            yield from self._full_pages()
            if self._closing() is None and self._stopping():
                self._close(STOPPED)
            # A closed pool may still hold active assignments: they are paid, so they are collected.
            if self._closing() is None:
                self._steer(changed)
            elif not self._news.open:
                break
            self._wait(self._left())
        # Polling skips final assignments: before the end all are read once more.
        self._news.read_all()
        yield from self._full_pages()
        yield self._last_page()

    def resume(self) -> bool:
        """Continue an order whose pool was open before and is closed now.

        Returns:
            Whether the order is over; otherwise its pool may be opened again.
        """
        self._end_round()
        self._news.poll()
        if self._placed.has_deadline and self._api.clock.now() >= self._placed.expires:
            self._close("time")
        elif self._left() == 0:
            self._close("limit")
        elif not self._news.open and self._all_given():
            self._next_round()
        return self._closing() is not None

    # --- steering ---

    def _closing(self) -> str | None:
        """Reason of the pool's final closing; None while the order is under way."""
        # From the journal, not from memory: after a restart the closing must still be known.
        closing = self._journal.last("close", self._order.key)
        return None if closing is None else str(closing["reason"])

    def _left(self) -> int:
        return assignments_left(self._order.limit, len(self._news.paid), len(self._news.open))

    def _steer(self, changed: bool) -> None:
        """Close the pool at the limit, start the next round, or notice that the pool is closed."""
        if self._left() == 0:
            self._close("limit")
        elif not self._news.open and self._all_given():
            self._next_round()
        elif not changed:
            self._look_at_pool()

    def _all_given(self) -> bool:
        """Whether no further suite can be issued: each task has the answers asked for."""
        given = (suite for suite in self._news.suites.values() if suite.is_given)
        got = Counter(row for row, _ in self._placed.reading.real_rows(given))
        return all(got[row] >= count for row, count in self._asked_for().items())

    def _asked_for(self) -> dict[int, int]:
        """Answers asked for in this order, by wanted row; after a restart from the platform."""
        if self._asked is None:
            tasks = read_tasks(self._api, self._placed.pool_id)
            self._asked = {
                row: tasks[key].overlap - self._placed.given.get(row, 0)
                for row, key in self._placed.task_ids.items()
            }
        return self._asked

    def _next_round(self) -> bool:
        """Ask again for missing answers, or close the pool; return whether answers were asked."""
        missing = self._missing()
        raised = next_round(missing, self._order.condition.real_per_suite, self._left())
        if not raised.any():
            self._close("limit" if missing.any() else "complete")
            return False
        raised = filled(raised, self._order.condition)
        asked, overlaps = self._asked_for(), {}
        for row, more in zip(self._tasks.tolist(), raised.tolist(), strict=True):
            if more:
                asked[row] += more
                total = self._placed.given.get(row, 0) + asked[row]
                overlaps[self._placed.task_ids[row]] = total
        # On disk first: half a round would be asked on pages of its own, which reach the limit.
        self._journal.write("round", self._order.key, INTENT, overlaps=overlaps)
        self._end_round()
        return True

    def _end_round(self) -> None:
        """Ask what a round has still to ask: all of it, or what a killed process left."""
        begun = self._journal.last("round", self._order.key)
        if begun is None or begun["state"] == DONE or self._closing() is not None:
            return
        for task, overlap in begun["overlaps"].items():
            self._actions.set_overlap(task, overlap)
        self._journal.write("round", self._order.key, DONE)

    def _look_at_pool(self) -> None:
        """Continue the order if the platform has closed the pool.

        Raises:
            InputError: the account is empty.
            MarketError: another person or program has closed the pool.
        """
        pool = self._api.read(lambda client: client.get_pool(self._placed.pool_id))
        if status_of(pool) == "OPEN":
            return
        why = str(getattr(pool.last_close_reason, "value", pool.last_close_reason))
        if why == "EXPIRED":
            self._close("time")
        elif why == "COMPLETED":
            if not self._news.open and self._next_round():
                self._actions.open()
        elif why == "NOT_ENOUGH_BALANCE":
            raise InputError(
                f"{self._api.name}: pool {pool.id} was closed because the account is empty; top it "
                "up and start the same command again"
            )
        else:
            raise MarketError(
                f"{self._api.name}: pool {pool.id} was closed by somebody else ({why}); start the "
                "same command again to go on with it"
            )

    def _close(self, reason: str) -> None:
        # The reason first: after a crash in between, the order is closed again, not continued.
        self._journal.write("close", self._order.key, INTENT, reason=reason)
        self._actions.close()

    def _judge(self) -> None:
        """Accept or reject the assignments that wait for review."""
        if self._review is None:
            return
        for suite in self._news.waiting:
            reason = self._review(self._placed.reading.assignment(suite))
            judge(self._api, self._journal, suite.id, reason)

    # --- counting ---

    def _missing(self) -> Ints:
        """Usable answers missing on each wanted row, given the current bans."""
        banned = {ban.user_id for ban in self._restrictions()}
        pairs = self._placed.reading.real_rows(self._news.paid)
        answered = np.array([row for row, _ in pairs], dtype=np.int64)
        usable = np.array([user not in banned for _, user in pairs], dtype=np.bool_)
        return missing_answers(self._tasks, self._wanted, answered, usable)

    def _restrictions(self) -> list[Any]:
        """Bans of the pool, oldest first, only the first ban of each annotator."""
        bans = self._api.read(
            lambda client: list(
                client.get_user_restrictions(
                    scope="POOL", pool_id=self._placed.pool_id, batch_size=LISTED
                )
            )
        )
        first: dict[str, Any] = {}
        for ban in sorted(bans, key=lambda ban: (ban.created, ban.id)):
            first.setdefault(ban.user_id, ban)
        return list(first.values())

    # --- telling ---

    def _full_pages(self) -> Iterator[Page]:
        while len(self._news.paid) - len(self._told) >= _PAGE:
            yield self._page(self._untold()[:_PAGE], None)

    def _untold(self) -> list[AssignmentUpdate]:
        """Paid assignments that no page held yet, also those that were noticed late."""
        return [suite for suite in self._news.paid if suite.id not in self._told]

    def _last_page(self) -> Page:
        end = self._end or self._finish()
        fields = {**end["order_end"]}
        return self._page(self._untold(), OrderEnd(**fields))

    def _page(self, suites: list[AssignmentUpdate], end: OrderEnd | None) -> Page:
        """A page, with the bans up to its last submission; the last page has the other bans."""
        self._told |= {suite.id for suite in suites}
        reading = self._placed.reading
        until = self._until() if end else suites[-1].ended or reading.opened
        bans = [
            Restriction(
                ban.user_id,
                seconds_between(reading.opened, ban.created),
                ban.private_comment or "banned by hand",
            )
            for ban in self._restrictions()
            if reading.opened <= ban.created <= until and ban.user_id not in self._banned
        ]
        self._banned |= {ban.annotator for ban in bans}
        return Page(tuple(reading.assignment(suite) for suite in suites), tuple(bans), end)

    def _until(self) -> datetime:
        """Time of the order's end; later events belong to later orders."""
        end = self._end or self._journal.done("end", self._order.key)
        return datetime.fromisoformat(end["until"]) if end else self._api.clock.now()

    def _finish(self) -> dict[str, Any]:
        """Write the order's end to the journal."""
        pool = self._api.read(lambda client: client.get_pool(self._placed.pool_id))
        stopped = pool.last_stopped or self._api.clock.now()
        until = max(self._api.clock.now(), stopped, *self._ends())
        end = self._order_end(stopped, until)
        # The end is fixed once: collecting the order again must yield the same last page.
        self._end = self._journal.write(
            "end",
            self._order.key,
            DONE,
            order_end=asdict(end),
            until=until.isoformat(),
            last=self._news.last,
        )
        return self._end

    def _order_end(self, stopped: datetime, until: datetime) -> OrderEnd:
        opened, paid = self._placed.reading.opened, self._news.paid
        missing, reason = int(self._missing().sum()), self._closing() or "limit"
        ends = [suite.submitted or stopped for suite in paid]
        # What is complete was so at the last submission, however late anybody looked.
        if missing or not paid:
            ends += [stopped] if reason == "time" else [stopped, *self._ends()]
        if not missing:
            reason = "complete"
        elif reason == "time":
            in_time = stopped < self._placed.expires - _SLACK
            reason = "supply" if in_time or not self._placed.has_deadline else "deadline"
        elif reason == "complete":
            reason = "limit"
        failed = self._exam_failed(opened, until)
        takers = {suite.user for suite in self._news.suites.values()}
        return OrderEnd(
            reason=reason,
            minutes=minutes_between(opened, max(ends)),
            missing=missing,
            looked=len(takers) + failed,
            joined=len({suite.user for suite in paid}),
            exam_failed=failed,
        )

    def _ends(self) -> list[datetime]:
        """Time of each assignment's end."""
        return [suite.ended for suite in self._news.suites.values() if suite.ended is not None]

    def _exam_failed(self, start: datetime, end: datetime) -> int:
        """Number of annotators who failed the exam between two times."""
        if self._placed.exam is None:
            return 0
        skill, least = self._placed.exam
        held = self._api.read(
            lambda client: list(client.get_user_skills(skill_id=skill, batch_size=LISTED))
        )
        return sum(
            float(
                user_skill.exact_value if user_skill.exact_value is not None else user_skill.value
            )
            < least
            and start <= user_skill.modified <= end
            for user_skill in held
        )
