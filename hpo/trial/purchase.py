"""Buying what a plan lacks: hold, place, collect, settle. Running it again is the recovery."""

from __future__ import annotations

import dataclasses
import logging

from budget.errors import BudgetExceeded
from budget.money import ZERO, Money
from budget.tariff import affordable
from hpo.market import stop_signals
from hpo.trial.balance import check_taken, noted
from hpo.trial.world import World
from labeling.machine import MACHINE
from labeling.source import tariff_of
from labeling.types import (
    LabelPlan,
    Order,
)

MOST_ANSWERS = 8
"""Answers to an image that a purchase of labels may ask for."""

CONFIRMED, DELIVERED, TESTED = ":confirm", ":deliver", ":tests"
"""Marks of a market's name: conditions with annotators of their own, beside those of the search."""


def apart(world: World, mark: str) -> World:
    """The same world with other pools, whose annotators the search has not met.

    Args:
        world: the study's world.
        mark: `CONFIRMED`, `DELIVERED` or `TESTED`.
    """
    market = dataclasses.replace(world.market, name=world.market.name + mark)
    return world.but(market=market)


def mark_of(order: Order) -> str:
    """The mark of the conditions that an order belongs to; "" for those of the search."""
    marks = (CONFIRMED, DELIVERED, TESTED, MACHINE)
    return next((mark for mark in marks if order.condition.market.endswith(mark)), "")


def paid_apart(world: World, *marks: str) -> Money:
    """Settled and held money of orders with one of the marks."""
    mine = [r for r in world.store.all_orders() if mark_of(r.order) in marks]
    holds = {hold.key: hold.amount for hold in world.ledger.open_holds()} if mine else {}
    paid = (holds.get(r.order.key) or paid_of(r.order, world) for r in mine)
    return sum(paid, ZERO)


def paid_of(order: Order, world: World) -> Money:
    """What an order's assignments cost, at its seller's tariff."""
    return world.store.paid(order, world.seller(order.condition).tariff)


def machine_most(count: int, world: World) -> Money:
    """The most that the machine's answers about a number of images can cost; $0 without one."""
    return ZERO if world.machine is None else world.machine.most(count)


def machine_borne(money: Money, world: World) -> int:
    """The most images about which money bears the machine's answers; 0 without a machine."""
    machine = world.machine
    if machine is None:
        return 0
    calls = affordable(machine.source.tariff, money, machine.condition.price)
    return int(calls // (1 + machine.spare))


def _kept_for_machine(left: Money, world: World) -> Money:
    """Money that the rest of the machine's answers may cost: it is weighed after the search.

    None where the money left does not bear all of them: then a part is weighed, of any size.
    """
    if world.machine is None:
        return ZERO
    asked = world.store.owned_target(world.machine.condition)
    most = machine_most(sum(int(row) not in asked for row in world.machine.rows), world)
    return most if most <= left else ZERO


def left_to_learn(world: World) -> Money:
    """Money that the search of a study that delivers may still spend; without limit for others.

    The first purchase may take more than the share kept for learning, where no plan costs less.
    """
    balance = world.ledger.balance()
    if not world.config.delivers:
        return balance.left
    kept = balance.cap.share(world.config.learn)
    spent = (
        balance.spent
        + balance.held
        - paid_apart(world.own(), CONFIRMED, DELIVERED, TESTED, MACHINE)
    )
    if spent == ZERO:
        quotes = [world.prices.to_buy(p) for p in world.space.plans if not world.prices.outside(p)]
        kept = max(kept, min((quote.hold for quote in quotes), default=ZERO))
    return max(ZERO, min(balance.left - _kept_for_machine(balance.left, world), kept - spent))


def finish_apart(world: World) -> None:
    """Complete orders beside the search that a crash left unfinished."""
    for order in world.store.unfinished():
        if mark_of(order):
            purchase(order, world)


def buy(plan: LabelPlan, world: World) -> None:
    """Buy what the plan lacks. Running it again after a crash is the recovery.

    Raises:
        BudgetExceeded: another worker was quicker with the money; nothing was bought.
    """
    settle_ended(world)
    while (order := next_order(plan, world)) is not None:
        purchase(order, world)


def next_order(plan: LabelPlan, world: World) -> Order | None:
    """This condition's unfinished order, or what is lacking, written down now; None if owned.

    The first order on real money is one page, the smallest: account and ledger are compared after
    it, before more is bought.
    """
    world.prices.refresh()  # another process may have begun this condition, and so said where
    config, condition, tasks = world.config, world.condition(plan), world.tasks(plan)
    overlap = plan.overlap
    if world.market.kind.real_money and not world.store.all_orders():
        tasks, overlap = tasks[: condition.real_per_suite], 1 if plan.dynamic is None else overlap
    return world.store.order_for(condition, tasks, overlap, config.allowance, config.max_minutes)


def purchase(order: Order, world: World) -> None:
    """Hold the most an order can cost, buy it page by page, settle what was paid.

    Raises:
        BudgetExceeded: the money left does not bear the hold; nothing was bought.
        MarketContradiction: the platform's account lost another amount than was settled.
    """
    seller = world.seller(order.condition)
    most = tariff_of(seller, order.condition).most(order.limit, order.condition.reward)
    ledger = world.ledger_of(order)
    try:
        hold = ledger.reserve(order.key, most, noted(world, order))
    except BudgetExceeded:
        world.store.withdraw(order)  # refused, so it has no hold and nothing was placed
        _tell("refused", order, usd=most.exact())
        raise
    _tell("held", order, usd=most.exact(), answers=order.answers_wanted, limit=order.limit)
    record = world.store.record(order.key)
    if record is None or record.order != order:
        ledger.void(hold)  # another worker withdrew it meanwhile; nothing was placed
        return
    with stop_signals.at_work(world.market.kind.has_pools):
        pool = seller.place(order)  # same key, same pool, however often it is asked
        _tell("placed", order, pool=pool.id)
        for page in seller.collect(pool):  # ends when no assignment is active any more
            world.store.add(order, page)  # one commit a page; a known assignment is ignored
            counts = {"assignments": len(page.assignments), "bans": len(page.restrictions)}
            _tell("page", order, **counts, ended=page.end.reason if page.end else None)
        paid = paid_of(order, world)
        ledger.settle(hold, paid)
        _tell("settled", order, usd=paid.exact())
        world.prices.refresh()
        check_taken(world, order.key)


def _tell(event: str, order: Order, **facts: object) -> None:
    where = {"order": order.key, "condition": order.condition.key}
    logging.getLogger("labelworth").info(event, extra={"facts": {**where, **facts}})


def settle_ended(world: World) -> None:
    """Settle holds of ended orders: what a crash between the last page and settling left."""
    for ledger in (world.ledger, *world.other_accounts()):
        for hold in ledger.open_holds():
            record = world.store.record(hold.key)
            if record is not None and record.end is not None:
                ledger.settle(hold, paid_of(record.order, world))
