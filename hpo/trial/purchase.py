"""Buying what a plan lacks: hold, place, collect, settle. Running it again is the recovery."""

from __future__ import annotations

from budget.errors import BudgetExceeded
from hpo.market import stop_signals
from hpo.trial.world import World
from labeling.types import (
    LabelPlan,
    Order,
)


def buy(plan: LabelPlan, world: World) -> None:
    """Buy what the plan lacks. Running it again after a crash is the recovery.

    Raises:
        BudgetExceeded: another worker was quicker with the money; nothing was bought.
    """
    settle_ended(world)
    while (order := next_order(plan, world)) is not None:
        purchase(order, world)


def next_order(plan: LabelPlan, world: World) -> Order | None:
    """This condition's unfinished order, or what is lacking, written down now; None if owned."""
    config = world.config
    return world.store.order_for(
        world.condition(plan), world.tasks(plan), plan.overlap, config.allowance, config.max_minutes
    )


def purchase(order: Order, world: World) -> None:
    """Hold the most an order can cost, buy it page by page, settle what was paid."""
    most = world.source.tariff.cost(order.limit, order.condition.reward)
    ledger = world.ledger_of(order)
    try:
        hold = ledger.reserve(order.key, most)
    except BudgetExceeded:
        world.store.withdraw(order)  # refused, so it has no hold and nothing was placed
        raise
    record = world.store.record(order.key)
    if record is None or record.order != order:
        ledger.void(hold)  # another worker withdrew it meanwhile; nothing was placed
        return
    with stop_signals.at_work(world.market.kind.has_pools):
        pool = world.source.place(order)  # same key, same pool, however often it is asked
        for page in world.source.collect(pool):  # ends when no assignment is active any more
            world.store.add(order, page)  # one commit a page; a known assignment is ignored
        ledger.settle(hold, world.store.paid(order, world.source.tariff))
        world.prices.refresh()


def settle_ended(world: World) -> None:
    """Settle holds of ended orders: what a crash between the last page and settling left."""
    for ledger in (world.ledger, *world.other_accounts()):
        for hold in ledger.open_holds():
            record = world.store.record(hold.key)
            if record is not None and record.end is not None:
                ledger.settle(hold, world.store.paid(record.order, world.source.tariff))
