"""What keeps a study with a machine from the best simple rule: control tasks, learning, machine.

On CIFAR-10N as in `benchmarks.machines`, final accuracy of

- people: one answer each at all the money, by the rule, and at nine tenths of it, which is what one
  control task in ten leaves;
- alone: the study without a machine, with a control task on each page and without any;
- mixed: the study with the machine, with control tasks and without.

    python -m benchmarks.machine_parts --seeds 8,9,10,11 --money 2,3
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.machines import Cell, Ground, Rules, ground, studied

_ALONE: dict[str, str | None] = {"machine": None, "machine_cost": None}
STUDIES: dict[str, dict[str, str | None]] = {
    "alone": _ALONE,
    "alone, no controls": {**_ALONE, "controls": "0"},
    "mixed": {},
    "mixed, no controls": {"controls": "0"},
}


def parts(cell: Cell, seed: int, field: Ground, folder: Path) -> dict[str, float]:
    """Final accuracy of each study, and of the rule."""
    told: dict[str, float] = {}
    answers, said = int(cell.money / cell.price), field.machine(cell.machine, seed)[1]
    for at, (name, changes) in enumerate(STUDIES.items()):
        study, report = studied(cell, seed, field, folder, f"-{at}", **changes)
        for rule, count in (("people", answers), ("people, 9/10", answers * 9 // 10)):
            if rule not in told:
                told[rule] = Rules(study.world, field, said, seed).people(count)[0]
        told[name] = report["delivery"]["final"]["accuracy"]
        study.close()
    return told


def main() -> None:
    """Print a line for each sum of money, as means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="2,3,4,8,9,10,11")
    parser.add_argument("--money", default="2,3")
    parser.add_argument("--price", type=float, default=0.001)
    parser.add_argument("--machine", default="zeroshot")
    parser.add_argument("--cache", type=Path, default=Path("runs/.features"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        field = ground(Path(place), asked.cache)
        for money in map(float, asked.money.split(",")):
            sums: dict[str, list[float]] = defaultdict(list)
            for seed in map(int, asked.seeds.split(",")):
                cell = Cell(asked.machine, "patch", asked.price, money)
                for name, value in parts(cell, seed, field, Path(place) / "runs").items():
                    sums[name].append(value)
            means = (f"{name} {np.mean(values):.3f}" for name, values in sums.items())
            print(f"${money:g}: {'; '.join(means)}", flush=True)


if __name__ == "__main__":
    main()
