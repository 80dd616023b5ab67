"""TolokaSource: Toloka, or a server that speaks like it, as a market of labels."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from budget.errors import InputError
from budget.money import MICROS_PER_DOLLAR, Money
from budget.tariff import Tariff
from labeling.source import ARCHIVE, CLOSE, Finding, Pool, StoredOrder, checked_tasks
from labeling.toloka.api.client import Api
from labeling.toloka.api.intents import DONE, INTENT, IntentLog
from labeling.toloka.describe.askable import check_campaign
from labeling.toloka.describe.shown_tasks import ShownTasks
from labeling.toloka.describe.spec import Marker, fact
from labeling.toloka.pools.collect import Collection as Collecting
from labeling.toloka.pools.collect import Hands, Placed
from labeling.toloka.pools.find_or_make import Shelf, pools_of, status_of
from labeling.toloka.pools.open_close import PoolDoors, opened_at
from labeling.toloka.pools.prepare import Preparer, Ready
from labeling.toloka.pools.review import Review
from labeling.toloka.pools.upload import set_overlap
from labeling.toloka.reconcile import StudyOnMarket, differences
from labeling.types import Condition, Order, Page

HORIZON_MINUTES = 360.0
_POLL_S, _SOON_S = 20.0, 3.0
_SOON = 20  # assignments left at which news is asked for more often
_PER_MINUTE = 10.9  # assignments of the published food campaign: 327 in 30 minutes
_LOCK_S = 0.2


class TolokaSource:
    """A market of real annotators. Every call is idempotent by the order's key.

    A condition has one pool. An order's tasks are uploaded to it while it is closed; price, mixer,
    overlap and counts are read back; then it is opened, the only act that spends. It carries its
    expiry from the start. `close` closes every pool that this process has opened; what a kill
    leaves open, `sweep` finds at the next start.

    Args:
        api: the platform (see `connect`).
        goods: what annotators are shown and asked.
        tariff: what the platform charges.
        folder: where the journal lies.
        study: the study's name.
        minutes: how long a number of assignments takes; a published campaign's pace by default.
        horizon_minutes: a pool closes by itself after this time, whatever happens to this process.
        review: says why a suite is rejected, or None to accept it; by default nothing is reviewed
            and everything is accepted.
        run: tells studies of one name apart; kept in the folder by default. Processes that share
            a study but not a folder give the same.
        stopping: whether to give out nothing more: an order then ends with what annotators hold.

    Raises:
        InputError: a campaign that cannot be asked on Toloka.
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
        self._doors = PoolDoors(api, self.journal)
        shelf = Shelf(api, self.journal, goods.campaign, self.marker, review is None)
        horizon = timedelta(minutes=horizon_minutes)
        self._preparer = Preparer(api, self.journal, shelf, goods, horizon)
        self._placed: dict[str, Placed] = {}
        self._locks: dict[str, ExitStack] = {}

    @property
    def tariff(self) -> Tariff:
        """What the platform charges."""
        return self._tariff

    def expected_minutes(self, condition: Condition, assignments: int) -> float:
        """How long a number of assignments is expected to take in a condition's pool."""
        if self._minutes is not None:
            return self._minutes(condition, assignments)
        return assignments / _PER_MINUTE

    @property
    def reviews(self) -> bool:
        """Whether suites are looked at before they are accepted."""
        return self._review is not None

    def balance(self) -> Money:
        """What the account holds, rounded down to a micro-dollar."""
        return balance_of(self.api)

    # --- buying ---

    def place(self, order: Order) -> Pool:
        """Open the order's pool, or find it open. Same key, same pool, however often it is asked.

        Raises:
            InputError: the order, the token, an image's address or the balance will not do;
                nothing was created.
            MarketError: the platform does not do what it should; nothing was opened.
        """
        if order.key not in self._placed:
            self._check(order)
            if self.journal.done("prepare", order.key) is None:
                self._check_balance(order)
            is_ours = self._lock(order.key)
            if not self._recall(order):
                ready = self._preparer.ready(order.condition)
                if not is_ours:
                    return Pool(ready.pool_id, order)  # another process is at it
                self._bring(order, ready)
        return Pool(self._placed[order.key].pool_id, order)

    def collect(self, pool: Pool) -> Iterator[Page]:
        """Watch the order until its pool is closed and no assignment is active any more.

        Raises:
            InputError: the account ran empty.
            MarketError: somebody else closed the pool, or the platform cannot be understood.
        """
        order = pool.order
        while not self._lock(order.key):
            time.sleep(_LOCK_S)  # for another process on this machine
        self.place(order)
        yield from self._collecting(order, self._placed[order.key]).pages()
        self._doors.mine.pop(pool.id, None)
        self._unlock(order.key)

    def close(self) -> None:
        """Close every pool that this process has opened. What annotators hold they may finish.

        Raises:
            MarketError: a pool could not be closed; it closes by itself when it expires.
            InputError: the token is not known any more.
        """
        try:
            self._doors.shut_all()
        finally:
            for key in list(self._locks):
                self._unlock(key)

    # --- around a study ---

    def sweep(self, adopt: Collection[str] = ()) -> list[str]:
        """Close every open pool of this study that nobody watches any more.

        To be called when a study starts, before it buys anything.

        Args:
            adopt: keys of orders that are unfinished and will be collected next: their pools stay
                open, and `close` will close them.

        Returns:
            Ids of the pools that were closed.
        """
        closed: list[str] = []
        pools = self.api.read(lambda client: pools_of(client, status="OPEN"))
        for pool in pools:
            order = fact(pool, "order") or ""
            if not self.marker.owns(pool) or order in self._locks:
                continue
            with self.alone_with(order) as is_free:
                if not is_free:
                    continue
                if order in adopt:
                    self._doors.mine[pool.id] = fact(pool, "exam_pool") or ""
                else:
                    self.shut(pool.id)
                    closed.append(pool.id)
        campaign = self._goods.campaign.key
        for exam in [pool.id for pool in pools if fact(pool, "exam") == campaign]:
            closed += self._doors.shut_exam(exam)
        return closed

    def shut(self, pool_id: str) -> None:
        """Close a pool of the study, and its exam if nobody else needs it."""
        pool = self.api.read(lambda client: client.get_pool(pool_id))
        opened_at(self.journal, fact(pool, "order") or "", pool)  # closing forgets it
        self._doors.mine[pool_id] = fact(pool, "exam_pool") or ""
        self._doors.shut(pool_id)

    def archive(self, conditions: Collection[str]) -> list[str]:
        """Archive closed pools of the study for good. Their answers stay readable.

        A later order in one of their conditions gets another pool, to which the annotators of the
        archived one are not admitted.

        Args:
            conditions: keys of the conditions in which nothing is bought for now.

        Returns:
            Ids of the pools that were archived.
        """
        closed = [p.id for p in self._pools(conditions) if status_of(p) == "CLOSED"]
        for pool_id in closed:
            self.discard(pool_id)
        return closed

    def archived(self, conditions: Collection[str]) -> list[str]:
        """Those of some conditions that have no pool any more but archived ones."""
        known = [(fact(p, "condition") or "", status_of(p)) for p in self._pools(conditions)]
        there = {condition for condition, status in known if status != "ARCHIVED"}
        return sorted({condition for condition, _ in known} - there)

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
        """Compare the study's orders and holds with the market. Changes nothing."""
        market = StudyOnMarket(self.api, self.marker, self.journal, self.reviews)
        return differences(market, books)

    def mend(self, finding: Finding) -> bool:
        """Do what a finding asks for on the market.

        Returns:
            Whether it was the market's to mend; holds and answers are the study's.
        """
        if finding.mend == CLOSE:
            self.shut(finding.pool_id)
        elif finding.mend == ARCHIVE:
            self.discard(finding.pool_id)
        return finding.mend in (CLOSE, ARCHIVE)

    def alone_with(self, order_key: str) -> AbstractContextManager[bool]:
        """Whether no other process is at work on an order, until the block is left."""
        return self.journal.alone(f"order-{order_key}")

    # --- placing ---

    def _check(self, order: Order) -> None:
        """Refuse what cannot be bought, before anything is created."""
        self._tariff.check_reward(order.condition.reward)
        self._goods.check(order.condition)
        tasks, _ = checked_tasks(order, self._goods.controls)
        exam, controls = self._goods.split(order.condition)
        self._goods.rows_by_address([*tasks.tolist(), *exam.tolist(), *controls.tolist()])

    def _check_balance(self, order: Order) -> None:
        most = self._tariff.cost(order.limit, order.condition.reward)
        balance = self.balance()
        if balance < most:
            raise InputError(
                f"{self.api.name}: the account holds {balance}, but this order may cost {most}; "
                "top it up or lower the budget"
            )

    def _recall(self, order: Order) -> bool:
        """Whether nothing more can come of an order: it has ended, or its pool is archived."""
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

    def _bring(self, order: Order, ready: Ready) -> None:
        """Bring the order to where it is open, or closed for good."""
        pool = self.api.read(lambda client: client.get_pool(ready.pool_id))
        is_mine = fact(pool, "order") == order.key
        is_over = self.journal.last("close", order.key) is not None
        if is_mine and status_of(pool) == "OPEN":
            self._doors.mine[pool.id] = ready.exam_pool
        if is_mine and status_of(pool) == "OPEN" and not is_over:
            self._placed[order.key] = self._preparer.placed(order, ready, pool)
            return
        if status_of(pool) == "OPEN" and self.journal.done("end", order.key) is None:
            self._doors.mine[pool.id] = fact(pool, "exam_pool") or ""
            self._doors.shut(pool.id)
        if not is_over:
            self._open(order, ready)
        else:
            self._placed[order.key] = self._preparer.placed(order, ready, pool)

    def _open(self, order: Order, ready: Ready) -> None:
        """Prepare the closed pool and open it, unless the order proves to be over."""
        pool = self.api.read(lambda client: client.get_pool(ready.pool_id))
        was_open = opened_at(self.journal, order.key, pool) is not None
        self._preparer.prepare(order, ready, pool)
        if was_open:
            pool = self.api.read(lambda client: client.get_pool(ready.pool_id))
            placed = self._preparer.placed(order, ready, pool)
            self._placed[order.key] = placed
            if self._collecting(order, placed).resume():
                return
        self._doors.open(ready.pool_id, ready.exam_pool)
        pool = self.api.read(lambda client: client.get_pool(ready.pool_id))
        self._placed[order.key] = self._preparer.placed(order, ready, pool)

    def _collecting(self, order: Order, placed: Placed) -> Collecting:
        exam = self._doors.mine.get(placed.pool_id, "")
        hands = Hands(
            open=lambda: self._doors.open(placed.pool_id, exam),
            close=lambda: self._doors.shut(placed.pool_id),
            set_overlap=lambda task, overlap: set_overlap(self.api, task, overlap),
        )
        return Collecting(
            self.api,
            self.journal,
            order,
            placed,
            hands,
            self._review,
            self._wait,
            self._stopping,
        )

    def _wait(self, left: int) -> None:
        """Sleep before asking again: briefly when few are left, lest one be too many."""
        self.api.clock.sleep(_SOON_S if left <= _SOON else _POLL_S)

    def _lock(self, key: str) -> bool:
        """Whether an order is this source's to work on: no other process of the study has it."""
        if key in self._locks:
            return True
        stack = ExitStack()
        if not stack.enter_context(self.alone_with(key)):
            stack.close()
            return False
        self._locks[key] = stack
        return True

    def _unlock(self, key: str) -> None:
        self._placed.pop(key, None)
        stack = self._locks.pop(key, None)
        if stack is not None:
            stack.close()


def balance_of(api: Api) -> Money:
    """What the account holds, rounded down to a micro-dollar."""
    balance = api.read(lambda client: client.get_requester()).balance
    return Money(int(balance * MICROS_PER_DOLLAR))


def _run_id(journal: IntentLog) -> str:
    """What tells this run of a study apart from another of the same name, kept in its journal."""
    with journal.turn("run"):
        known = journal.done("run", "id") or journal.write("run", "id", DONE, run=uuid.uuid4().hex)
    return str(known["run"])
