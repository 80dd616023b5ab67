"""Compares what a study has written down with what stands on the market."""

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
    """A study's part of the market, to be read.

    Attributes:
        api: the platform.
        marker: tells which pools are the study's.
        journal: what the study intended and did there.
        reviews: whether suites are looked at before they are accepted.
    """

    api: Api
    marker: Marker
    journal: IntentLog
    reviews: bool


def differences(market: StudyOnMarket, books: Sequence[StoredOrder]) -> list[Finding]:
    """Compare a study's orders and holds with the market. Changes nothing.

    Args:
        market: the study's part of the market.
        books: all orders of the study.
    """
    pools = market.api.read(lambda client: pools_of(client))
    mine = [pool for pool in pools if market.marker.owns(pool)]
    known = {book.order.key: book for book in books}
    findings = [f for pool in mine if status_of(pool) == "OPEN" for f in [_open(pool, known)]]
    findings += _surplus(mine)
    for book in books:
        findings += _order(market, book, mine)
    return findings


def _open(pool: Any, known: dict[str, StoredOrder]) -> Finding:
    key = fact(pool, "order") or ""
    book = known.get(key)
    if book is None or book.ended:
        text = f"pool {pool.id} is open, but no order is at work in it"
    else:
        text = f"pool {pool.id} is open for order {key[:12]}; nobody watches it unless a study runs"
    return Finding(text, CLOSE, pool.id, key)


def _surplus(pools: Sequence[Any]) -> list[Finding]:
    """Pools of a condition beside its first: made twice, and never opened."""
    of_condition: dict[str, list[Any]] = defaultdict(list)
    for pool in pools:
        if status_of(pool) != "ARCHIVED":
            of_condition[fact(pool, "condition") or ""].append(pool)
    return [
        Finding(f"pool {pool.id} is one too many in its condition", ARCHIVE, pool.id)
        for found in of_condition.values()
        for pool in sorted(found, key=lambda pool: (len(pool.id), pool.id))[1:]
    ]


def _order(market: StudyOnMarket, book: StoredOrder, pools: Sequence[Any]) -> list[Finding]:
    """What an order's books and its pool do not agree on."""
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
    """Paid and active assignments of an order on the market."""
    end = market.journal.done("end", order.key)
    prepared = market.journal.done("prepare", order.key)
    is_current = fact(pool, "order") == order.key
    after = fact(pool, "after") if is_current else (prepared or {}).get("after")
    news = AssignmentUpdates(
        market.api, pool.id, str(after or ""), end["last"] if end else "", market.reviews
    )
    news.read_all()
    return len(news.paid), len(news.open)
