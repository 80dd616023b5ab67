"""The food campaign bought through unmodified toloka-kit on the local server, beside in process.

980 photographs, two questions, an exam of ten tasks, overlap 3, one control task in suites of ten,
$0.002 a task: 327 assignments for $6.54 and the platform's fee. Both doors must give the same
answers, and the ledger's sum must be the server's own account to the micro-dollar. The baseline is
the in-process door.

    python benchmarks/toloka_campaign.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from budget.money import ZERO, Money
from labeling.campaign.templates import load_campaign
from labeling.crowd.scenario import load_scenario
from labeling.types import Order, Page
from tests.labeling.toloka.ground import Ground, buy, unnamed

TASKS, OVERLAP, ASSIGNMENTS, REWARD = 980, 3, 327, Money(6_540_000)
SEED, MOST_SECONDS = 1, 15.0


def campaign_ground(folder: Path) -> Ground:
    """The food campaign, its crowd and its photographs."""
    return Ground(
        folder,
        scenario=load_scenario("food-campaign"),
        campaign=load_campaign("food", ("solid", "liquid", "other")),
        tasks=TASKS,
        controls=60,
        seed=SEED,
    )


def campaign_order(on: Ground) -> Order:
    """The published plan: nothing beyond 327 assignments, so nothing is asked again."""
    return on.order(overlap=OVERLAP, exam=True, limit=ASSIGNMENTS)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Wall seconds of some work, and its result."""
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def end_to_end(on: Ground, order: Order) -> list[Page]:
    """From nothing to answers: client, project, exam, pool, tasks, purchase, closing."""
    market = on.market()
    pages = buy(market, order)
    market.close()
    return pages


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        on = campaign_ground(Path(folder))
        order = campaign_order(on)
        on.serve()
        try:
            importing, _ = timed(lambda: __import__("toloka.client"))
            through, bought = timed(lambda: end_to_end(on, order))
            inside, simulated = timed(lambda: buy(on.crowd(), order))
            world = on.serve().platform.world
        finally:
            on.close()
    paid = [a.reward for page in bought for a in page.assignments]
    reward = sum(paid, ZERO)
    cost = on.tariff.cost(len(paid), order.condition.reward)
    print(f"assignments {len(paid)}, reward {reward}, with the fee {cost}")
    print(f"account     {world.account.charged} charged, {world.version} things happened")
    print(f"toloka-kit  imported in {importing:.1f} s")
    print(f"server      {through:.1f} s end to end (wanted: at most {MOST_SECONDS:.0f} s)")
    print(f"in process  {inside:.2f} s: the wire costs {through / inside:.0f} times as much")
    same = unnamed(bought) == unnamed(simulated)
    print(f"both doors  {'the same answers, times and bans' if same else 'DIFFER'}")
    exact = (len(paid), reward) == (ASSIGNMENTS, REWARD) and world.account.charged == cost
    sys.exit(0 if same and exact and importing + through <= MOST_SECONDS else 1)


if __name__ == "__main__":
    main()
