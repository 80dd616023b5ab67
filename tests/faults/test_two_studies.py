"""Two studies buy at once from the annotators of one platform; quotas hold over two days."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from budget.errors import MarketError
from budget.money import ZERO
from labeling.types import Order, Page
from tests.labeling.toloka.ground import Ground, buy, ground


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Ground]:
    with ground(tmp_path / "first", tasks=24, controls=20) as made:
        yield made


def at_once(works: list[Callable[[], object]]) -> None:
    """Do some work in threads that start together, and raise the first error."""
    errors: list[BaseException] = []
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        gate.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.mark.slow
def test_two_studies_on_one_platform_pay_for_their_own_answers_alone(
    on: Ground, tmp_path: Path
) -> None:
    grounds = {"a": on, "b": Ground(tmp_path / "second", tasks=24, controls=20, server=on.serve())}
    pages: dict[str, list[Page]] = {name: [] for name in grounds}
    orders: list[Order] = [on.order(overlap=2), on.order(tranche=1, overlap=1)]

    def study(name: str) -> None:
        market = grounds[name].market(study=name)
        market.sweep()
        for order in orders:
            pages[name] += buy(market, order)
            market.sweep()  # as another start does: the other study's pool stays open
        market.close()

    at_once([lambda name=name: study(name) for name in grounds])  # type: ignore[misc]
    ids = {n: {a.id for page in told for a in page.assignments} for n, told in pages.items()}
    assert min(len(mine) for mine in ids.values()) >= 6
    assert not ids["a"] & ids["b"]
    for told in pages.values():
        assert [page.end.missing for page in told if page.end] == [0, 0]
    rewards = [a.reward for told in pages.values() for page in told for a in page.assignments]
    fee = sum((on.tariff.fee(1, reward) for reward in rewards), ZERO)
    world: Any = on.serve().platform.world
    assert world.account.charged == sum(rewards, ZERO) + fee
    assert not world.account.reserved
    assert not [pool for pool in world.pools.values() if pool.is_open]


def test_the_quota_of_a_day_is_free_again_on_the_next(on: Ground) -> None:
    market = on.market()
    now = market.api.clock.now

    def make(pools: int) -> None:
        for number in range(pools):
            market.journal.write("pool", f"{now():%j}-{number}", "intent")

    make(100)
    with pytest.raises(MarketError, match="100 pools were made within a day"):
        market.place(on.order())
    later: datetime = now() + timedelta(hours=24, minutes=1)
    market.api.clock.now = lambda: later  # type: ignore[method-assign]
    market.journal._clock = market.api.clock
    assert market.place(on.order()).id in on.serve().platform.world.pools
    for number in range(99):
        market.journal.write("pool", f"second-{number}", "intent")
    with pytest.raises(MarketError, match="100 pools were made within a day"):
        on.market().place(on.order(price="0.003"))
    market.close()
