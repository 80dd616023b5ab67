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

import numpy as np
from numpy.typing import NDArray

from budget.money import Money
from budget.tariff import expected_assignments
from labeling.campaign.campaign import SUBJECTIVE, Campaign, Exam, Question
from labeling.crowd.engine.engine import Crowd
from labeling.crowd.engine.pool import PoolSettings
from labeling.crowd.engine.rounds import OrderRun, run_order
from labeling.crowd.engine.slots import Slots
from labeling.crowd.people.audience import audience
from labeling.crowd.people.exam_items import set_exam
from labeling.crowd.people.items import make_items
from labeling.crowd.people.opinions import make_opinions
from labeling.crowd.scenario import Scenario, load_scenario
from labeling.types import Condition, DynamicOverlap, Order

CLASSES = 10
CAMPAIGN = Campaign(
    "bench",
    (
        Question("class", "?", tuple("abcdefghij")),
        Question("taste", "?", ("no", "yes"), SUBJECTIVE),
    ),
    "",
    exam=Exam(10, 8),
    language_test=True,
)
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
    """The default crowd with all that it leaves out by default switched on."""
    weights = tuple(tuple(float(1 + (i * j) % 7) for j in range(CLASSES)) for i in range(CLASSES))
    return replace(
        load_scenario("default"),
        learning=0.5,
        fatigue=0.01,
        selection=0.6,
        confusion=weights,
        exam_pass_rates=(0.7, *(0.88,) * 9),
        population=10**8,
        horizon_minutes=1e7,
    )


@dataclass(frozen=True)
class Case:
    """An order of `tasks` tasks at an overlap, one control task in ten, with exam."""

    tasks: int
    overlap: int
    dynamic: DynamicOverlap | None = None

    def pool(self) -> Crowd:
        """A fresh pool over the case's items."""
        rows = self.tasks + CONTROLS
        crowd = audience(busy_scenario(), CAMPAIGN)
        control = np.arange(self.tasks, rows)
        settings = PoolSettings(
            price=Money.parse("0.002"),
            suite_size=CAMPAIGN.suite_size,
            controls=1,
            exam=CAMPAIGN.exam,
            rules=CAMPAIGN.rules,
            assignment_seconds=CAMPAIGN.assignment_seconds,
            classes=CLASSES,
            control_rows=control[10:],
            exam_rows=control[:10],
            dynamic=self.dynamic,
        )
        truth = np.random.default_rng(0).integers(0, CLASSES, rows)
        items = make_items(crowd, truth, CLASSES, 0)
        items = set_exam(crowd, items, settings.exam_rows, CLASSES)
        taste = make_opinions(crowd, rows, 2, 0, "taste")
        return Crowd(crowd, settings, items, 0, "bench", [taste], [2])

    def order(self) -> Order:
        """The whole pool."""
        price = Money.parse("0.002")
        condition = Condition("d", "m", CAMPAIGN.key, price, 1, 10, True, self.dynamic)
        limit = 3 * expected_assignments(self.tasks, self.overlap, 9)
        wanted = tuple((row, self.overlap) for row in range(self.tasks))
        return Order(condition, 0, wanted, limit, None)


def simulate(case: Case) -> OrderRun:
    """Ours."""
    return run_order(case.pool(), case.order(), 1e7)


def scan(case: Case) -> OrderRun:
    """The baseline."""
    pool = case.pool()
    pool.slots = ScannedSlots(case.tasks + CONTROLS)
    return run_order(pool, case.order(), 1e7)


def cpu_seconds(
    work: Callable[[Case], OrderRun], case: Case, repeats: int
) -> tuple[float, OrderRun]:
    """Best CPU time of a few repeats, and what came out."""
    best = math.inf
    for _ in range(repeats):
        start = time.process_time()
        run = work(case)
        best = min(best, time.process_time() - start)
    return best, run


def compare(case: Case, repeats: int, goal: float) -> float:
    ours, run = cpu_seconds(simulate, case, repeats)
    base, _ = cpu_seconds(scan, case, min(repeats, 3))
    print(
        f"{case.tasks:,} x {case.dynamic or case.overlap}: {run.submissions[1]:,} assignments, "
        f"{run.end.reason}; {ours * 1e3:.0f} ms CPU (goal {goal * 1e3:.0f}); per-suite scan "
        f"{base * 1e3:.0f} ms; ratio scan/ours {base / ours:.1f}x",
        flush=True,
    )
    return ours


def million(small: float) -> None:
    seconds, run = cpu_seconds(simulate, Case(1_000_000, 3), 1)
    unit = 2**30 if sys.platform == "darwin" else 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    exponent = math.log(seconds / small) / math.log(3_000_000 / 250_000)
    print(
        f"1,000,000 x 3: {run.submissions[1]:,} assignments, {run.end.reason}; {seconds:.1f} s, "
        f"peak memory {peak:.2f} GiB, scaling exponent from 50,000 x 5: {exponent:.2f}",
        flush=True,
    )


def main() -> None:
    compare(Case(980, 3), 7, 0.060)
    compare(Case(980, 5, DynamicOverlap(2, 5, 0.9)), 7, 0.060)
    large = compare(Case(50_000, 5), 1, 5.0)
    if "--million" in sys.argv[1:]:
        million(large)


if __name__ == "__main__":
    main()
