"""The food campaign end to end: unmodified toloka-kit, the local server, store and ledger."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from budget.database import open_database
from budget.ledger import Ledger
from budget.money import ZERO, Money
from labeling.campaign.templates import load_campaign
from labeling.crowd.scenario import load_scenario
from labeling.store import Store
from tests.labeling.toloka.ground import Ground, unnamed


@pytest.mark.slow
def test_the_food_campaign_costs_what_it_cost_to_the_micro_dollar(tmp_path: Path) -> None:
    on = Ground(
        tmp_path,
        scenario=load_scenario("food-campaign"),
        campaign=load_campaign("food", ("solid", "liquid", "other")),
        tasks=980,
        controls=60,
        seed=1,
    )
    condition = on.order(overlap=3, exam=True).condition
    engine = open_database(tmp_path / "study.sqlite")
    ledger, store = Ledger.open(engine, "study", Money(20_000_000)), Store(engine, "study")
    try:
        market = on.market()
        order = store.order_for(condition, list(range(980)), 3, Fraction(0), None)
        assert order is not None
        assert order.limit == 327
        hold = ledger.reserve(order.key, market.tariff.cost(order.limit, condition.reward))
        pages = []
        for page in market.collect(market.place(order)):
            store.add(order, page)
            pages.append(page)
        ledger.settle(hold, store.paid(order, market.tariff))
        market.close()
        world = on.serve().platform.world
        balance = market.balance()
    finally:
        on.close()
    found, bans = unnamed(pages)
    rewards = sum((a.reward for page in pages for a in page.assignments), ZERO)
    assert len(found) == 327
    assert rewards == Money(6_540_000)
    assert ledger.balance().spent == Money(8_502_000)  # with the fee of 30 %
    assert ledger.balance().spent == world.account.charged
    assert balance == on.balance - ledger.balance().spent
    assert all(len(labels) == 10 for labels in (entry[2] for entry in found[:300]))
    assert all(len(entry[7]) == 1 for entry in found), "both questions are answered"
    assert bans
    assert not any(pool.is_open for pool in world.pools.values())
    assert len(world.projects) == 1
    assert len(world.pools) == 2
    engine.dispose()
