"""The default study end to end: seconds, peak memory, purchases, share of the budget spent.

Baseline: one bare process that imports what a study uses (torch, optuna, scikit-learn, SQLAlchemy,
matplotlib) and does nothing. The ratio says how much the study itself adds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time

_BARE = "import torch, optuna, sklearn.datasets, sqlalchemy, matplotlib.figure"
_STUDY = """
import resource, sys
from hpo.run import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def timed(words: list[str]) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Wall seconds of a Python process, and what it printed."""
    start = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words], check=True, capture_output=True, text=True, env=environment
    )
    return time.perf_counter() - start, done


def main() -> None:
    """Measure and print."""
    bare = min(timed(["-c", _BARE])[0] for _ in range(2))
    with tempfile.TemporaryDirectory() as runs:
        words = ["-c", _STUDY, "--budget", "20", "--runs", runs, "--json"]
        seconds, done = timed(words)
        again, _ = timed(words)
    report = json.loads(done.stdout)
    money = report["money"]
    spent = money["spent"]["micros"] / money["cap"]["micros"]
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB on Linux
    peak = int(done.stderr.split()[-1]) * unit / 2**30
    print(f"default $20 study: {seconds:.1f} s wall, peak memory {peak:.2f} GiB")
    print(f"ratio to bare imports ({bare:.1f} s): {seconds / bare:.2f}")
    print(f"answering again from the finished folder: {again:.1f} s")
    print(
        f"{len(report['purchases'])} purchases under {report['conditions']} conditions, "
        f"{report['evaluated_plans']} evaluated plans, {100 * spent:.1f} % spent; "
        f"{report['stopped']}"
    )
    help_seconds = min(timed(["-m", "hpo.run", "--help"])[0] for _ in range(5))
    pass_seconds = min(timed(["-c", "pass"])[0] for _ in range(5))
    print(
        f"--help: {1000 * help_seconds:.0f} ms, ratio to a bare `python -c pass` "
        f"({1000 * pass_seconds:.0f} ms): {help_seconds / pass_seconds:.1f}"
    )


if __name__ == "__main__":
    main()
