"""What it gives that each condition of `--goal plan` begins where labels are missing.

The same studies twice: as they are, and with all conditions beginning at the pool's first image.
Printed in points, as they are minus the other, with one standard error over seeds:

- merged: accuracy on the final images of the model of all labels that the study bought;
- plan: true accuracy of the recommended plan, by fresh purchases from crowds that no study meets.

    python -m benchmarks.rotation --caps 2,5,20 --scenarios default,spam-heavy --seeds 8
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.ground import mean_and_error
from benchmarks.honesty import Truth
from hpo.study.study import Study


def pair(settings: dict[str, Any], cap: str, seed: int, truth: Truth) -> dict[str, float]:
    """What one study gives more than the same study whose conditions label the same images."""
    turned = _figures(settings, cap, seed, truth)
    with mock.patch("hpo.trial.world.moves", return_value=False):
        nested = _figures(settings, cap, seed, truth)
    return {name: 100 * (turned[name] - nested[name]) for name in turned}


def _figures(settings: dict[str, Any], cap: str, seed: int, truth: Truth) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        study = Study(
            runs=Path(folder), budget=cap, study=f"s{seed}", seed=seed, goal="plan", **settings
        )
        report = study.run()
        study.close()
    return {
        "merged": report["all_labels_merged"]["accuracy"],
        "plan": truth(report["recommended"]["plan"]),
    }


def main() -> None:
    """Print a row for each cap and scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--caps", default="2,5,20")
    parser.add_argument("--scenarios", default="default,spam-heavy,price-selection")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--redraws", type=int, default=6)
    args = parser.parse_args()
    print(f"{'cap':>5} {'scenario':16} {'studies':>7} {'merged':>14} {'plan':>14}")
    for cap in args.caps.split(","):
        for scenario in args.scenarios.split(","):
            settings = {"scenario": scenario}
            pairs = []
            for seed in range(args.seeds):
                truth = Truth({**settings, "seed": seed}, args.redraws)
                pairs.append(pair(settings, cap, seed, truth))
            cells = [mean_and_error([each[name] for each in pairs]) for name in ("merged", "plan")]
            row = " ".join(f"{mean:+7.2f} +- {error:.2f}" for mean, error in cells)
            print(f"{cap:>5} {scenario:16} {args.seeds:>7} {row}", flush=True)


if __name__ == "__main__":
    main()
