"""Pairs of studies, simulated and rehearsed through the platform's API: equal answers and hashes?

    python -m benchmarks.two_doors [--pairs 60]

Both reports are compared whole, but for the market's name and the notes of a rehearsal; so are the
ids of all label versions, which are hashes of labels, answers, times and cost.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SCENARIOS = ("default", "spam-heavy", "slow-supply", "experts-few", "hard-items")
_SETTINGS: dict[str, object] = {"budget": "0.6", "price": "0.001,0.002", "overlap": "1,2"}
_SETTINGS |= {"tasks": "5%,10%", "controls": "0,1", "backbone": "pixels"}


def told(runs: Path, market: str, seed: int) -> dict[str, Any]:
    """A study's report without the market's name, with the ids of its label versions."""
    from hpo import Study

    scenario, goal = SCENARIOS[seed % len(SCENARIOS)], ("plan", "model")[seed % 2]
    more: dict[str, object] = {"scenario": scenario, "goal": goal, "seed": seed, "study": "s"}
    more |= {"trials": 3} if goal == "plan" else {"learn": "20%"}
    study = Study(runs=runs / market, market=market, **_SETTINGS, **more)
    try:
        report = study.run()
    finally:
        study.close()
    notes = [note for note in report["notes"] if not note.startswith("Rehearsal: ")]
    config = {**report["config"], "market": ""}
    versions = sorted(path.name for path in (runs / market).glob("*/versions/*"))
    return {**report, "config": config, "market": "", "notes": notes, "versions": versions}


def main() -> int:
    """Run the pairs and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=60)
    arguments = parser.parse_args()
    begun, equal, versions = time.monotonic(), 0, 0
    for seed in range(arguments.pairs):
        with tempfile.TemporaryDirectory() as folder:
            one, other = (told(Path(folder), market, seed) for market in ("simulated", "rehearsal"))
        differ = [name for name in one if one[name] != other.get(name)]
        equal += not differ
        versions += len(one["versions"])
        state = "equal" if not differ else f"differ in {', '.join(differ)}"
        spent = one["money"]["spent"]["usd"]
        print(f"seed {seed}, {SCENARIOS[seed % len(SCENARIOS)]}: {state}, ${spent}", flush=True)
    seconds = time.monotonic() - begun
    print(f"{equal} of {arguments.pairs} pairs equal, {versions} label versions, {seconds:.0f} s")
    return equal < arguments.pairs


if __name__ == "__main__":
    sys.exit(main())
