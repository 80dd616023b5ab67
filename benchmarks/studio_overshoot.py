"""How often does an order on Label Studio get more answers than its limit, and does the hold cover?

Label Studio's queue may give one place to two people. Four scripted people answer at once on a real
server, through its own queue. An order of at most 5 answers is over at the fifth; each of the
others may have an answer in hand. The baseline is what a hold without a margin for the people would
bear: limit x longest time x wage.

    LABELWORTH_LABEL_STUDIO=PROGRAM python benchmarks/studio_overshoot.py --runs 50
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

from budget.money import ZERO
from tests.labeling.label_studio.ground import TARIFF, StudioGround, collect, studio

LIMIT, TASKS = 5, 12


def main() -> None:
    """Run the orders and print one line each, then the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    runs = parser.parse_args().runs
    above: Counter[int] = Counter()
    covered = if_longest = without = 0
    with tempfile.TemporaryDirectory() as home, studio(Path(home) / "server") as server:
        for run in range(runs):
            ground = StudioGround(server, Path(home) / f"market{run}", f"label-studio:run{run}")
            order = ground.order(range(TASKS), overlap=2, limit=LIMIT, controls=0)
            with closing(ground.open()) as source:
                answers = [one for page in collect(source, order) for one in page.assignments]
            rate = order.condition.reward
            paid = sum((one.reward for one in answers), ZERO)
            hold = TARIFF.most(LIMIT, rate)
            longest = TARIFF.earned("", rate, TARIFF.time.most_ms)
            above[len(answers) - LIMIT] += 1
            covered += paid <= hold
            if_longest += longest * len(answers) <= hold
            without += longest * len(answers) <= longest * LIMIT
            print(f"run {run}: {len(answers)} answers for {paid}, {hold} held", flush=True)
    print(f"answers above the limit of {LIMIT}, and orders: {dict(sorted(above.items()))}")
    print(f"orders whose hold covered what was paid: {covered} of {runs}")
    print(
        f"had every answer taken the longest paid time: {if_longest} of {runs} covered, "
        f"{without} of {runs} by a hold without a margin for the people (baseline)"
    )


if __name__ == "__main__":
    main()
