"""Reports of the same studies by another checkout: are they equal byte for byte?

    python -m benchmarks.same_reports --write DIR [--seeds 6] [--checkout DIR]
    diff -r BEFORE AFTER

Writes report.json of seeds x kinds of study into DIR. A refactoring changes none of them. Only the
public doors are used (`python -m hpo.run` and `hpo.Study`), so that one script serves any checkout.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

KINDS = ("default", "spam-heavy", "replay", "rehearsal", "subjective", "two-workers")
_SMALL = ("--overlap", "1,2,3", "--controls", "0,1", "--tasks", "20%,50%,100%")
_TWO_WORKERS = """
import sys
from hpo import Study
settings = dict(seed=sys.argv[2], study=sys.argv[3], budget="10", overlap="1,2,3")
workers = [Study(runs=sys.argv[1], **settings) for _ in range(2)]
for worker in workers:
    worker.prepare()
while True:
    asked = [(worker, worker.ask()) for worker in workers]
    for worker, one in asked:
        if one is not None:
            worker.finish(one.trial.number)
            worker.reuse(one.plan)
    if all(one is None for _, one in asked):
        break
workers[0].conclude(workers[0].why_none)
for worker in workers:
    worker.close()
"""


def record(path: Path, images: int, seed: int) -> None:
    """Write answers of twelve people who err one time in five, three to each image."""
    rng = np.random.default_rng(seed)
    lines = ["task,annotator,label,seconds"]
    for image in range(images):
        right = rng.integers(3)
        for person in rng.choice(12, 3, replace=False):
            label = right if rng.random() > 0.2 else rng.integers(3)
            lines.append(f"digit-{image:04d},a{person},{label},{4 + rng.random():.2f}")
    path.write_text("\n".join(lines) + "\n")


def command(kind: str, seed: int, runs: Path) -> list[str]:
    """The words after `python` that run one study."""
    study = f"{kind}-{seed}"
    if kind == "two-workers":
        return ["-c", _TWO_WORKERS, str(runs), str(seed), study]
    words = ["-m", "hpo.run", "--runs", str(runs), "--study", study, "--seed", str(seed)]
    words += ["--clearml", "off"]
    if kind == "default":
        return [*words, "--budget", "20"]
    if kind == "spam-heavy":
        return [*words, "--budget", "10", "--scenario", "spam-heavy"]
    if kind == "rehearsal":
        return [*words, "--budget", "5", "--market", "rehearsal", *_SMALL]
    if kind == "subjective":
        return [*words, "--budget", "5", "--campaign", "two-questions", "--question", "neat"]
    file = runs / f"recorded-{seed}.csv"
    record(file, 1797, seed)
    return [*words, "--budget", "10", "--market", f"replay:{file}"]


def run(kind: str, seed: int, checkout: Path, out: Path) -> float:
    """Run one study and keep its report; returns the seconds that it took."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, *command(kind, seed, Path(folder))],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            sys.exit(f"{kind} {seed}: exit {done.returncode}\n{done.stderr}")
        report = Path(folder) / f"{kind}-{seed}" / "report.json"
        shutil.copy(report, out / f"{kind}-{seed}.json")
    return time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--checkout", type=Path, default=Path(__file__).resolve().parent.parent)
    arguments = parser.parse_args()
    arguments.write.mkdir(parents=True, exist_ok=True)
    for kind in arguments.kinds.split(","):
        for seed in range(arguments.seeds):
            seconds = run(kind, seed, arguments.checkout.resolve(), arguments.write)
            print(f"{kind} {seed}: {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
