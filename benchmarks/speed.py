"""CPU seconds of one decision of the search, and of whole studies, as ratios to matrix products.

    python -m benchmarks.speed [--decisions 20,100,500,2000] [--budgets 20,100] [--data ADDRESS]

Baseline: 100 products of two 512 x 512 matrices in NumPy, best of five, in the same process. A
decision is one of the money-aware search over the 1,680 plans of the default space, with an order
in every condition: "next" in a search that has decided all along, best of five; "first" where it
starts, as after a kill, hyper-parameters fitted anew. A study is a process of its own, by the
command line and all defaults; features are made in the first of them. The products are measured
again before each study: a loaded machine slows both sides. OMP_NUM_THREADS=1 holds for both.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is imported

import numpy as np

from budget.money import ZERO, Money
from hpo.search.searcher import Searcher
from hpo.settings.config import make_config
from hpo.settings.search_space import SearchSpace
from hpo.trial.outcome import Outcome
from hpo.trial.purchase import buy
from hpo.trial.world import World, build
from labeling.types import LabelPlan

_MORE_PRICES = "0.001,0.0015,0.002,0.0025,0.003,0.0035,0.004,0.005,0.006,0.007,0.008"
_REPEATS = 5


def seconds(run: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    run()
    return time.process_time() - start


def baseline() -> float:
    """CPU seconds of the matrix products."""
    a = np.random.default_rng(0).standard_normal((512, 512))
    return min(seconds(lambda: [a @ a for _ in range(100)]) for _ in range(_REPEATS))


def evaluations(world: World, count: int) -> list[Outcome]:
    """Evaluations of the initial design, then of plans at random, also between the space's prices.

    Accuracies grow with the answers and vary.
    """
    rng = np.random.default_rng(1)
    space = SearchSpace.of(replace(world.config, price=_prices()), len(world.pool))
    searcher, made = Searcher(world), list[Outcome]()
    left = world.ledger.balance().left
    while not made or (decided := searcher.decide(made, left)).points == 0:
        plan = decided.plan if made else space.plans[0]
        assert plan is not None
        made.append(_evaluated(plan, rng))
    more = rng.choice(len(space.plans), count - len(made), replace=False)
    return [*made, *(_evaluated(space.plans[i], rng) for i in more)]


def _evaluated(plan: LabelPlan, rng: np.random.Generator) -> Outcome:
    error = 0.1 + 0.5 * (plan.tasks * plan.overlap) ** -0.2 * np.exp(0.1 * rng.normal())
    return Outcome(plan, float(1 - error), 0, 1, None, None, None, ZERO, 0, 0, 0, "", 0)


def _prices() -> tuple[Money, ...]:
    return tuple(Money.parse(price) for price in _MORE_PRICES.split(","))


def buy_everywhere(world: World) -> None:
    """An order in every condition: of the smallest plan."""
    smallest: dict[str, LabelPlan] = {}
    for plan in sorted(world.space.plans, key=lambda p: p.tasks * p.overlap):
        smallest.setdefault(world.condition(plan).key, plan)
    for plan in smallest.values():
        buy(plan, world)


def decisions(world: World, counts: list[int]) -> dict[str, float]:
    """CPU seconds of decisions at some numbers of evaluations."""
    left = world.ledger.balance().left
    took = {}
    for count in counts:
        known = evaluations(world, count + _REPEATS)
        searcher = Searcher(world)
        searcher.decide(known[:20], left)  # quotes of all plans, and imports

        def decide(n: int, searcher: Searcher = searcher, known: list[Outcome] = known) -> float:
            return seconds(lambda: searcher.decide(known[:n], left))

        took[f"first decision at {count:,}"] = decide(count)
        took[f"next decision at {count:,}"] = min(decide(count + 1 + n) for n in range(_REPEATS))
    return took


def study(budget: str, data: str | None, runs: Path) -> tuple[float, float]:
    """CPU seconds of user and of system time of a study, whole processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = ["--budget", budget, "--study", budget, "--seed", "1", "--runs", str(runs)]
    words += ["--data", data] if data else []
    command = [sys.executable, "-m", "hpo.run", *words, "--clearml", "off"]
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", default="20,100,500,2000")
    parser.add_argument("--budgets", default="20,100")
    parser.add_argument("--data", help="images of the studies; default: the bundled digits")
    arguments = parser.parse_args()
    products = baseline()
    print(f"100 matrix products: {products:.3f} s")
    took = {}
    if arguments.decisions:
        with tempfile.TemporaryDirectory() as folder:
            world = build(make_config({"budget": "1000", "seed": "1"}), Path(folder))
            buy_everywhere(world)
            took = decisions(world, [int(count) for count in arguments.decisions.split(",")])
            world.close()
    for name, cpu in took.items():
        print(f"{name}: {cpu:.3f} s, ratio to the products {cpu / products:.2f}")
    with tempfile.TemporaryDirectory() as runs:
        for budget in filter(None, arguments.budgets.split(",")):
            products = baseline()
            user, system = study(budget, arguments.data, Path(runs))
            print(
                f"study of ${budget}: {user:.1f} s user + {system:.1f} s system, ratio to the "
                f"products ({products:.3f} s) {(user + system) / products:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
