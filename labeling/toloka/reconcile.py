"""Compares what a study has written down with what stands on the market, and mends it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from budget.money import Money
from labeling.toloka.describe.spec import fact
from labeling.toloka.pools.assignment_updates import News
from labeling.toloka.pools.find_or_make import pools_of, status_of
from labeling.toloka.pools.open_close import opened_at
from labeling.toloka.source import TolokaSource
from labeling.types import Order

CLOSE, ARCHIVE, COLLECT, VOID, SETTLE = "close", "archive", "collect", "void", "settle"


@dataclass(frozen=True, slots=True)
class Book:
    """An order as a study's database has it.

    Attributes:
        order: as it was written down.
        hold: money held for it; None where none is held any more.
        ended: whether it has ended.
        assignments: assignments stored.
        paid: reward and fee of those.
    """

    order: Order
    hold: Money | None
    ended: bool
    assignments: int
    paid: Money


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not agree, and what mends it.

    Attributes:
        text: one line for people.
        mend: "close" or "archive" (a pool: see `mend`), "collect" (start the study again: it goes
            on with the order), "void" or "settle" (the ledger's hold); empty where nothing can be
            done.
        pool_id: the pool concerned; empty for none.
        order: key of the order concerned; empty for none.
        amount: what is to be settled; None elsewhere.
    """

    text: str
    mend: str
    pool_id: str = ""
    order: str = ""
    amount: Money | None = None


def reconcile(source: TolokaSource, books: Sequence[Book]) -> list[Finding]:
    """Compare a study's orders and holds with the market. Changes nothing.

    Args:
        source: the market, as the study uses it.
        books: all orders of the study.
    """
    pools = source.api.read(lambda client: pools_of(client))
    mine = [pool for pool in pools if source.marker.owns(pool)]
    known = {book.order.key: book for book in books}
    findings = [f for pool in mine if status_of(pool) == "OPEN" for f in [_open(pool, known)]]
    findings += _surplus(mine)
    for book in books:
        findings += _order(source, book, mine)
    return findings


def mend(source: TolokaSource, finding: Finding) -> bool:
    """Do what a finding asks for on the market.

    Returns:
        Whether it was the market's to mend; holds and answers are the study's.
    """
    if finding.mend == CLOSE:
        source.shut(finding.pool_id)
    elif finding.mend == ARCHIVE:
        source.discard(finding.pool_id)
    return finding.mend in (CLOSE, ARCHIVE)


def _open(pool: Any, known: dict[str, Book]) -> Finding:
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


def _order(source: TolokaSource, book: Book, pools: Sequence[Any]) -> list[Finding]:
    """What an order's books and its pool do not agree on."""
    key, short = book.order.key, book.order.key[:12]
    prepared = source.journal.done("prepare", key)
    pool = next((p for p in pools if fact(p, "order") == key), None)
    if pool is None and prepared is not None:
        pool = next((p for p in pools if p.id == prepared["pool"]), None)
    was_open = pool is not None and opened_at(source.journal, key, pool) is not None
    if pool is None or not was_open:
        if book.hold is None or book.ended:
            return []
        text = f"order {short} holds {book.hold}, and nothing was bought for it yet"
        return [Finding(text, VOID, pool.id if pool else "", key)]
    paid, active = _counted(source, book.order, pool)
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


def _counted(source: TolokaSource, order: Order, pool: Any) -> tuple[int, int]:
    """Paid and active assignments of an order on the market."""
    end = source.journal.done("end", order.key)
    prepared = source.journal.done("prepare", order.key)
    is_current = fact(pool, "order") == order.key
    after = fact(pool, "after") if is_current else (prepared or {}).get("after")
    news = News(source.api, pool.id, str(after or ""), end["last"] if end else "", source.reviews)
    news.read_all()
    return len(news.paid), len(news.open)
