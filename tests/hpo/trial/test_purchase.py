"""A purchase that fails keeps its order and its hold; the next one goes on with both."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from budget.errors import MarketUnreachable
from budget.money import ZERO
from hpo.study.study import Study
from hpo.trial.purchase import buy
from labeling.types import LabelPlan


@pytest.mark.parametrize("failing", ["place", "collect"])
def test_the_hold_of_a_purchase_that_failed_is_kept_and_settled_later(
    failing: str, small_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small_study().world
    plan: LabelPlan = world.space.plans[0]

    def fail(*_: object) -> None:
        raise MarketUnreachable("the market gave no answer")

    with monkeypatch.context() as broken:
        broken.setattr(type(world.source), failing, fail)
        with pytest.raises(MarketUnreachable):
            buy(plan, world)
    balance, (order,) = world.ledger.balance(), world.store.unfinished()
    assert balance.held == world.source.tariff.cost(order.limit, order.condition.reward) > ZERO
    assert [entry.kind for entry in world.ledger.entries()] == ["cap", "reserve"]
    buy(plan, world)
    assert [entry.kind for entry in world.ledger.entries()] == ["cap", "reserve", "settle"]
    assert world.ledger.balance().held == ZERO
    assert world.store.unfinished() == []
