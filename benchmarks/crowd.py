"""The simulated crowd beside the straightforward scan: CPU time of one order, every behaviour on.

Baseline "per-suite scan": the same engine, but each suite looks through all tasks for those that
still want answers and that the annotator has not seen. Same scenario, items and order on both
sides, in the same run; the difference is the free list alone.

    python benchmarks/crowd.py            # 980 x 3 and 50,000 x 5
    python benchmarks/crowd.py --million  # and 1,000,000 x 3, without baseline: time and memory
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from budget.money import Money
from budget.tariff import Tariff, expected_assignments
from labeling.campaign import Campaign, Exam, Question
from labeling.crowd import engine
from labeling.crowd.items import make_items
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.crowd.slots import Slots
from labeling.crowd.source import CrowdSource
from labeling.types import Condition, Order, Page

CAMPAIGN = Campaign("bench", (Question("q", "?", tuple("abcdefghij")),), "", exam=Exam(10, 8))
CONTROLS = 50
Ints = NDArray[np.int64]


class ScannedSlots(Slots):
    """The baseline's task list: one number a task, looked through for every suite."""

    def add(self, tasks: Ints, counts: Ints | int) -> None:
        """Ask for further answers."""
        self.need[tasks] += counts

    def __bool__(self) -> bool:
        return bool((self.need > 0).any())

    def take(self, count: int, seen: Ints = np.empty(0, dtype=np.int64)) -> Ints:  # noqa: B008
        """The first tasks in want of answers that are not among `seen`."""
        wanted = np.where(self.need > 0)[0]
        taken = wanted[~np.isin(wanted, seen)][:count]
        self.need[taken] -= 1
        return taken

    def clear(self) -> None:
        """Forget what is wanted."""
        self.need[:] = 0


def busy_scenario() -> Scenario:
    """The default crowd with learning, fatigue, selection and uneven confusion switched on."""
    weights = tuple(tuple(float(1 + (i * j) % 7) for j in range(10)) for i in range(10))
    return replace(
        load_scenario("default"),
        learning=0.5,
        fatigue=0.01,
        selection=0.6,
        confusion=weights,
        population=10**8,
        horizon_minutes=1e7,
    )


@dataclass(frozen=True)
class Case:
    """An order of `tasks` tasks at an overlap."""

    tasks: int
    overlap: int

    def source(self) -> CrowdSource:
        """A fresh market of the case's items."""
        rows = self.tasks + CONTROLS
        truth = np.random.default_rng(0).integers(0, 10, rows)
        items = make_items(busy_scenario(), truth, 10, 0)
        controls = range(self.tasks, rows)
        return CrowdSource(busy_scenario(), CAMPAIGN, items, controls, Tariff(), 0, lambda c: [])

    def order(self) -> Order:
        """The whole pool, one control task in ten, with exam."""
        condition = Condition("d", "m", CAMPAIGN.key, Money.parse("0.002"), 1, 10, True)
        limit = 3 * expected_assignments(self.tasks, self.overlap, 9)
        wanted = tuple((row, self.overlap) for row in range(self.tasks))
        return Order(condition, 0, wanted, limit, None)


def simulate(case: Case) -> int:
    """The engine alone, answers in columns; returns the submitted assignments."""
    live, _ = case.source()._run(case.order())
    return len(live.crowd.submitted)


def collect(case: Case) -> int:
    """The whole door: engine and pages of assignments."""
    source = case.source()
    pages: list[Page] = list(source.collect(source.place(case.order())))
    return sum(len(page.assignments) for page in pages)


def scan(case: Case) -> int:
    """The baseline: the same door over scanned slots."""
    with patch.object(engine, "Slots", ScannedSlots):
        return collect(case)


def cpu_seconds(work: Callable[[Case], int], case: Case, repeats: int) -> tuple[float, int]:
    """Best CPU time of a few repeats, and the assignments simulated."""
    best, count = math.inf, 0
    for _ in range(repeats):
        start = time.process_time()
        count = work(case)
        best = min(best, time.process_time() - start)
    return best, count


def compare(case: Case, repeats: int, goal: float) -> float:
    ours, count = cpu_seconds(simulate, case, repeats)
    door, _ = cpu_seconds(collect, case, repeats)
    base, _ = cpu_seconds(scan, case, 1)
    print(
        f"{case.tasks:,} x {case.overlap}: {count:,} assignments; engine {ours * 1e3:.0f} ms CPU "
        f"(goal {goal * 1e3:.0f}), with pages {door * 1e3:.0f} ms; per-suite scan with pages "
        f"{base * 1e3:.0f} ms; ratio scan/ours {base / door:.1f}x"
    )
    return ours


def million(small: float) -> None:
    case = Case(1_000_000, 3)
    seconds, count = cpu_seconds(simulate, case, 1)
    unit = 2**30 if sys.platform == "darwin" else 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    exponent = math.log(seconds / small) / math.log(3_000_000 / 250_000)
    print(
        f"1,000,000 x 3: {count:,} assignments, {seconds:.1f} s CPU, peak memory {peak:.2f} GiB, "
        f"scaling exponent from 50,000 x 5: {exponent:.2f}"
    )


def main() -> None:
    compare(Case(980, 3), 5, 0.060)
    large = compare(Case(50_000, 5), 1, 5.0)
    if "--million" in sys.argv[1:]:
        million(large)


if __name__ == "__main__":
    main()
