"""Opening and closing pools: the only act that spends, and the one that must not be forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from budget.errors import InputError, MarketError, MarketUnreachable
from labeling.toloka.api.client import Api
from labeling.toloka.api.intents import DONE, INTENT, IntentLog
from labeling.toloka.describe.spec import fact
from labeling.toloka.pools.find_or_make import pools_of, status_of
from labeling.toloka.pools.upload import wait_for


class PoolDoors:
    """The pools that this process has opened, and so has to close.

    Attributes:
        mine: pools this process answers for, with the exam pool that each needs open; empty for
            none.
    """

    def __init__(self, api: Api, journal: IntentLog) -> None:
        self.mine: dict[str, str] = {}
        self._api = api
        self._journal = journal

    def open(self, pool_id: str, exam_pool: str) -> None:
        """Open a pool that is ready, its exam first.

        Raises:
            InputError: the account cannot pay for it.
            MarketError: the platform will not open it.
        """
        self.mine[pool_id] = exam_pool
        try:
            if exam_pool:
                self._journal.write("open", exam_pool, INTENT, exam=True)
                self._open_one(exam_pool)
            self._journal.write("open", pool_id, INTENT)
            self._open_one(pool_id)
        except MarketError as error:
            if isinstance(error, MarketUnreachable):
                raise
            self.shut(pool_id)
            if "NOT_ENOUGH_BALANCE" in str(error):
                raise InputError(
                    f"{self._api.name}: the account holds too little for this pool; top it up and "
                    "start the same command again"
                ) from None
            raise
        self._journal.write("open", pool_id, DONE)

    def shut(self, pool_id: str) -> None:
        """Close a pool, and its exam if no other open pool needs it. Closing twice is once."""
        self._shut_one(pool_id)
        exam = self.mine.pop(pool_id, "")
        if exam:
            self.shut_exam(exam)

    def shut_exam(self, exam_pool: str) -> list[str]:
        """Close an exam pool unless an open pool needs it. Returns what was closed."""
        exam = self._api.read(lambda client: client.get_pool(exam_pool))
        if status_of(exam) != "OPEN":
            return []
        others = self._api.read(
            lambda client: pools_of(client, status="OPEN", project_id=exam.project_id)
        )
        if any(fact(pool, "exam_pool") == exam_pool for pool in others):
            return []
        self._shut_one(exam_pool)
        return [exam_pool]

    def shut_all(self) -> None:
        """Close everything that this process has opened.

        Raises:
            MarketError: a pool could not be closed; it closes by itself when it expires.
            InputError: the token is not known any more.
        """
        problems: list[Exception] = []
        for pool_id in list(self.mine):
            try:
                self.shut(pool_id)
            except (MarketError, InputError) as error:
                problems.append(error)
        if problems:
            raise problems[0]

    def _open_one(self, pool_id: str) -> None:
        operation: Any = self._api.write(
            "opening a pool",
            lambda client: client.open_pool_async(pool_id) or True,
            lambda client: status_of(client.get_pool(pool_id)) == "OPEN" or None,
        )
        if operation is True:
            return
        done = wait_for(self._api, operation)
        if str(getattr(done.status, "value", done.status)) == "FAIL":
            raise MarketError(
                f"{self._api.name}: pool {pool_id} could not be opened: {str(done.details)[:300]}"
            )

    def _shut_one(self, pool_id: str) -> None:
        self._journal.write("shut", pool_id, INTENT)
        operation = self._api.write(
            "closing a pool",
            lambda client: client.close_pool_async(pool_id) or True,
            lambda client: status_of(client.get_pool(pool_id)) != "OPEN" or None,
        )
        if operation is not True:
            wait_for(self._api, operation)
        self._journal.write("shut", pool_id, DONE)


def opened_at(journal: IntentLog, order_key: str, pool: Any) -> datetime | None:
    """When an order's pool was first opened for it; None if it never was.

    Args:
        journal: knows it, unless a crash came between.
        order_key: the order.
        pool: its pool as it is now.
    """
    known = journal.done("opened", order_key)
    if known is not None:
        return datetime.fromisoformat(known["opened"])
    started: datetime | None = pool.last_started
    if fact(pool, "order") != order_key or started is None:
        return None
    if started < datetime.fromisoformat(fact(pool, "prepared") or started.isoformat()):
        return None  # that was an earlier order
    journal.write("opened", order_key, DONE, opened=started.isoformat())
    return started
