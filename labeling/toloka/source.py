"""TolokaSource: Toloka, or a server with the same API, as a market of labels."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.money import MICROS_PER_DOLLAR, Money
from budget.tariff import Tariff
from labeling.order_locks import OrderLocks
from labeling.source import ARCHIVE, CLOSE, Finding, Pool, StoredOrder, checked_tasks
from labeling.toloka.api.client import Api
from labeling.toloka.api.intents import DONE, INTENT, IntentLog
from labeling.toloka.describe.askable import check_campaign
from labeling.toloka.describe.shown_tasks import ShownTasks
from labeling.toloka.describe.spec import Marker, fact
from labeling.toloka.pools.collect import OrderCollector, PlacedOrder, PoolActions
from labeling.toloka.pools.find_or_make import PoolFactory, pools_of, status_of
from labeling.toloka.pools.open_close import OpenPools, opened_at
from labeling.toloka.pools.prepare import ConditionPools, Preparer
from labeling.toloka.pools.review import Review
from labeling.toloka.pools.upload import set_overlap
from labeling.toloka.reconcile import StudyOnMarket, differences
from labeling.types import Condition, Order, Page

HORIZON_MINUTES = 360.0
_POLL_S, _SOON_S = 20.0, 3.0
_SOON = 20  # number of assignments left from which polls are more frequent
_PER_MINUTE = 10.9  # assignments of the published food campaign: 327 in 30 minutes


class TolokaSource:
    """A market of real annotators. Every call is idempotent by the order's key.

    A condition has one pool. While the pool is closed, an order's tasks are uploaded, and price,
    mixer, overlap and counts are read back. Then the pool is opened; only this spends money. A pool
    has its expiry from the start. `close` closes every pool that this process has opened. `sweep`
    closes pools that a killed process left open; it runs at the next start.

    Args:
        api: the platform (see `connect`).
        goods: the campaign with its images and control tasks.
        tariff: the platform's tariff.
        folder: folder of the journal.
        study: the study's name.
        minutes: minutes for a number of assignments; a published campaign's pace by default.
        horizon_minutes: time after which a pool closes by itself, whatever happens to this process.
        review: returns the reason to reject an assignment, or None to accept it; by default all
            assignments are accepted without review.
        run: distinguishes studies of the same name; kept in the folder by default. Processes that
            share a study but no folder pass the same value.
        stopping: whether to stop: an order then ends with the assignments that annotators hold.
        waits: told the number of the process that collects an order, before the wait for it.

    Raises:
        InputError: Toloka cannot ask the campaign.
        StorageError: the folder cannot be written.
    """

    def __init__(
        self,
        api: Api,
        goods: ShownTasks,
        tariff: Tariff,
        folder: Path,
        study: str,
        minutes: Callable[[Condition, int], float] | None = None,
        horizon_minutes: float = HORIZON_MINUTES,
        review: Review | None = None,
        run: str | None = None,
        stopping: Callable[[], bool] = lambda: False,
        waits: Callable[[str], None] = lambda who: None,
    ) -> None:
        check_campaign(goods.campaign)
        self.api = api
        self.journal = IntentLog(folder, api.clock)
        self.marker = Marker(study, run or _run_id(self.journal))
        self._goods = goods
        self._tariff = tariff
        self._minutes = minutes
        self._review = review
        self._stopping = stopping
        self._open_pools = OpenPools(api, self.journal)
        factory = PoolFactory(api, self.journal, goods.campaign, self.marker, review is None)
        horizon = timedelta(minutes=horizon_minutes)
        self._preparer = Preparer(api, self.journal, factory, goods, horizon)
        self._placed: dict[str, PlacedOrder] = {}
        self._locks = OrderLocks(self.journal, waits)

    @property
    def tariff(self) -> Tariff:
        """The platform's tariff."""
        return self._tariff

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """Expected minutes for a number of assignments in a condition's pool."""
        if self._minutes is not None:
            return self._minutes(condition, assignments)
        return assignments / _PER_MINUTE

    @property
    def reviews(self) -> bool:
        """Whether assignments are reviewed before they are accepted."""
        return self._review is not None

    def balance(self) -> Money:
        """Money in the account, rounded down to a micro-dollar."""
        return balance_of(self.api)

    # --- buying ---

    def place(self, order: Order) -> Pool:
        """Open the order's pool, or find it open. Repeated calls give the same pool.

        Raises:
            InputError: the order, the token, an image's address or the balance is not sufficient;
                no object was created.
            MarketError: the platform failed; no pool was opened.
        """
        if order.key not in self._placed:
            self._check(order)
            # A prepared order may have spent its money already: a restart must not need it twice.
            if self.journal.done("prepare", order.key) is None:
                self._check_balance(order)
            is_ours = self._locks.take(order.key)
            if not self._recall(order):
                ready = self._preparer.ready(order.condition)
                # Another process works on the order: its pool is known, but not touched.
                if not is_ours:
                    return Pool(ready.pool_id, order)
                self._bring(order, ready)
        return Pool(self._placed[order.key].pool_id, order)

    def collect(self, pool: Pool) -> Iterator[Page]:
        """Collect the order until its pool is closed and no assignment is active.

        Raises:
            InputError: the account is empty.
            MarketError: another person or program closed the pool, or the platform's answers make
                no sense.
        """
        order = pool.order
        # Another process on this machine collects the order: this one waits for its turn.
        self._locks.wait(order.key)
        self.place(order)
        yield from self._collecting(order, self._placed[order.key]).pages()
        self._open_pools.mine.pop(pool.id, None)
        self._unlock(order.key)

    def close(self) -> None:
        """Close every pool that this process has opened; annotators may finish active suites.

        Raises:
            MarketError: a pool could not be closed; it closes by itself at its expiry.
            InputError: the platform no longer accepts the token.
        """
        try:
            self._open_pools.shut_all()
        finally:
            for key in self._locks:
                self._unlock(key)

    # --- around a study ---

    def sweep(self, adopt: Collection[str] = ()) -> list[str]:
        """Close every open pool of this study whose order no process collects.

        A study calls this at its start, before it buys labels.

        Args:
            adopt: keys of unfinished orders that are collected next: their pools stay open, and
                `close` closes them.

        Returns:
            Ids of the closed pools.
        """
        closed: list[str] = []
        pools = self.api.read(lambda client: pools_of(client, status="OPEN"))
        for pool in pools:
            order = fact(pool, "order") or ""
            if not self.marker.owns(pool) or order in self._locks:
                continue
            # A held lock means that a living process collects the order.
            with self.alone_with(order) as is_free:
                if not is_free:
                    continue
                if order in adopt:
                    self._open_pools.mine[pool.id] = fact(pool, "exam_pool") or ""
                else:
                    self.shut(pool.id)
                    closed.append(pool.id)
        campaign = self._goods.campaign.key
        for exam in [pool.id for pool in pools if fact(pool, "exam") == campaign]:
            closed += self._open_pools.shut_exam(exam)
        return closed

    def shut(self, pool_id: str) -> None:
        """Close a pool of the study, and its exam if no other open pool needs it."""
        pool = self.api.read(lambda client: client.get_pool(pool_id))
        # Before the closing: the journal keeps the time of the opening for a later start.
        opened_at(self.journal, fact(pool, "order") or "", pool)
        self._open_pools.mine[pool_id] = fact(pool, "exam_pool") or ""
        self._open_pools.shut(pool_id)

    def archive(self, conditions: Collection[str]) -> list[str]:
        """Archive closed pools of the study for good; their answers stay readable.

        A later order in one of these conditions gets a new pool, which does not admit the
        annotators of the archived pool.

        Args:
            conditions: keys of the conditions in which the study buys no labels for now.

        Returns:
            Ids of the archived pools.
        """
        closed = [p.id for p in self._pools(conditions) if status_of(p) == "CLOSED"]
        for pool_id in closed:
            self.discard(pool_id)
        return closed

    def archived(self, conditions: Collection[str]) -> list[str]:
        """Those of the given conditions whose pools are all archived."""
        pairs = [(fact(p, "condition") or "", status_of(p)) for p in self._pools(conditions)]
        there = {condition for condition, status in pairs if status != "ARCHIVED"}
        return sorted({condition for condition, _ in pairs} - there)

    def _pools(self, conditions: Collection[str]) -> list[Any]:
        """The study's pools of some conditions."""
        pools = self.api.read(lambda client: pools_of(client))
        return [p for p in pools if self.marker.owns(p) and fact(p, "condition") in conditions]

    def discard(self, pool_id: str) -> None:
        """Archive a closed pool."""
        self.journal.write("archive", pool_id, INTENT)
        self.api.write(
            "archiving a pool",
            lambda client: client.archive_pool_async(pool_id) or True,
            lambda client: status_of(client.get_pool(pool_id)) == "ARCHIVED" or None,
        )
        self.journal.write("archive", pool_id, DONE)

    def differences(self, books: Sequence[StoredOrder]) -> list[Finding]:
        """Compare the study's orders and holds with the market; change nothing."""
        market = StudyOnMarket(self.api, self.marker, self.journal, self.reviews)
        return differences(market, books)

    def mend(self, finding: Finding) -> bool:
        """Repair a finding on the market.

        Returns:
            Whether the repair belongs to the market; holds and answers belong to the study.
        """
        if finding.mend == CLOSE:
            self.shut(finding.pool_id)
        elif finding.mend == ARCHIVE:
            self.discard(finding.pool_id)
        return finding.mend in (CLOSE, ARCHIVE)

    def alone_with(self, order_key: str) -> AbstractContextManager[bool]:
        """Whether this process works alone on an order, for the length of the block."""
        return self._locks.alone(order_key)

    # --- placing ---

    def _check(self, order: Order) -> None:
        """Refuse an order that cannot be bought, before any object is created."""
        self._tariff.check_rate(order.condition.reward)
        self._goods.check(order.condition)
        tasks, _ = checked_tasks(order, self._goods.controls)
        exam, controls = self._goods.split(order.condition)
        self._goods.rows_by_address([*tasks.tolist(), *exam.tolist(), *controls.tolist()])

    def _check_balance(self, order: Order) -> None:
        most = self._tariff.most(order.limit, order.condition.reward)
        balance = self.balance()
        if balance < most:
            raise InputError(
                f"{self.api.name}: the account holds {balance}, but this order may cost {most}; "
                "top it up or lower the budget"
            )

    def _recall(self, order: Order) -> bool:
        """Whether an order is over: it has ended, or its pool is archived."""
        prepared = self.journal.done("prepare", order.key)
        if prepared is None:
            return False
        pool = self.api.read(lambda client: client.get_pool(prepared["pool"]))
        if status_of(pool) == "ARCHIVED" and self.journal.last("close", order.key) is None:
            self.journal.write("close", order.key, INTENT, reason="limit")
        elif status_of(pool) != "ARCHIVED" and self.journal.done("end", order.key) is None:
            return False
        ready = self._preparer.recalled(prepared["pool"])
        self._placed[order.key] = self._preparer.placed(order, ready, pool)
        return True

    def _bring(self, order: Order, ready: ConditionPools) -> None:
        """Bring the order into one of two states: its pool is open, or it is over."""
        pool = self.api.read(lambda client: client.get_pool(ready.pool_id))
        is_mine = fact(pool, "order") == order.key
        is_over = self.journal.last("close", order.key) is not None
        if is_mine and status_of(pool) == "OPEN":
            self._open_pools.mine[pool.id] = ready.exam_pool
        if is_mine and status_of(pool) == "OPEN" and not is_over:
            self._placed[order.key] = self._preparer.placed(order, ready, pool)
            return
        if status_of(pool) == "OPEN" and self.journal.done("end", order.key) is None:
            self._open_pools.mine[pool.id] = fact(pool, "exam_pool") or ""
            self._open_pools.shut(pool.id)
        if not is_over:
            self._open(order, ready)
        else:
            self._placed[order.key] = self._preparer.placed(order, ready, pool)

    def _open(self, order: Order, ready: ConditionPools) -> None:
        """Prepare the closed pool and open it, unless the order turns out to be over."""
        pool = self.api.read(lambda client: client.get_pool(ready.pool_id))
        was_open = opened_at(self.journal, order.key, pool) is not None
        self._preparer.prepare(order, ready, pool)
        if was_open:
            pool = self.api.read(lambda client: client.get_pool(ready.pool_id))
            placed = self._preparer.placed(order, ready, pool)
            self._placed[order.key] = placed
            if self._collecting(order, placed).resume():
                return
        self._open_pools.open(ready.pool_id, ready.exam_pool)
        pool = self.api.read(lambda client: client.get_pool(ready.pool_id))
        self._placed[order.key] = self._preparer.placed(order, ready, pool)

    def _collecting(self, order: Order, placed: PlacedOrder) -> OrderCollector:
        exam = self._open_pools.mine.get(placed.pool_id, "")
        actions = PoolActions(
            open=lambda: self._open_pools.open(placed.pool_id, exam),
            close=lambda: self._open_pools.shut(placed.pool_id),
            set_overlap=lambda task, overlap: set_overlap(self.api, task, overlap),
        )
        return OrderCollector(
            self.api,
            self.journal,
            order,
            placed,
            actions,
            self._review,
            self._wait,
            self._stopping,
        )

    def _wait(self, left: int) -> None:
        """Sleep before the next poll; briefly when few assignments are left before the limit."""
        self.api.clock.sleep(_SOON_S if left <= _SOON else _POLL_S)

    def _unlock(self, key: str) -> None:
        self._placed.pop(key, None)
        self._locks.release(key)


def balance_of(api: Api) -> Money:
    """Money in the account, rounded down to a micro-dollar."""
    balance = api.read(lambda client: client.get_requester()).balance
    return Money(int(balance * MICROS_PER_DOLLAR))


def _run_id(journal: IntentLog) -> str:
    """Id of this run of a study, kept in its journal; it distinguishes studies of the same name."""
    with journal.turn("run"):
        record = journal.done("run", "id") or journal.write("run", "id", DONE, run=uuid.uuid4().hex)
    return str(record["run"])
