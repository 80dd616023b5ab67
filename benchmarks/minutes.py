"""The minutes that an answer shows of a plan, against the same plan really bought at once.

$5 studies run to their end. Of the plans that each evaluated, some are taken that are spread evenly
over the minutes shown, and each is bought at once from fresh crowds, without a deadline. Printed
per scenario, over plans and fresh purchases:

- shown: median of |shown / bought - 1|, and the median of shown / bought;
- baselines: the market's own quote, which no order corrects; and the mean of the other fresh
  purchases, as if the plan's expected minutes were known: what the luck of a purchase leaves;
- the same of the expected minutes (the mean over fresh purchases) in place of a single purchase,
  with and without an exam, and of plans below a third of their condition's tasks.

    python -m benchmarks.minutes --seeds 4 --plans 10
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.ground import FIRST, _data, _world
from hpo.settings.config import make_config
from hpo.study.study import Study
from hpo.trial.purchase import buy
from labeling.types import LabelPlan


@dataclass(frozen=True, slots=True)
class Row:
    """A plan's minutes.

    Attributes:
        key: the plan.
        exam: whether it has an exam.
        share: its assignments over the most that were paid in its condition.
        shown: by the study.
        quoted: by the market.
        bought: of each fresh purchase.
    """

    key: str
    exam: bool
    share: float
    shown: float
    quoted: float
    bought: list[float]


def minutes_bought(plan: LabelPlan, draw: int, **settings: object) -> float:
    """Minutes of a plan bought at once from crowd number `draw`, without a deadline."""
    config = make_config({"budget": "1000", "study": "minutes", **settings, "max_minutes": "none"})
    with tempfile.TemporaryDirectory() as folder:
        data = _data(config.data, config.seed)
        world = _world(config, Path(folder) / "ground", data, draw)
        buy(plan, world)
        minutes = sum(r.end.minutes for r in world.store.all_orders() if r.end)
        world.close()
    return minutes


def rows_of(count: int, draws: int, **settings: object) -> list[Row]:
    """Run a study, and buy plans of it at once."""
    with tempfile.TemporaryDirectory() as runs:
        study = Study(runs=runs, budget="5", study="s", goal="plan", **settings)
        study.run()
        world, costs = study.world, study.estimates().costs
        shown: dict[LabelPlan, float] = {}
        most: dict[str, int] = {}
        for outcome in study.outcomes():
            plan, minutes = outcome.plan, costs.minutes(outcome.plan)
            if minutes is not None:
                shown[plan] = minutes
                key, size = world.condition(plan).key, world.prices.list_price(plan).assignments
                most[key] = max(most.get(key, 0), size)
        ranked = sorted(shown, key=lambda plan: (shown[plan], plan.key))
        places = np.linspace(0, len(ranked) - 1, count).round().astype(int)
        quotes = {ranked[n]: world.prices.list_price(ranked[n]) for n in dict.fromkeys(places)}
        shares = {p: q.assignments / most[world.condition(p).key] for p, q in quotes.items()}
        study.close()
    fresh = range(FIRST, FIRST + draws)
    return [
        Row(
            plan.key,
            plan.exam,
            shares[plan],
            shown[plan],
            quote.minutes,
            [minutes_bought(plan, draw, **settings) for draw in fresh],
        )
        for plan, quote in quotes.items()
    ]


def summary(rows: Sequence[Row]) -> str:
    """Median relative errors and ratios, of purchases and of their means."""
    bought = np.array([row.bought for row in rows])
    mean = bought.mean(axis=1, keepdims=True)
    others = (bought.sum(axis=1, keepdims=True) - bought) / (bought.shape[1] - 1)
    shown = np.array([[row.shown] for row in rows])
    quoted = np.array([[row.quoted] for row in rows])
    parts = [("shown", shown, bought), ("quote", quoted, bought), ("expected", others, bought)]
    parts += [("shown of mean", shown, mean), ("quote of mean", quoted, mean)]
    return "  ".join(
        f"{name} {np.median(np.abs(said / true - 1)):.3f} (x {np.median(said / true):.2f})"
        for name, said, true in parts
    )


def print_rows(name: str, rows: Sequence[Row]) -> None:
    """The table of one scenario."""
    kinds: dict[str, Callable[[Row], bool]] = {
        "all": lambda row: True,
        "exam": lambda row: row.exam,
        "no exam": lambda row: not row.exam,
        "nested small": lambda row: row.share < 1 / 3,
        "whole": lambda row: row.share == 1,
    }
    for kind, is_of in kinds.items():
        some = [row for row in rows if is_of(row)]
        if some:
            print(f"{name:12} {kind:12} {len(some):3} plans  {summary(some)}", flush=True)


def main(words: Sequence[str] | None = None) -> None:
    """Run studies, buy their plans, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenarios", default="default,spam-heavy,slow-supply")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--plans", type=int, default=10, help="plans of a study")
    parser.add_argument("--draws", type=int, default=5, help="fresh purchases of a plan")
    parser.add_argument("--data", default="digits3")
    parser.add_argument("--out", type=Path, help="a line of JSON for each plan")
    given = parser.parse_args(words)
    print("median |said / bought - 1| (x median of said / bought)")
    pooled: list[Row] = []
    for scenario in given.scenarios.split(","):
        rows: list[Row] = []
        for seed in range(given.seeds):
            settings = {"data": given.data, "scenario": scenario, "seed": seed}
            rows += rows_of(given.plans, given.draws, **settings)
            if given.out:
                lines = [json.dumps({**settings, **asdict(r)}) for r in rows[-given.plans :]]
                with given.out.open("a") as file:
                    file.write("\n".join(lines) + "\n")
        print_rows(scenario, rows)
        pooled += rows
    print_rows("pooled", pooled)


if __name__ == "__main__":
    main()
