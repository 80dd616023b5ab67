"""Prices of suites, charges, and checks of the balance."""

from __future__ import annotations

import math
from decimal import Decimal

from budget.money import ZERO, Money
from labeling.toloka.server.model.errors import conflict
from labeling.toloka.server.model.records import PlatformAssignment, PlatformPool, money
from labeling.toloka.server.model.world import PlatformState


def reward_for(world: PlatformState, pool: PlatformPool, user: str) -> Money:
    """Reward of a suite for an annotator; under dynamic pricing it depends on a skill."""
    config = pool.doc.get("dynamic_pricing_config")
    if not config:
        return pool.reward
    skill = world.user_skills.get((user, str(config.get("skill_id"))))
    value = Decimal(str(skill["exact_value"])) if skill else None
    for interval in config.get("intervals", ()):
        low, high = interval.get("from", 0), interval.get("to", 100)
        if value is not None and Decimal(str(low)) <= value <= Decimal(str(high)):
            return money(interval["reward_per_assignment"])
    return pool.reward


def cost_to_finish(world: PlatformState, pool: PlatformPool) -> Money:
    """Rewards and fee of all remaining answers of a pool."""
    remaining = sum(asked.remaining for asked in pool.asked())
    at_once = 1 if pool.suites else max(1, pool.mix()[0])
    return world.account.price(pool.reward) * math.ceil(remaining / at_once)


def check_balance(world: PlatformState, pool: PlatformPool) -> None:
    """Refuse to open a pool whose tasks cost more than the free balance.

    Raises:
        ApiError: NOT_ENOUGH_BALANCE.
    """
    cost, left = cost_to_finish(world, pool), free(world)
    if left < max(cost, world.account.price(pool.reward)):
        raise conflict("NOT_ENOUGH_BALANCE", f"The pool's tasks cost {cost}, the balance is {left}")


def free(world: PlatformState) -> Money:
    """The balance after all active assignments are paid."""
    account = world.account
    prices = (
        account.price(active.reward)
        for pool in world.working.values()
        for active in pool.active.values()
    )
    return account.balance - sum(prices, ZERO)


def settle(world: PlatformState, assignment: PlatformAssignment) -> None:
    """Charge an accepted assignment."""
    world.account.release(assignment.id)
    if assignment.reward > ZERO:
        world.account.charge(world.now, assignment.id, assignment.reward)
