"""Opening and closing pools: only an opening spends money, and no closing may be missed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from budget.errors import InputError, MarketError, MarketUnreachable
from labeling.toloka.api.client import Api
from labeling.toloka.api.intents import DONE, INTENT, IntentLog
from labeling.toloka.describe.spec import fact
from labeling.toloka.pools.find_or_make import pools_of, status_of
from labeling.toloka.pools.upload import wait_for


class OpenPools:
    """The pools that this process has opened and must close.

    Attributes:
        mine: the process's pools, each with the exam pool that it needs open; empty without an
            exam.
    """

    def __init__(self, api: Api, journal: IntentLog) -> None:
        self.mine: dict[str, str] = {}
        self._api = api
        self._journal = journal

    def open(self, pool_id: str, exam_pool: str) -> None:
        """Open a prepared pool, after its exam pool.

        Raises:
            InputError: the account cannot pay for the pool.
            MarketError: the platform refuses to open the pool.
        """
        # Noted before the call: a signal in between must not leave an open pool behind.
        self.mine[pool_id] = exam_pool
        try:
            if exam_pool:
                self._journal.write("open", exam_pool, INTENT, exam=True)
                self._open_one(exam_pool)
            self._journal.write("open", pool_id, INTENT)
            self._open_one(pool_id)
        except MarketError as error:
            # Without an answer the pool may be open: it stays in `mine`, and `shut_all` closes it.
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
        """Close a pool, and its exam if no other open pool needs it; a repeat does nothing."""
        self._shut_one(pool_id)
        # Only a closed pool leaves `mine`: if the closing fails, `shut_all` tries again.
        exam = self.mine.pop(pool_id, "")
        if exam:
            self.shut_exam(exam)

    def shut_exam(self, exam_pool: str) -> list[str]:
        """Close an exam pool unless an open pool needs it; return ids of the closed pools."""
        exam = self._api.read(lambda client: client.get_pool(exam_pool))
        if status_of(exam) != "OPEN":
            return []
        # Pools of other processes count, too: the market knows them, this process does not.
        others = self._api.read(
            lambda client: pools_of(client, status="OPEN", project_id=exam.project_id)
        )
        if any(fact(pool, "exam_pool") == exam_pool for pool in others):
            return []
        self._shut_one(exam_pool)
        return [exam_pool]

    def shut_all(self) -> None:
        """Close all pools that this process has opened.

        Raises:
            MarketError: a pool could not be closed; it closes by itself at its expiry.
            InputError: the platform no longer accepts the token.
        """
        # A pool that cannot be closed must not keep the others open.
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
    """Time of the first opening of an order's pool for this order; None if it was never opened.

    Args:
        journal: the journal; it may lack the time.
        order_key: the order's key.
        pool: the pool's current state.
    """
    record = journal.done("opened", order_key)
    if record is not None:
        return datetime.fromisoformat(record["opened"])
    # Not in the journal yet, or a crash came first: the platform knows its own last opening.
    started: datetime | None = pool.last_started
    if fact(pool, "order") != order_key or started is None:
        return None
    # An opening before the preparation belongs to an earlier order.
    if started < datetime.fromisoformat(fact(pool, "prepared") or started.isoformat()):
        return None
    journal.write("opened", order_key, DONE, opened=started.isoformat())
    return started
