"""Prepares an order's pool for its opening: settings, tasks and overlap, all read back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from budget.errors import MarketContradiction, MarketError
from labeling.source import filled, wanted_arrays
from labeling.toloka.api.client import Api
from labeling.toloka.api.intents import DONE, INTENT, IntentLog
from labeling.toloka.describe import spec
from labeling.toloka.describe.plain import POOL, to_plain
from labeling.toloka.describe.read_back import check_pool, check_project, check_tasks, differences
from labeling.toloka.describe.shown_tasks import ShownTasks
from labeling.toloka.describe.spec import fact
from labeling.toloka.pools.assignment_updates import AssignmentReader, read_suites
from labeling.toloka.pools.collect import PlacedOrder
from labeling.toloka.pools.find_or_make import PoolFactory
from labeling.toloka.pools.open_close import opened_at
from labeling.toloka.pools.upload import (
    Upload,
    read_tasks,
    rows_by_address,
    set_overlaps,
    tasks_of,
    upload,
)
from labeling.types import Condition, Order

_PAUSE_S = 20.0
_YES = "yes"
CONTROLS, EXAM = "controls", "exam"


@dataclass(frozen=True, slots=True)
class ConditionPools:
    """A condition's pools and control tasks on the market.

    Attributes:
        pool_id: id of the condition's pool.
        exam_pool: id of the exam pool; empty without an exam.
        exam_skill: id of the exam's skill; None without an exam.
        controls: image row of each control task, by the task's id.
    """

    pool_id: str
    exam_pool: str
    exam_skill: str | None
    controls: dict[str, int]


class Preparer:
    """Prepares pools for orders. It spends no money: its pools stay closed.

    Args:
        api: the platform.
        journal: records intents.
        factory: finds or creates projects, skills and pools.
        goods: the campaign with its images and control tasks.
        horizon: time after which a pool closes by itself.
    """

    def __init__(
        self,
        api: Api,
        journal: IntentLog,
        factory: PoolFactory,
        goods: ShownTasks,
        horizon: timedelta,
    ) -> None:
        self._api = api
        self._journal = journal
        self._factory = factory
        self._goods = goods
        self._horizon = horizon

    def ready(self, condition: Condition) -> ConditionPools:
        """Find or create the condition's pools, closed, and upload their control tasks."""
        exam_rows, control_rows = self._goods.split(condition)
        expires = self._api.clock.now() + self._horizon
        exam_pool, exam_skill = "", None
        if condition.exam:
            exam_pool, exam_skill = self._factory.exam(self._goods.digest(exam_rows), expires)
            self._upload_controls(exam_pool, EXAM, exam_rows.tolist())
        pool_id = self._factory.main(condition, exam_skill, expires)
        controls = {}
        if condition.controls:
            controls = self._upload_controls(pool_id, CONTROLS, control_rows.tolist())
        return ConditionPools(pool_id, exam_pool, exam_skill, controls)

    def recalled(self, pool_id: str) -> ConditionPools:
        """A pool of an order that is over, from the journal's records."""
        controls = tasks_of(self._journal, pool_id, CONTROLS)
        return ConditionPools(pool_id, "", None, controls)

    def prepare(self, order: Order, ready: ConditionPools, pool: Any) -> None:
        """Give a closed pool an order's expiry, tasks and overlap, and read them back.

        Raises:
            MarketError: the platform's pool differs from these settings.
        """
        is_mine = fact(pool, "order") == order.key
        after, given = self._history(
            ready.pool_id, (fact(pool, "after") or "") if is_mine else None
        )
        expires, has_deadline = self._expiry(order, pool if is_mine else None)
        wanted = self._factory.described(
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
        campaign = spec.project(self._goods.campaign)
        check_project(self._api.name, campaign, self._told("projects", wanted.project_id))
        # The pool carries the order's key before its tasks: after a crash in between, the next
        # start knows from the pool itself where the order's assignments begin.
        self._set_pool(ready.pool_id, wanted)
        if ready.exam_pool:
            self._set_exam(order.condition, ready, expires)
        # Once only: later rounds raise overlap, and a restart must not lower it again.
        if done is None:
            self._set_tasks(order, ready, given)
            self._journal.write("prepare", order.key, DONE, pool=ready.pool_id, after=after)

    def placed(self, order: Order, ready: ConditionPools, pool: Any) -> PlacedOrder:
        """The state of a prepared order on the market.

        Raises:
            MarketError: the pool belongs to another order by now.
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
        return PlacedOrder(
            pool_id=ready.pool_id,
            after=after,
            expires=pool.will_expire,
            has_deadline=fact(pool, "deadline") == _YES,
            reading=AssignmentReader(campaign, rows, frozenset(ready.controls), opened),
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
        """Id of the pool's last assignment before the order, and the answers to each task so far.

        Args:
            pool_id: the pool; no order is under way in it.
            after: id of the last assignment; None if unknown, empty for the pool's first order.
        """
        if after == "":
            return "", Counter()
        # An active assignment of an earlier order can still become an answer: wait for its end.
        while True:
            suites = read_suites(self._api, pool_id, upto=after or "")
            if not any(suite.status == "ACTIVE" for suite in suites):
                break
            self._api.clock.sleep(_PAUSE_S)
        given = Counter(task for suite in suites if suite.is_given for task in suite.tasks)
        return max((suite.id for suite in suites), default=""), given

    def _expiry(self, order: Order, prepared: Any | None) -> tuple[datetime, bool]:
        """Time at which the pool closes by itself, and whether it is the order's deadline."""
        # A deadline runs from the first preparation: a restart must not extend it.
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
        check_pool(self._api.name, wanted, self._told("pools", pool_id))

    def _set_exam(self, condition: Condition, ready: ConditionPools, expires: datetime) -> None:
        """Give a closed exam pool its settings and an expiry, at the earliest that of its pool."""
        digest = self._goods.digest(self._goods.split(condition)[0])
        told = self._told("pools", ready.exam_pool)
        # An open exam is another process's, which has set it and needs it as it is.
        is_open = told.get("status") == "OPEN"
        until = to_plain(told, POOL).get("will_expire")
        if not isinstance(until, datetime) or (not is_open and until < expires):
            until = expires
        wanted = self._factory.described_exam(ready.exam_skill or "", digest, until)
        if not is_open and differences(wanted, told, POOL):
            self._api.write(
                "preparing the exam",
                lambda client: bool(client.update_pool(ready.exam_pool, wanted)),
                lambda client: client.get_pool(ready.exam_pool).will_expire == until or None,
            )
            told = self._told("pools", ready.exam_pool)
        check_pool(self._api.name, wanted, told)
        controls = tasks_of(self._journal, ready.exam_pool, EXAM)
        check_tasks(
            self._api.name, ready.exam_pool, read_tasks(self._api, ready.exam_pool), {}, controls
        )

    def _told(self, kind: str, object_id: str) -> dict[str, Any]:
        """An object as the platform tells it, with the fields that toloka-kit leaves out."""
        return self._api.get(f"/v1/{kind}/{object_id}")

    def _set_tasks(self, order: Order, ready: ConditionPools, given: Counter[str]) -> None:
        """Upload missing tasks and set the overlap of every task.

        The platform counts a task's answers over all orders. So the overlap of a wanted task is the
        answers given so far plus the answers to ask for now; for another task, the answers given.
        """
        goods, pool_id = self._goods, ready.pool_id
        ordered, counts = wanted_arrays(order)
        asked = filled(counts, order.condition)
        wanted = dict(zip(ordered.tolist(), asked.tolist(), strict=True))
        rows = self._rows(order, ready)
        there = {row for key, row in rows.items() if key not in ready.controls}
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
        rows = {**rows, **fresh}
        tasks = read_tasks(self._api, pool_id)
        overlap = {
            key: given[key] + wanted.get(rows.get(key, -1), 0)
            for key, task in tasks.items()
            if not task.known_solutions
        }
        changes = {
            key: (overlap[key], overlap[key] < tasks[key].overlap)
            for key in sorted(overlap)
            if tasks[key].overlap != overlap[key]
        }
        set_overlaps(self._api, changes)
        tasks = read_tasks(self._api, pool_id)
        if sum(overlap[key] - given[key] for key in overlap) != asked.sum():
            raise MarketContradiction(
                f"{self._api.name}: pool {pool_id} does not hold the tasks that were ordered; it "
                "was not opened"
            )
        check_tasks(self._api.name, pool_id, tasks, overlap, ready.controls)

    def _rows(self, order: Order, ready: ConditionPools) -> dict[str, int]:
        """Image row of the pool's tasks, from the journal or by the images' addresses."""
        rows = {**tasks_of(self._journal, ready.pool_id), **ready.controls}
        held = set(rows.values())
        lacking = [row for row, _ in order.wanted if row not in held]
        if not lacking:
            return rows
        by_address = self._goods.rows_by_address(lacking)
        return {**rows_by_address(read_tasks(self._api, ready.pool_id), by_address), **rows}
