"""A study's books beside its market and its trials: what differs, and how it is put right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from budget.errors import InputError
from budget.ledger import Hold, Ledger
from budget.money import ZERO
from hpo.study.trials import TASK, Trials
from hpo.trial.balance import last_difference
from hpo.trial.outcome import plan_from_plain
from hpo.trial.purchase import buy, mark_of, paid_of, settle_ended
from hpo.trial.spending import orders_behind
from hpo.trial.world import World
from labeling.machine import is_machine
from labeling.source import SETTLE, VOID, Finding, PooledSource, StoredOrder
from labeling.types import STOPPED, LabelPlan, Order, OrderEnd, Page


def has_order(plan: LabelPlan, world: World) -> bool:
    """Whether a plan whose trial was left is owned, ordered, or was ordered and stopped."""
    order = world.prices.lacking(plan)
    if order is None or world.store.record(order.key) is not None:
        return True
    records = world.store.orders(world.condition(plan))
    return bool(records and records[-1].end and records[-1].end.reason == STOPPED)


def complete(order: Order, world: World) -> None:
    """Complete an order whose trial is gone (the trials' file is younger than the orders)."""
    for plan in world.space.plans:
        if world.condition(plan).key == order.condition.key:
            with world.buying(plan):
                buy(plan, world)
            return


def untold(world: World, trials: Trials) -> Iterator[tuple[LabelPlan, str]]:
    """Plans that were paid for and that no purchase tells of: their trials were given up or lost.

    Yields:
        A plan that is owned, and the task outside that its trial had; "" for none.
    """
    own, purchases = world.own(), trials.purchases()
    _, rest = orders_behind(purchases, own)
    conditions = dict.fromkeys(
        record.order.condition.key
        for record in rest
        if record.assignments and record.reward != ZERO and not mark_of(record.order)
    )
    if not conditions:
        return
    failed = [t.user_attrs for t in trials.all() if t.state.name == "FAIL"]
    asked = [(plan_from_plain(a["plan"]), a.get(TASK, "")) for a in failed if "plan" in a]
    others = [(plan, "") for plan in reversed(world.space.plans)]
    bought = {purchase.outcome.plan.key for purchase in purchases}
    world.prices.refresh()
    for condition in conditions:
        for plan, task in (*reversed(asked), *others):
            is_paid = world.condition(plan).key == condition and plan.key not in bought
            if is_paid and world.prices.to_buy(plan).answers == 0:
                yield plan, task
                break


def reconciled(world: World, do_mend: bool) -> dict[str, Any]:
    """Compare orders and holds with the market, mend what differs if asked, and tell as JSON types.

    Raises:
        MarketError: the market does not answer.
    """
    ledgers = [world.ledger, *world.other_accounts()]
    findings = _findings(world, ledgers)
    rows = []
    for finding in findings:
        mended = do_mend and _mend(world, ledgers, finding)
        plain = {"text": finding.text, "mend": finding.mend, "order": finding.order}
        rows.append({**plain, "pool": finding.pool_id, "mended": mended})
    if (said := last_difference(world)) is not None:
        rows.append({"text": said, "mend": "", "order": "", "pool": "", "mended": False})
    balances = [ledger.balance() for ledger in ledgers]
    held = sum((balance.held for balance in balances), ZERO)
    spent = sum((balance.spent for balance in balances), ZERO)
    return {
        "study": world.config.study,
        "orders": len(world.store.all_orders()),
        "spent": spent.to_json(),
        "held": held.to_json(),
        "findings": rows,
    }


def _findings(world: World, ledgers: list[Ledger]) -> list[Finding]:
    holds = {hold.key: hold for ledger in ledgers for hold in ledger.open_holds()}
    if world.market.compared is not None:
        return world.market.compared.differences(_books(world, holds))
    ended = [r for r in world.store.all_orders() if r.end and r.order.key in holds]
    return [
        Finding(
            f"order {r.order.key[:12]} has ended and still holds money", SETTLE, "", r.order.key
        )
        for r in ended
    ]


def _books(world: World, holds: dict[str, Hold]) -> list[StoredOrder]:
    return [
        StoredOrder(
            record.order,
            holds[record.order.key].amount if record.order.key in holds else None,
            record.end is not None,
            record.assignments,
            paid_of(record.order, world),
        )
        for record in world.store.all_orders()
        if record.order.condition.price != ZERO  # own labels were never on the market
        and not is_machine(record.order.condition)
    ]


def _mend(world: World, ledgers: list[Ledger], finding: Finding) -> bool:
    if finding.mend == SETTLE:
        settle_ended(world)
        return True
    if finding.mend == VOID:
        return _give_up(world, ledgers, finding.order)
    return _source(world).mend(finding)


def _give_up(world: World, ledgers: list[Ledger], key: str) -> bool:
    """End an order for which nothing was bought, at $0; what it wanted may be ordered anew."""
    record = world.store.record(key)
    if record is None:
        return False
    source, order = _source(world), record.order
    with source.alone_with(key) as is_free:
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


def _source(world: World) -> PooledSource:
    if world.market.pooled is None:
        raise InputError(
            f"study {world.config.study!r}: its market is {world.market.kind.name}, which has no "
            "pools"
        )
    return world.market.pooled
