"""Brings an order to where its pool is open: pool, tasks and overlap, read back, then opened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from budget.errors import MarketContradiction, MarketError
from labeling.toloka.api.client import Api
from labeling.toloka.api.intents import DONE, INTENT, IntentLog
from labeling.toloka.describe import spec
from labeling.toloka.describe.read_back import check_pool, check_tasks
from labeling.toloka.describe.shown_tasks import ShownTasks
from labeling.toloka.describe.spec import fact
from labeling.toloka.pools.assignment_updates import Reading, read_suites
from labeling.toloka.pools.collect import Placed
from labeling.toloka.pools.find_or_make import Shelf, status_of
from labeling.toloka.pools.open_close import opened_at
from labeling.toloka.pools.upload import (
    Upload,
    read_tasks,
    rows_by_address,
    set_overlap,
    tasks_of,
    upload,
)
from labeling.types import Condition, Order

_PAUSE_S = 20.0
_YES = "yes"
CONTROLS, EXAM = "controls", "exam"


@dataclass(frozen=True, slots=True)
class Ready:
    """A condition's standing things on the market.

    Attributes:
        pool_id: its pool.
        exam_pool: the exam's pool; empty without an exam.
        exam_skill: the exam's skill; None without an exam.
        controls: image row of each control task, by the task's id.
    """

    pool_id: str
    exam_pool: str
    exam_skill: str | None
    controls: dict[str, int]


class Preparer:
    """Makes pools ready for orders. Spends nothing: every pool it leaves is closed.

    Args:
        api: the platform.
        journal: where intents are written down.
        shelf: finds or makes what is needed.
        goods: what annotators are shown and asked.
        horizon: after this time a pool closes by itself.
    """

    def __init__(
        self, api: Api, journal: IntentLog, shelf: Shelf, goods: ShownTasks, horizon: timedelta
    ) -> None:
        self._api = api
        self._journal = journal
        self._shelf = shelf
        self._goods = goods
        self._horizon = horizon

    def ready(self, condition: Condition) -> Ready:
        """Find or make the condition's pools, with their control tasks in them, closed."""
        exam_rows, control_rows = self._goods.split(condition)
        expires = self._api.clock.now() + self._horizon
        exam_pool, exam_skill = "", None
        if condition.exam:
            exam_pool, exam_skill = self._shelf.exam(self._goods.digest(exam_rows), expires)
            self._upload_controls(exam_pool, EXAM, exam_rows.tolist())
        pool_id = self._shelf.main(condition, exam_skill, expires)
        controls = {}
        if condition.controls:
            controls = self._upload_controls(pool_id, CONTROLS, control_rows.tolist())
        return Ready(pool_id, exam_pool, exam_skill, controls)

    def recalled(self, pool_id: str) -> Ready:
        """A pool in which nothing is bought any more, by what the journal says of it."""
        controls = tasks_of(self._journal, pool_id, CONTROLS)
        return Ready(pool_id, "", None, controls)

    def prepare(self, order: Order, ready: Ready, pool: Any) -> None:
        """Give a closed pool an order's expiry, tasks and overlap, and read them back.

        Raises:
            MarketError: the platform has not understood it.
        """
        is_mine = fact(pool, "order") == order.key
        after, given = self._history(
            ready.pool_id, (fact(pool, "after") or "") if is_mine else None
        )
        expires, has_deadline = self._expiry(order, pool if is_mine else None)
        wanted = self._shelf.described(
            order.condition,
            ready.pool_id,
            ready.exam_skill,
            expires,
            order=order.key,
            after=after,
            deadline=_YES if has_deadline else "",
            exam_pool=ready.exam_pool,
            prepared=(fact(pool, "prepared") if is_mine else None) or self._now(),
        )
        done = self._journal.done("prepare", order.key)
        if done is None:
            self._journal.write("prepare", order.key, INTENT, pool=ready.pool_id, after=after)
        self._set_pool(ready.pool_id, wanted)
        if ready.exam_pool:
            self._extend_exam(ready, expires)
        if done is None:
            self._set_tasks(order, ready, given)
            self._journal.write("prepare", order.key, DONE, pool=ready.pool_id, after=after)

    def placed(self, order: Order, ready: Ready, pool: Any) -> Placed:
        """How an order stands that has been prepared.

        Raises:
            MarketError: its tasks are not there.
        """
        prepared = self._journal.done("prepare", order.key)
        if fact(pool, "order") == order.key:
            after = fact(pool, "after") or ""
        elif prepared is not None:
            after = str(prepared["after"])
        else:
            raise MarketError(f"order {order.key}: pool {pool.id} has gone on to another order")
        _, given = self._history(ready.pool_id, after)
        rows = self._rows(order, ready)
        ids = {row: key for key, row in rows.items() if key not in ready.controls}
        campaign = self._goods.campaign
        opened = opened_at(self._journal, order.key, pool) or self._api.clock.now()
        exam = None
        if ready.exam_skill is not None:
            exam = (ready.exam_skill, spec.exam_percent(campaign))
        return Placed(
            pool_id=ready.pool_id,
            after=after,
            expires=pool.will_expire,
            has_deadline=fact(pool, "deadline") == _YES,
            reading=Reading(campaign, rows, frozenset(ready.controls), opened),
            task_ids={row: ids[row] for row, _ in order.wanted},
            given={row: given[ids[row]] for row, _ in order.wanted},
            exam=exam,
        )

    # --- parts ---

    def _now(self) -> str:
        return self._api.clock.now().isoformat(timespec="milliseconds")

    def _upload_controls(self, pool_id: str, key: str, rows: list[int]) -> dict[str, int]:
        goods = self._goods

        def make(row: int) -> Any:
            solutions = spec.known_solutions(goods.campaign, goods.controls[row])
            return spec.control_task(pool_id, goods.address(row), solutions)

        return upload(self._api, self._journal, Upload(pool_id, key, rows, make))

    def _history(self, pool_id: str, after: str | None) -> tuple[str, Counter[str]]:
        """The pool's last assignment before the order, and answers given to each task till then.

        Args:
            pool_id: the pool, with no order at work in it.
            after: the last assignment, if it is known.
        """
        if after == "":
            return "", Counter()
        while True:
            found = read_suites(self._api, pool_id, upto=after or "")
            if not any(suite.status == "ACTIVE" for suite in found):
                break
            self._api.clock.sleep(_PAUSE_S)
        given = Counter(task for suite in found if suite.is_given for task in suite.tasks)
        return max((suite.id for suite in found), default=""), given

    def _expiry(self, order: Order, prepared: Any | None) -> tuple[datetime, bool]:
        """When the pool closes by itself, and whether that is the order's deadline."""
        if prepared is not None and fact(prepared, "deadline") == _YES:
            return prepared.will_expire, True
        has_deadline = (
            order.minutes is not None and timedelta(minutes=order.minutes) <= self._horizon
        )
        span = timedelta(minutes=order.minutes or 0) if has_deadline else self._horizon
        return self._api.clock.now() + span, has_deadline

    def _set_pool(self, pool_id: str, wanted: Any) -> None:
        def look(client: Any) -> bool | None:
            got = client.get_pool(pool_id)
            same = got.metadata == wanted.metadata and got.will_expire == wanted.will_expire
            return True if same else None

        self._api.write(
            "preparing a pool",
            lambda client: bool(client.update_pool(pool_id, wanted)),
            look,
        )
        check_pool(self._api.name, wanted, self._api.read(lambda client: client.get_pool(pool_id)))

    def _extend_exam(self, ready: Ready, expires: datetime) -> None:
        """Let a closed exam pool stay open as long as the pool that needs it."""
        pool = self._api.read(lambda client: client.get_pool(ready.exam_pool))
        if status_of(pool) == "OPEN" or pool.will_expire >= expires:
            return
        pool.will_expire = expires
        self._api.write(
            "preparing the exam",
            lambda client: bool(client.update_pool(ready.exam_pool, pool)),
            lambda client: client.get_pool(ready.exam_pool).will_expire == expires or None,
        )

    def _set_tasks(self, order: Order, ready: Ready, given: Counter[str]) -> None:
        """Upload what the pool lacks and ask for as many answers as are wanted, on each task.

        The platform counts a task's answers over all orders: a task is to have those it has and
        those wanted now; one that is not wanted, those it has.
        """
        goods, pool_id, wanted = self._goods, ready.pool_id, dict(order.wanted)
        known = self._rows(order, ready)
        there = {row for key, row in known.items() if key not in ready.controls}
        new = [row for row in wanted if row not in there]
        fresh = upload(
            self._api,
            self._journal,
            Upload(
                pool_id,
                order.key,
                new,
                lambda row: spec.real_task(pool_id, goods.address(row), wanted[row]),
            ),
        )
        known = {**known, **fresh}
        tasks = read_tasks(self._api, pool_id)
        overlap = {
            key: given[key] + wanted.get(known.get(key, -1), 0)
            for key, task in tasks.items()
            if not task.known_solutions
        }
        for key in sorted(overlap):
            if tasks[key].overlap != overlap[key]:
                set_overlap(self._api, key, overlap[key], overlap[key] < tasks[key].overlap)
        tasks = read_tasks(self._api, pool_id)
        if sum(overlap[key] - given[key] for key in overlap) != order.answers_wanted:
            raise MarketContradiction(
                f"{self._api.name}: pool {pool_id} does not hold the tasks that were ordered; it "
                "was not opened"
            )
        check_tasks(self._api.name, pool_id, tasks, overlap, ready.controls)

    def _rows(self, order: Order, ready: Ready) -> dict[str, int]:
        """Image row of the pool's tasks: from the journal, else by the images' addresses."""
        rows = {**tasks_of(self._journal, ready.pool_id), **ready.controls}
        held = set(rows.values())
        lacking = [row for row, _ in order.wanted if row not in held]
        if not lacking:
            return rows
        by_address = self._goods.rows_by_address(lacking)
        return {**rows_by_address(read_tasks(self._api, ready.pool_id), by_address), **rows}
