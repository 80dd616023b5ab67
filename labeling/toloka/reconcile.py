"""Compares a study's stored orders with the market."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labeling.source import ARCHIVE, CLOSE, COLLECT, SETTLE, VOID, Finding, StoredOrder
from labeling.toloka.api.client import Api
from labeling.toloka.api.intents import IntentLog
from labeling.toloka.describe.spec import Marker, fact
from labeling.toloka.pools.assignment_updates import AssignmentUpdates
from labeling.toloka.pools.find_or_make import pools_of, status_of
from labeling.toloka.pools.open_close import opened_at
from labeling.types import Order


@dataclass(frozen=True, slots=True)
class StudyOnMarket:
    """A study's part of the market, for reading.

    Attributes:
        api: the platform.
        marker: identifies the study's pools.
        journal: the study's intents and their outcomes.
        reviews: whether assignments are reviewed before they are accepted.
    """

    api: Api
    marker: Marker
    journal: IntentLog
    reviews: bool


def differences(market: StudyOnMarket, books: Sequence[StoredOrder]) -> list[Finding]:
    """Compare a study's orders and holds with the market; change nothing.

    Args:
        market: the study's part of the market.
        books: all stored orders of the study.
    """
    pools = market.api.read(lambda client: pools_of(client))
    mine = [pool for pool in pools if market.marker.owns(pool)]
    by_key = {book.order.key: book for book in books}
    findings = [f for pool in mine if status_of(pool) == "OPEN" for f in [_open(pool, by_key)]]
    findings += _surplus(mine)
    for book in books:
        findings += _order(market, book, mine)
    return findings


def _open(pool: Any, by_key: dict[str, StoredOrder]) -> Finding:
    key = fact(pool, "order") or ""
    book = by_key.get(key)
    if book is None or book.ended:
        text = f"pool {pool.id} is open, but no order is at work in it"
    else:
        text = f"pool {pool.id} is open for order {key[:12]}; nobody watches it unless a study runs"
    return Finding(text, CLOSE, pool.id, key)


def _surplus(pools: Sequence[Any]) -> list[Finding]:
    """Pools of a condition beside its first pool: they were created twice and never opened."""
    of_condition: dict[str, list[Any]] = defaultdict(list)
    for pool in pools:
        if status_of(pool) != "ARCHIVED":
            of_condition[fact(pool, "condition") or ""].append(pool)
    return [
        Finding(f"pool {pool.id} is one too many in its condition", ARCHIVE, pool.id)
        for same_condition in of_condition.values()
        for pool in sorted(same_condition, key=lambda pool: (len(pool.id), pool.id))[1:]
    ]


def _order(market: StudyOnMarket, book: StoredOrder, pools: Sequence[Any]) -> list[Finding]:
    """Differences between a stored order and its pool."""
    key, short = book.order.key, book.order.key[:12]
    prepared = market.journal.done("prepare", key)
    pool = next((p for p in pools if fact(p, "order") == key), None)
    if pool is None and prepared is not None:
        pool = next((p for p in pools if p.id == prepared["pool"]), None)
    was_open = pool is not None and opened_at(market.journal, key, pool) is not None
    if pool is None or not was_open:
        if book.hold is None or book.ended:
            return []
        text = f"order {short} holds {book.hold}, and nothing was bought for it yet"
        return [Finding(text, VOID, pool.id if pool else "", key)]
    paid, active = _counted(market, book.order, pool)
    if paid != book.assignments or (active and not book.ended):
        text = (
            f"order {short}: {paid} assignments are paid on the market and {active} active, "
            f"{book.assignments} are stored"
        )
        return [Finding(text, "" if book.ended else COLLECT, pool.id, key)]
    if book.ended and book.hold is not None:
        text = f"order {short} has ended at {book.paid} and still holds {book.hold}"
        return [Finding(text, SETTLE, pool.id, key, book.paid)]
    return []


def _counted(market: StudyOnMarket, order: Order, pool: Any) -> tuple[int, int]:
    """Number of paid and of active assignments of an order on the market."""
    end = market.journal.done("end", order.key)
    prepared = market.journal.done("prepare", order.key)
    is_current = fact(pool, "order") == order.key
    after = fact(pool, "after") if is_current else (prepared or {}).get("after")
    news = AssignmentUpdates(
        market.api, pool.id, str(after or ""), end["last"] if end else "", market.reviews
    )
    news.read_all()
    return len(news.paid), len(news.open)
