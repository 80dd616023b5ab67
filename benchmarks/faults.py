"""The fault campaign: kills, cut logs, full disks, jumping clocks, flipped bits; how many of each.

    python -m benchmarks.faults [--runs 2000] [--only kill,wal]

Runs the tests in tests/faults with FAULT_RUNS and prints for each what it has done to studies, how
long it took and whether every study ended as the one that nothing happened to.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

HOME = Path(__file__).parents[1]


def run(runs: int, only: str, report: Path) -> int:
    """Run the tests; pytest's exit code."""
    names = [name.partition("::") for name in only.split(",") if name]
    files = [f"{HOME}/tests/faults/test_{name}.py{at}{test}" for name, at, test in names]
    words = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}", "-o", "junit_family=xunit1"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words, *(files or [str(HOME / "tests/faults")])],
        cwd=HOME,
        env={**os.environ, "FAULT_RUNS": str(runs)},
        check=False,
    ).returncode


def table(report: Path) -> tuple[list[str], Counter[str]]:
    """A line for each test, and what was done in all."""
    lines, total = [], Counter[str]()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        done = {p.get("name", ""): p.get("value", "0") for p in case.iter("property")}
        total.update({name: int(value) for name, value in done.items()})
        bad = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        name = f"{case.get('classname', '').split('.')[-1]}::{case.get('name')}"
        words = ", ".join(f"{value} {name}" for name, value in done.items())
        state = bad[0] if bad else "passed"
        lines.append(f"{name[:96]:96s} {float(case.get('time', 0)):8.1f} s  {state:8s} {words}")
        total[state] += 1
    return lines, total


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--only", default="", help="modules or tests, such as kill,wal::test_NAME")
    arguments = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code = run(arguments.runs, arguments.only, report)
        lines, total = table(report)
    print(f"FAULT_RUNS={arguments.runs}, {arguments.only or 'all of tests/faults'}")
    print(*lines, sep="\n")
    print(f"in all: {', '.join(f'{n} {name}' for name, n in total.items())}")
    print(f"{time.monotonic() - begun:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
