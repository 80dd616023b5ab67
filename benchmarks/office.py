"""Own annotators paid by the hour: does the stated interval of a plan's cost hold?

A study on the simulated office measures what answers cost, and states an interval for buying the
recommended plan again. Then it buys it again. The baseline is the cost that was expected before any
answer was measured: `--seconds-per-answer` times the wage.

    python benchmarks/office.py --seeds 5
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from budget.money import Money
from budget.tariff import expected_cost
from hpo.study.study import Study

SETTINGS: dict[str, object] = {
    "budget": "60",
    "pay": "hourly",
    "goal": "plan",
    "confirm": "25",
    "controls": "0,1,2",
    "tasks": "10%,20%,40%",
    "few_labels_ok": True,
}


def main() -> None:
    """Run the studies and print one line each, then the share inside."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    inside, told, listed = 0, [], []
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            study = Study(runs=Path(folder), study="s", seed=seed, **SETTINGS)
            report, config = study.run(), study.world.config
            study.close()
        again, plan = report["staff"]["bought_again"], report["recommended"]["plan"]
        paid = Money.from_json(again["paid"])
        low, high = (Money.from_json(bound) for bound in again["expected_95"])
        share = 10 / (10 - plan["controls"])
        answers = round(again["tasks"] * plan["overlap"] * share)
        before = expected_cost(config.tariff, answers, config.wage)
        holds = low <= paid <= high
        inside += holds
        middle = (low.dollars + high.dollars) / 2
        told.append(abs(middle / paid.dollars - 1))
        listed.append(abs(before.dollars / paid.dollars - 1))
        print(
            f"seed {seed}: {plan['key']}: {again['tasks']} tasks bought again for {paid}, "
            f"expected {low.cents()} to {high.cents()}: {'inside' if holds else 'OUTSIDE'}; "
            f"before any answer {before.cents()}",
            flush=True,
        )
    count = arguments.seeds
    print(f"inside the stated 95 % interval: {inside} of {count}")
    print(
        f"mean error of the expected cost: {100 * sum(told) / count:.1f} % measured, "
        f"{100 * sum(listed) / count:.1f} % before any answer was measured (baseline)"
    )


if __name__ == "__main__":
    main()
