"""A finished study's answer: what printing it costs, in CPU seconds of a whole process.

The default study runs once. Then `labelworth report` and `labelworth status` are started as a user
starts them. Baselines, same machine and run: a Python that does nothing, the least that any
program could take; and the same report made anew, which is what it costs where no answer is stored.
Times are medians of the starts named, user and system time together.

    python benchmarks/stored_answer.py
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from hpo import Study

STARTS, LIMIT = 7, 0.5


def cpu_seconds(words: list[str]) -> float:
    """Median CPU seconds of a process that succeeds."""
    spent = []
    for _ in range(STARTS):
        child = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0, words
        spent.append(used.ru_utime + used.ru_stime)
    return statistics.median(spent)


def main() -> None:
    """Run a study, start the commands, print the table."""
    with tempfile.TemporaryDirectory() as runs:
        study = Study(budget="2", runs=runs)
        study.run()
        study.close()
        unfinished = Path(shutil.copytree(study.folder, Path(runs) / "unfinished"))
        (unfinished / "report.json").unlink()
        program = ["-m", "hpo.run"]
        bare = cpu_seconds(["-c", "pass"])
        rows = {
            "python -c pass": bare,
            "report": cpu_seconds([*program, "report", str(study.folder)]),
            "status": cpu_seconds([*program, "status", str(study.folder)]),
            "report, no answer stored": cpu_seconds([*program, "report", str(unfinished)]),
        }
    print(f"CPU seconds of a process, median of {STARTS} starts")
    for name, seconds in rows.items():
        print(f"{name:26} {seconds:6.3f} s  {seconds / bare:6.1f} x a Python that does nothing")
    within = max(rows["report"], rows["status"]) <= LIMIT
    print(f"report and status within {LIMIT} s: {'yes' if within else 'NO'}")


if __name__ == "__main__":
    main()
