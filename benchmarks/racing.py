"""How long writers of one ledger wait for each other.

    python -m benchmarks.racing [--processes 8] [--rounds 200] [--folder DIR]

Processes reserve and settle $0.001 by turns, as fast as they can, in one SQLite file. Baseline: the
same rounds in the same run where SQLite alone decides who writes next. Prints the seconds of a
reserve at the median, the 99th percentile and the most, the calls that gave up after 30 seconds,
and the ratio of the longest waits. The balance of both ledgers is checked to the micro-dollar.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from budget import database
from budget.database import open_database
from budget.errors import StorageError
from budget.ledger import Ledger
from budget.money import Money

PAID = Money(1_000)


@dataclass(frozen=True, slots=True)
class Raced:
    """Seconds of every reserve that succeeded, calls that gave up, seconds of the whole race."""

    reserves: list[float]
    gave_up: int
    seconds: float


@contextmanager
def no_queue(*_: object) -> Iterator[Callable[[], None]]:
    """In place of the queue: every writer asks SQLite at once."""
    yield lambda: None


def work(path: Path, name: str, rounds: int, queued: bool) -> None:
    """The rounds of one process; writes down what they took."""
    if not queued:
        database.turn = no_queue
    ledger = Ledger.open(open_database(path / "study.sqlite"), "s")
    reserves, gave_up, settled = list[float](), 0, 0
    for number in range(rounds):
        start = time.perf_counter()
        try:
            hold = ledger.reserve(f"{name}-{number}", PAID)
            reserves.append(time.perf_counter() - start)
            ledger.settle(hold, PAID)
            settled += 1
        except StorageError as error:
            gave_up += 1
            print(f"  gave up after {time.perf_counter() - start:.1f} s: {error.problem}")
    told = {"reserves": reserves, "gave_up": gave_up, "settled": settled}
    (path / f"{name}.json").write_text(json.dumps(told))


def race(folder: Path, processes: int, rounds: int, queued: bool) -> Raced:
    """Let processes race in a folder, and check the balance."""
    folder.mkdir()
    made = open_database(folder / "study.sqlite")
    Ledger.open(made, "s", Money(PAID.micros * processes * rounds))
    made.dispose()
    start = time.perf_counter()
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work(folder, f"p{number}", rounds, queued)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    seconds = time.perf_counter() - start
    assert codes == [0] * processes, codes
    told = [json.loads((folder / f"p{number}.json").read_text()) for number in range(processes)]
    ledger = Ledger.open(open_database(folder / "study.sqlite"), "s")
    assert ledger.balance().spent.micros == PAID.micros * sum(one["settled"] for one in told)
    reserves = [second for one in told for second in one["reserves"]]
    return Raced(reserves, sum(one["gave_up"] for one in told), seconds)


def main() -> None:
    """Race with and without the queue, and print both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    given = parser.parse_args()
    longest = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as work_folder:
        for name, queued in (("SQLite's own wait", False), ("queue", True)):
            done = race(Path(work_folder, str(queued)), given.processes, given.rounds, queued)
            p50, p99 = np.percentile(done.reserves, [50, 99])
            longest[queued] = max(done.reserves)
            print(
                f"{name:18} reserve: p50 {p50:.3f} s, p99 {p99:.3f} s, max {longest[queued]:.3f} s;"
                f" {done.gave_up} gave up; {done.seconds:.1f} s in all",
                flush=True,
            )
    print(f"longest wait: {longest[True] / longest[False]:.2f} of SQLite's own")


if __name__ == "__main__":
    main()
