"""Two doors, one engine: in process and through the server the same annotators do the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from budget.money import ZERO
from labeling.campaign.campaign import Campaign, Exam, QualityRules
from labeling.crowd.scenario import load_scenario
from labeling.toloka.server import Server
from labeling.types import Order, OrderEnd
from tests.labeling.toloka.ground import CAMPAIGN, TWO, Ground, buy, unnamed

CASES = 33


@dataclass(frozen=True)
class Case:
    """A seed and what is bought on it, one order after the other."""

    seed: int
    scenario: str
    campaign: Campaign
    exam: bool
    controls: int
    orders: tuple[dict[str, Any], ...]


def case(seed: int) -> Case:
    """A plan of every kind that there is: bans, rounds, limits, tranches, deadlines, questions."""
    rng = np.random.default_rng(seed)
    scenario = ("default", "spam-heavy", "food-campaign", "slow-supply")[seed % 4]
    campaign = TWO if seed % 3 == 0 else CAMPAIGN
    rules = QualityRules(wrong_controls=1 + seed % 2, fast_seconds=13.0, fast_responses=1)
    exam = Exam(tasks=6, pass_correct=int(rng.integers(4, 7)))
    campaign = replace(campaign, rules=rules, exam=exam, suite_size=int(rng.integers(4, 9)))
    tasks, orders = int(rng.integers(12, 36)), []
    for _ in range(1 + seed % 3):
        limits = {"limit": int(rng.integers(4, 12))} if seed % 5 == 2 else {}
        deadline = {"minutes": float(rng.integers(1, 6)) / 2} if seed % 7 == 3 else {}
        orders.append({"tasks": tasks, "overlap": int(rng.integers(1, 4)), **limits, **deadline})
        tasks = min(60, tasks + int(rng.integers(0, 10)))
    return Case(seed, scenario, campaign, bool(seed % 2), int(rng.integers(0, 3)), tuple(orders))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all cases."""
    on = Ground(tmp_path_factory.mktemp("server"))
    yield on.serve()
    on.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(CASES))
def test_both_doors_give_the_same(seed: int, server: Server, tmp_path: Path) -> None:
    plan = case(seed)
    on = Ground(
        tmp_path,
        scenario=load_scenario(plan.scenario),
        campaign=plan.campaign,
        tasks=60,
        controls=40,
        seed=plan.seed,
        server=server,
    )
    server.reset(on.settings())
    market, crowd, paid = on.market(), on.crowd(), ZERO
    for tranche, settings in enumerate(plan.orders):
        order = on.order(tranche=tranche, exam=plan.exam, controls=plan.controls, **settings)
        bought, simulated = buy(market, order), buy(crowd, order)
        assert unnamed(bought) == unnamed(simulated)
        assert comparable(bought[-1].end) == comparable(simulated[-1].end)
        on.ended.append(order)
        paid += on.tariff.cost(len(unnamed(bought)[0]), order.condition.reward)
    account = server.platform.world.account
    assert account.charged == paid
    assert on.balance - paid == market.balance()
    market.close()
    assert not [pool for pool in server.platform.world.pools.values() if pool.is_open]


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3))])
def test_images_asked_again_in_another_sequence_are_the_same_by_both_doors(
    seed: int, server: Server, tmp_path: Path
) -> None:
    """A platform lists a pool's tasks by their creation, whatever the order's own sequence is."""
    on = Ground(tmp_path, tasks=60, controls=40, seed=seed, server=server)
    server.reset(on.settings())
    market, crowd = on.market(), on.crowd()
    first = on.order(tasks=24)
    rng = np.random.default_rng(seed)
    again = tuple((int(row), 1) for row in rng.permutation(40))
    second = replace(on.order(tasks=24, tranche=1), wanted=again, limit=40)
    for order in (first, second):
        bought, simulated = buy(market, order), buy(crowd, order)
        assert unnamed(bought) == unnamed(simulated)
        assert comparable(bought[-1].end) == comparable(simulated[-1].end)
        on.ended.append(order)
    market.close()


def comparable(end: OrderEnd | None) -> Any:
    """An end without those who only looked: no platform tells them."""
    assert end is not None
    return (end.reason, end.minutes, end.missing, end.joined, end.exam_failed)


def test_the_cases_are_of_every_kind(tmp_path: Path) -> None:
    ends, bans, rounds = set(), 0, 0
    for seed in range(CASES):
        plan = case(seed)
        scenario = load_scenario(plan.scenario)
        on = Ground(tmp_path, scenario, plan.campaign, tasks=60, controls=40, seed=plan.seed)
        crowd = on.crowd()
        for tranche, settings in enumerate(plan.orders):
            order: Order = on.order(
                tranche=tranche, exam=plan.exam, controls=plan.controls, **settings
            )
            pages = buy(crowd, order)
            on.ended.append(order)
            found, banned = unnamed(pages)
            bans += len(banned)
            rounds += sum(len(a[1]) - sum(a[3]) for a in found) > order.answers_wanted
            ends.add(pages[-1].end.reason if pages[-1].end else "")
    assert ends >= {"complete", "limit", "deadline"}
    assert bans > 20
    assert rounds > 5
