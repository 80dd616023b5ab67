"""Does price leak into quality? Slopes of accuracy and of the pool's composition on log price.

Baseline: selection exponent g = 0, at which price changes nobody's answers. Crowds in which all
work at one pace, or nobody works twice, show which mechanism moves the pool. 980 x 1, at $.001
and $.008 a task.

    python benchmarks/price.py             # 100 campaigns a price
    python benchmarks/price.py 800         # as in docs/crowd.md, minutes
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from budget.money import Money
from budget.tariff import expected_assignments
from budget.tariffs.suite import SuiteTariff
from labeling.campaign.campaign import Campaign, QualityRules, Question
from labeling.crowd.engine.rounds import answers_of
from labeling.crowd.people.items import make_items
from labeling.crowd.people.people import CARELESS
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.crowd.source import CrowdSource
from labeling.types import Condition, Order

PRICES = ("0.001", "0.008")
QUESTION = Question("class", "Which?", ("a", "b", "c"))
OFF, ON = QualityRules(fast_responses=0), QualityRules()
DEFAULT = load_scenario("default")
ONCE = replace(DEFAULT, suites_median=0.5, suites_sd=0.0, return_share=0.0)
PACE = replace(DEFAULT, careless_seconds=4.2, spam_seconds=4.2, slow_on_hard=0.0)
CASES = (
    ("default", DEFAULT, OFF, 0, 980),
    ("default, fast rule", DEFAULT, ON, 0, 980),
    ("default, fast rule, 1 control", DEFAULT, ON, 1, 980),
    ("one pace, 1 control", PACE, OFF, 1, 980),
    ("one pace", PACE, OFF, 0, 980),
    ("one suite a person", ONCE, OFF, 0, 980),
    ("one suite, fast rule, 1 control", ONCE, ON, 1, 980),
    ("9,800 tasks, fast rule, 1 control", DEFAULT, ON, 1, 9800),
    ("g = .6, fast rule", load_scenario("price-selection"), ON, 0, 980),
)


def play(
    crowd: Scenario, rules: QualityRules, controls: int, tasks: int, price: str, seed: int
) -> tuple[float, float]:
    """Usable answers right, and the spammers' share of the suites bought."""
    campaign = Campaign("price", (QUESTION,), "", rules=rules)
    rows = tasks + 50
    truth = np.random.default_rng(seed).integers(0, 3, rows)
    items = make_items(crowd, truth, 3, seed)
    source = CrowdSource(
        crowd, campaign, items, range(tasks, rows), SuiteTariff(), seed, lambda condition: []
    )
    condition = Condition("d", "m", campaign.key, Money.parse(price), controls, 10, False)
    limit = 20 * expected_assignments(tasks, 1, condition.real_per_suite)
    pool, run = source.simulate(
        Order(condition, 0, tuple((t, 1) for t in range(tasks)), limit, None)
    )
    answers = answers_of(pool, run)
    real = answers.where(answers.usable & ~answers.control)
    kinds = pool.people.traits.kind[pool.suites.person[pool.submitted]]
    return float((real.label == truth[real.task]).mean()), float((kinds > CARELESS).mean())


def slope(values: np.ndarray, wages: np.ndarray) -> str:
    """Slope per ln $ and its z, by least squares."""
    x, y = wages - wages.mean(), values - values.mean()
    b = (x * y).sum() / (x * x).sum()
    error = np.sqrt(((y - b * x) ** 2).sum() / (len(x) - 2) / (x * x).sum())
    return f"{b:+.4f} (z {b / error:+.1f})"


def main() -> None:
    campaigns = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for name, crowd, rules, controls, tasks in CASES:
        seeds = campaigns * 980 // tasks
        played = [
            (np.log(float(price)), *play(crowd, rules, controls, tasks, price, seed))
            for price in PRICES
            for seed in range(seeds)
        ]
        wages, accuracy, spam = np.array(played).T
        print(f"{name:<34} accuracy {slope(accuracy, wages)}   spammers {slope(spam, wages)}")


if __name__ == "__main__":
    main()
