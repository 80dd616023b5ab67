"""A study's books beside its market: what differs, and how it is put right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from budget.errors import InputError
from budget.ledger import Hold, Ledger
from budget.money import ZERO
from hpo.market.lazy_source import Door
from hpo.trial.purchase import settle_ended
from hpo.trial.world import World
from labeling.types import STOPPED, Order, OrderEnd, Page

if TYPE_CHECKING:
    from labeling.toloka.reconcile import Book, Finding
    from labeling.toloka.source import TolokaSource


def reconciled(world: World, do_mend: bool) -> dict[str, Any]:
    """Compare orders and holds with the market, mend what differs if asked, and tell as JSON types.

    Raises:
        MarketError: the market does not answer.
    """
    ledgers = [world.ledger, *world.other_accounts()]
    found = _findings(world, ledgers)
    rows = []
    for finding in found:
        mended = do_mend and _mend(world, ledgers, finding)
        plain = {"text": finding.text, "mend": finding.mend, "order": finding.order}
        rows.append({**plain, "pool": finding.pool_id, "mended": mended})
    held = sum((ledger.held() for ledger in ledgers), ZERO)
    spent = sum((ledger.spent() for ledger in ledgers), ZERO)
    return {
        "study": world.config.study,
        "orders": len(world.store.all_orders()),
        "spent": {"usd": spent.exact(), "micros": spent.micros},
        "held": {"usd": held.exact(), "micros": held.micros},
        "findings": rows,
    }


def _findings(world: World, ledgers: list[Ledger]) -> list[Finding]:
    from labeling.toloka.reconcile import SETTLE, Finding, reconcile

    holds = {hold.key: hold for ledger in ledgers for hold in ledger.open_holds()}
    if isinstance(world.source, Door):
        return reconcile(world.source.source, _books(world, holds))
    ended = [r for r in world.store.all_orders() if r.end and r.order.key in holds]
    return [
        Finding(
            f"order {r.order.key[:12]} has ended and still holds money", SETTLE, "", r.order.key
        )
        for r in ended
    ]


def _books(world: World, holds: dict[str, Hold]) -> list[Book]:
    from labeling.toloka.reconcile import Book

    return [
        Book(
            record.order,
            holds[record.order.key].amount if record.order.key in holds else None,
            record.end is not None,
            record.assignments,
            world.store.paid(record.order, world.source.tariff),
        )
        for record in world.store.all_orders()
        if record.order.condition.price != ZERO  # own labels were never on the market
    ]


def _mend(world: World, ledgers: list[Ledger], finding: Finding) -> bool:
    from labeling.toloka.reconcile import SETTLE, VOID, mend

    if finding.mend == SETTLE:
        settle_ended(world)
        return True
    if finding.mend == VOID:
        return _give_up(world, ledgers, finding.order)
    return mend(_source(world), finding)


def _give_up(world: World, ledgers: list[Ledger], key: str) -> bool:
    """End an order for which nothing was bought, at $0; what it wanted may be ordered anew."""
    record = world.store.record(key)
    if record is None:
        return False
    source, order = _source(world), record.order
    with source.journal.alone(f"order-{key}") as is_free:
        if not is_free:
            return False  # a study is at it
        world.store.add(order, Page((), (), _nothing(order)))
    for ledger in ledgers:
        for hold in ledger.open_holds():
            if hold.key == key:
                ledger.settle(hold, ZERO, "nothing was bought")
    return True


def _nothing(order: Order) -> OrderEnd:
    return OrderEnd(STOPPED, 0.0, order.answers_wanted, 0, 0, 0)


def _source(world: World) -> TolokaSource:
    if not isinstance(world.source, Door):
        raise InputError(
            f"study {world.config.study!r}: its market is {world.market.kind}, which has no pools"
        )
    return world.source.source
