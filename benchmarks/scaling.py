"""What a study costs as it grows: answers, trials, images; CPU seconds, memory, disk.

    python -m benchmarks.scaling [--answers 10000,100000,1000000] [--trials 100,1000,10000]
        [--images 1000,10000,50000]

Each point is a process of its own, so that its peak memory is its own. The ratio beside each number
is to the smallest point of the same run: growth in proportion gives the ratio of the sizes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np

_SUITE, _PEOPLE, _ORDER = 10, 400, 50_000
_ADDED = 1_000  # trials that are added one by one
_UNIT = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB on Linux
Told = dict[str, float]


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of some work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def answers(count: int, folder: Path) -> Told:
    """A store of two answers a task: written, verified, read, aggregated."""
    from budget import seals
    from budget.database import driver, open_database, reading
    from budget.money import Money
    from labeling.aggregation.methods import dawid_skene
    from labeling.aggregation.votes import Votes
    from labeling.store import Store
    from labeling.types import Assignment, Condition, OrderEnd, Page

    rng = np.random.default_rng(1)
    engine = open_database(folder / "store.sqlite")
    store = Store(engine, "s")
    condition = Condition("d", "simulated:x:y", "c", Money(2000), 0, _SUITE, False)
    tasks = count // 2
    truth = rng.integers(0, 3, tasks)

    def write() -> None:
        for first in range(0, tasks, _ORDER // 2):
            mine = range(first, min(tasks, first + _ORDER // 2))
            order = store.order_for(condition, mine, 2, Fraction(1, 5), None)
            assert order is not None
            suites = [mine[at : at + _SUITE] for at in range(0, len(mine), _SUITE)] * 2
            pages = []
            for number, suite in enumerate(suites):
                rows = tuple(suite)
                said = np.where(rng.random(len(rows)) < 0.8, truth[list(rows)], 1)
                person = f"w{(2 * number + (number >= len(suites) // 2)) % _PEOPLE}"
                labels = tuple(int(label) for label in said)
                marks = (False,) * len(rows)
                pages.append(
                    Assignment(
                        f"{number:08d}", person, rows, labels, marks, number, 30.0, Money(20_000)
                    )
                )
            for at in range(0, len(pages), 50):
                store.add(order, Page(tuple(pages[at : at + 50]), (), None))
            store.add(order, Page((), (), OrderEnd("complete", 1.0, 0, 9, 9, 0)))

    told = {"write, s": cpu(write)}
    with reading(engine) as connection:
        told["verify all seals, s"] = cpu(lambda: seals.broken(driver(connection)))
    told["read all answers, s"] = cpu(lambda: store.answers(condition))
    owned = store.answers(condition)
    counts = np.zeros((tasks, 3))
    np.add.at(counts, (owned.task, owned.label), 1.0)
    none = owned.where(np.zeros(len(owned), np.bool_))
    votes = Votes(owned, owned.task, counts, none, np.zeros(0, np.int64))
    told["Dawid-Skene, s"] = cpu(lambda: dawid_skene(votes))
    engine.dispose()
    told["database, MB"] = (folder / "store.sqlite").stat().st_size / 1e6
    return told


def trials(count: int, folder: Path) -> Told:
    """Evaluated plans in Optuna's storage: added one by one, read, opened by another process.

    Beyond a thousand, copies of the rows of the first thousand fill the storage.
    """
    from budget.money import ZERO
    from hpo.settings.config import make_config
    from hpo.settings.search_space import SearchSpace
    from hpo.study.storage.file import TrialFile
    from hpo.study.trials import Trials
    from hpo.trial.outcome import Outcome

    space = SearchSpace.of(make_config({"budget": "1000", "seed": "1"}), 1000)
    path = folder / "optuna.sqlite"
    made = Trials(TrialFile(path, "s"), space)

    def add(number: int) -> None:
        plan = space.plans[number % len(space.plans)]
        row = Outcome(plan, 0.9, 0, 1, None, None, None, ZERO, 0, 0, 0, "", 0)
        made.add(row, after_search=False)

    added = min(count, _ADDED)
    told = {"add a thousand at most, s": cpu(lambda: [add(number) for number in range(added)])}
    made.close()
    _copy_trials(path, added, count)
    made = Trials(TrialFile(path, "s"), space)
    told["add one more, ms"] = 1000 * cpu(lambda: [add(number) for number in range(20)]) / 20
    told["first read of all outcomes, s"] = cpu(made.outcomes)

    def read_after_each(changes: int) -> float:
        spent = 0.0
        for number in range(changes):
            add(number)
            spent += cpu(made.outcomes)
        return spent

    told["read them after a change, ms"] = 1000 * read_after_each(20) / 20
    made.close()
    told["open and verify, s"] = cpu(lambda: TrialFile(path, "s").close())
    sizes = (file.stat().st_size for file in folder.glob("optuna.sqlite*"))
    told["database with its log, MB"] = sum(sizes) / 1e6
    return told


def _copy_trials(path: Path, there: int, wanted: int) -> None:
    """Fill up a storage of trials with copies of those that are there, sealed as all rows are."""
    from budget import seals

    with closing(sqlite3.connect(path, factory=seals.SealingConnection)) as database, database:
        parts = ("trials", "trial_params", "trial_values", "trial_user_attributes")
        columns = {
            part: [row[1] for row in database.execute(f"PRAGMA table_info({part})")]
            for part in parts
        }
        last = {
            part: database.execute(f"SELECT max({columns[part][0]}) FROM {part}").fetchone()[0]
            for part in parts
        }
        for copy in range(1, wanted // there):
            for part in parts:  # each table's first column is its key
                by = {"trial_id": copy * last["trials"], "number": copy * there}
                by |= {columns[part][0]: copy * last[part]}
                chosen = ", ".join(
                    f"{name} + {by[name]}" if name in by else name for name in columns[part]
                )
                where = f"trial_id <= {last['trials']}"
                database.execute(f"INSERT INTO {part} SELECT {chosen} FROM {part} WHERE {where}")


def images(count: int, folder: Path) -> Told:
    """A study of one purchase, of every image of a pool, and the model of it."""
    from hpo import Study
    from training.images import load_digits

    scans, digits = load_digits()
    assert scans.pixels is not None
    rng = np.random.default_rng(1)
    rows = rng.integers(0, len(digits), count)
    pixels = scans.pixels[rows, ..., 0] + rng.normal(0, 0.05, (count, 8, 8))
    np.savez(folder / "images.npz", x=pixels.clip(0, 1).astype(np.float32), y=digits[rows])
    settings: dict[str, object] = {"budget": "1000", "price": "0.001", "overlap": "1"}
    settings |= {"controls": "0", "tasks": "100%", "exam": "off", "goal": "plan", "confirm": "0"}
    settings |= {"max_minutes": "none"}
    told: Told = {}
    made: list[Study] = []

    def open_it() -> None:
        data = f"npz:{folder / 'images.npz'}"
        made.append(Study(runs=folder, data=data, study="s", trials=1, **settings))

    told["open, s"] = cpu(open_it)
    told["one purchase and its model, s"] = cpu(made[0].run)
    told["answers bought"] = float(made[0].report()["answers_owned"])
    made[0].close()
    return told


PARTS: dict[str, tuple[Callable[[int, Path], Told], str]] = {
    "answers": (answers, "10000,100000,1000000"),
    "trials": (trials, "100,1000,10000"),
    "images": (images, "1000,10000,50000"),
}


def _point(part: str, count: int, told: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        facts = PARTS[part][0](count, Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT / 1e6
    told.write_text(json.dumps({**facts, "peak memory, MB": peak}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, (_, sizes) in PARTS.items():
        parser.add_argument(f"--{name}", default=sizes, help="sizes; empty for none")
    arguments = parser.parse_args()
    for part in PARTS:
        first: Told = {}
        for size in filter(None, getattr(arguments, part).split(",")):
            with tempfile.TemporaryDirectory() as folder:
                told = Path(folder) / "told.json"
                context = multiprocessing.get_context("spawn")
                child = context.Process(target=_point, args=(part, int(size), told))
                child.start()
                child.join()
                facts: Told = json.loads(told.read_text())
            first = first or facts
            print(f"{int(size):,} {part}")
            for name, value in facts.items():
                ratio = value / first[name] if first[name] else float("nan")
                print(f"    {name:34s} {value:10.3f}   x {ratio:.1f}", flush=True)


if __name__ == "__main__":
    main()
