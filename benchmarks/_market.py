"""One order on the simulated crowd, for the benchmarks: answers in columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from budget.money import Money
from budget.tariff import expected_assignments
from budget.tariffs.suite import SuiteTariff
from labeling.campaign.campaign import Campaign, Question
from labeling.crowd.engine.rounds import answers_of
from labeling.crowd.people.items import Items
from labeling.crowd.scenario import Scenario
from labeling.crowd.source import CrowdSource
from labeling.types import Answers, Condition, DynamicOverlap, Order


@dataclass(frozen=True)
class Bought:
    """What an order brought."""

    answers: Answers
    assignments: int
    minutes: float

    def truth_of_controls(self, items: Items) -> dict[int, int]:
        """True class of each control task shown."""
        rows = np.unique(self.answers.task[self.answers.control])
        return {int(row): int(items.truth[row]) for row in rows}


def buy(
    scenario: Scenario,
    items: Items,
    classes: int,
    tasks: int,
    overlap: int,
    seed: int,
    dynamic: DynamicOverlap | None = None,
    price: str = "0.001",
) -> Bought:
    """Buy answers on the first `tasks` rows; all rows behind them are control tasks."""
    names = tuple(f"class {at}" for at in range(classes))
    campaign = Campaign("bench", (Question("class", "Which class?", names),), "")
    source = CrowdSource(
        scenario,
        campaign,
        items,
        range(tasks, len(items)),
        SuiteTariff(),
        seed,
        lambda condition: [],
    )
    condition = Condition("d", "m", campaign.key, Money.parse(price), 1, 10, False, dynamic)
    limit = 20 * expected_assignments(tasks, overlap, condition.real_per_suite)
    wanted = tuple((row, overlap) for row in range(tasks))
    pool, run = source.simulate(Order(condition, 0, wanted, limit, None))
    return Bought(answers_of(pool, run), len(pool.submitted), run.end.minutes)
