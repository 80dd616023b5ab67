"""Confirmation: the recommended plan bought again from fresh annotators, as far as money bears.

A condition of its own, named by the market's name with a mark, has annotators of its own. Nothing
in the search sees its answers, so what they give is free of the luck that made a plan look best.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from budget.errors import BudgetExceeded
from budget.money import ZERO, Money
from hpo.answer.recommend import interval_95
from hpo.search.surrogate import Surrogate, encode
from hpo.trial.evaluate import final_score, fit_plan
from hpo.trial.purchase import buy, purchase
from hpo.trial.versions.label_versions import save_version
from hpo.trial.world import World
from labeling.types import LabelPlan, Order
from training.evaluate import Z95

MARK = ":confirm"


def confirming(world: World) -> World:
    """The same world with other pools: those of confirmations."""
    market = dataclasses.replace(world.market, name=world.market.name + MARK)
    return world.but(market=market)


def is_confirmation(order: Order) -> bool:
    """Whether an order belongs to a confirmation."""
    return order.condition.market.endswith(MARK)


def paid_for_confirmation(world: World) -> Money:
    """Settled and held money of confirmations."""
    mine = [r for r in world.store.all_orders() if is_confirmation(r.order)]
    holds = {hold.key: hold.amount for hold in world.ledger.open_holds()} if mine else {}
    paid = (holds.get(r.order.key) or world.store.paid(r.order, world.source.tariff) for r in mine)
    return sum(paid, ZERO)


def reserved(world: World) -> Money:
    """Money still reserved for confirmations, out of the search's reach."""
    if not world.market.kind.sells_again:
        return ZERO
    return max(ZERO, world.config.confirm_reserve - paid_for_confirmation(world))


def affordable(plan: LabelPlan, world: World, money: Money) -> LabelPlan | None:
    """The plan, or its largest prefix of whole suites whose reservation the money bears."""

    def hold(tasks: int) -> Money:
        return world.prices.to_buy(dataclasses.replace(plan, tasks=tasks)).hold

    if hold(plan.tasks) <= money:
        return plan
    low, high = 0, plan.tasks  # hold(low) fits, hold(high) does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if hold(middle) <= money else (low, middle)
    real = world.condition(plan).real_per_suite
    tasks = low - low % real
    return dataclasses.replace(plan, tasks=tasks) if tasks >= real else None


def key_of(plan: LabelPlan, world: World) -> str:
    """The key of a plan's confirmation: a raised cap reserves more money for it."""
    return f"{plan.key}/{world.ledger.balance().cap.micros}"


def finish_orders(world: World) -> None:
    """Complete confirmation orders that a crash left unfinished."""
    for order in world.store.unfinished():
        if is_confirmation(order):
            purchase(order, world)


def confirm(plan: LabelPlan, part: LabelPlan, world: World) -> dict[str, Any]:
    """Buy a plan, or part of it, again and measure its model on the final images.

    Args:
        plan: the recommended plan.
        part: what `affordable` gave for it, the same after a crash.
        world: the study's world.
    """
    fresh = confirming(world)
    try:
        buy(part, fresh)
    except BudgetExceeded:
        return {}
    records = fresh.store.orders(fresh.condition(part))
    paid = sum((fresh.store.paid(r.order, fresh.source.tariff) for r in records), ZERO)
    trained = fit_plan(part, fresh)
    return {
        "tasks": part.tasks,
        "share": round(part.tasks / plan.tasks, 4),
        "paid": paid.to_json(),
        "version": save_version(trained, fresh),
        "final": final_score(trained, fresh),
    }


def confirmed(
    plan: LabelPlan,
    done: Mapping[str, Any],
    surrogate: Surrogate,
    suite_size: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """The confirmed accuracy of the whole plan.

    Where only a part was bought again, its error is scaled by the surrogate's ratio of the plan's
    to the part's: on that scale, and not on the accuracy's, a purchase's luck stays the same.
    One purchase differs from the next by the surrogate's purchase effect and a model's luck.

    Args:
        plan: the recommended plan.
        done: what `confirm` returned for it.
        surrogate: the posterior given the search's evaluations.
        suite_size: tasks per suite.
        rng: draws from the posterior.

    Returns:
        The confirmation as JSON types, with two intervals: over purchases on these images, and
        over purchases and images.
    """
    final = done["final"]
    part = dataclasses.replace(plan, tasks=int(done["tasks"]))
    both = encode([part, plan], suite_size)
    growth = np.zeros(1)
    if part != plan:
        samples = surrogate.samples(both, 2000, rng)
        growth = np.log1p(-samples[:, 1]) - np.log1p(-samples[:, 0])
        # A lognormal's mean: the part's purchase varies more, so its error is higher on average.
        part_variance, plan_variance = surrogate.purchase_sd(both) ** 2
        growth += (plan_variance - part_variance) / 2
    error = max(1 - final["accuracy"], 0.5 / final["images"]) * math.exp(float(growth.mean()))
    accuracy = 1 - min(error, 1.0)
    repeat = surrogate.repeat_sd(both, final["images"])[0]
    variance = error**2 * (repeat**2 + float(growth.var()))
    alone = Z95 * math.sqrt(variance)
    low, high = interval_95(accuracy, math.sqrt(variance), final["images"])
    return {
        **done,
        "accuracy": round(accuracy, 6),
        "interval_95": [round(low, 6), round(high, 6)],
        "interval_95_same_images": [
            round(max(0.0, accuracy - alone), 6),
            round(min(1.0, accuracy + alone), 6),
        ],
    }
