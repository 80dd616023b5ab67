"""What many processes spend that race for one budget, and how long they wait for each other.

    python -m benchmarks.racing [--processes 8] [--rounds 200] [--folder DIR]

Processes reserve and settle $0.001 by turns, as fast as they can, until a cap of 60 % of what they
want is used up: in one SQLite file, and at a PostgreSQL server that this script starts. Baselines
in the same run: a bare database, in which each round inserts a row under a lock; SQLite's own wait
instead of the queue of writers; and Optuna, whose trials cost $0.001 and whose callback stops the
study once the trials have spent the cap. Prints what was spent beyond the cap, the calls that gave
up after 30 seconds, and the seconds of a round (a reserve and its settlement) at the median, the
99th percentile and the most.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from budget import database
from budget.database import open_database
from budget.errors import BudgetExceeded, StorageError
from budget.ledger import Ledger
from budget.money import Money
from tests.postgres import Server, missing

PAID = Money(1_000)
SHARE = Fraction(3, 5)  # of what the processes want
Round = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Race:
    """A race of processes, each through the same rounds.

    Attributes:
        folder: where they write down what the rounds took.
        processes: how many.
        rounds: of each process.
    """

    folder: Path
    processes: int
    rounds: int

    @property
    def cap(self) -> Money:
        """What they may spend together."""
        return Money(PAID.micros * self.processes * self.rounds).share(SHARE)

    def run(self, name: str, make: Callable[[], Round]) -> tuple[list[float], int, float]:
        """Let the processes race.

        Args:
            name: of the race.
            make: in a process, makes its round, which is given the round's name.

        Returns:
            Seconds of every round, how many gave up, seconds of the whole race.
        """
        start = time.perf_counter()
        children = []
        for number in range(self.processes):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    self._work(make(), f"{name}-{number}")
                    code = 0
                finally:
                    os._exit(code)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        seconds = time.perf_counter() - start
        assert codes == [0] * self.processes, codes
        told = [
            json.loads((self.folder / f"{name}-{number}.json").read_text())
            for number in range(self.processes)
        ]
        took = [second for one in told for second in one["took"]]
        return took, sum(one["gave_up"] for one in told), seconds

    def _work(self, one: Round, name: str) -> None:
        took, gave_up = list[float](), 0
        for number in range(self.rounds):
            start = time.perf_counter()
            try:
                one(f"{name}-{number}")
            except BudgetExceeded:
                continue
            except StorageError as error:
                gave_up += 1
                print(f"  gave up after {time.perf_counter() - start:.1f} s: {error.problem}")
            took.append(time.perf_counter() - start)
        told = json.dumps({"took": took, "gave_up": gave_up})
        (self.folder / f"{name}.json").write_text(told)


def ledger_round(place: str | Path, queued: bool = True) -> Round:
    """Reserve and settle; the seconds of the settlement count, too."""
    if not queued:
        database.turn = _no_queue
    ledger = Ledger.open(open_database(place), "s")
    return lambda key: ledger.settle(ledger.reserve(key, PAID), PAID)


@contextmanager
def _no_queue(*_: object) -> Iterator[Callable[[], None]]:
    """In place of the queue: every writer asks SQLite at once."""
    yield lambda: None


def bare_sqlite(path: Path) -> Round:
    """Two inserts, each in a transaction of its own, without anything of ours."""
    made = sqlite3.connect(path, isolation_level=None, timeout=30)
    made.execute("PRAGMA synchronous=FULL")

    def one(key: str) -> None:
        for kind in ("reserve", "settle"):
            made.execute("BEGIN IMMEDIATE")
            made.execute("INSERT INTO bare VALUES (?)", (f"{key} {kind}",))
            made.execute("COMMIT")

    return one


def bare_server(url: str) -> Round:
    """The same at a server, under one lock."""
    import psycopg

    made = psycopg.connect(url)

    def one(key: str) -> None:
        for kind in ("reserve", "settle"):
            made.execute("SELECT pg_advisory_xact_lock(1)")
            made.execute("INSERT INTO bare VALUES (%s)", (f"{key} {kind}",))
            made.commit()

    return one


def spent(place: str | Path) -> Money:
    """Money that a ledger says is spent or held."""
    engine = open_database(place)
    balance = Ledger.open(engine, "s").balance()
    engine.dispose()
    return balance.spent + balance.held


def ledgers(race: Race, name: str, bare: Callable[[], Round], **places: str | Path) -> None:
    """Race for ledgers, and beside them in a bare database.

    Args:
        race: the race.
        name: of the kind of database.
        bare: makes a round in a bare database.
        places: a new database for each kind of wait: "ledger" and, on SQLite, "own_wait".
    """
    report(name, "bare database", "", race.run(f"{name}-bare", bare))
    for title, place in places.items():
        made = open_database(place)
        Ledger.open(made, "s", race.cap)
        made.dispose()
        queued = title == "ledger"
        raced = race.run(f"{name}-{title}", lambda p=place, q=queued: ledger_round(p, q))
        beyond = f" {over(spent(place), race.cap)} over the cap;"
        report(name, title.replace("_", " "), beyond, raced)


def report(name: str, title: str, beyond: str, raced: tuple[list[float], int, float]) -> None:
    """Print what a race gave."""
    took, gave_up, seconds = raced
    p50, p99 = np.percentile(took, [50, 99])
    print(
        f"{name:10} {title:13}:{beyond} {gave_up} gave up; a round p50 {1000 * p50:.1f} ms, "
        f"p99 {1000 * p99:.1f} ms (ratio {p99 / p50:.1f}), max {max(took):.3f} s; "
        f"{len(took)} rounds in {seconds:.1f} s",
        flush=True,
    )


def over(paid: Money, cap: Money) -> str:
    """Dollars beyond a cap, to the micro-dollar."""
    return f"${max(paid.micros - cap.micros, 0) / 1e6:.6f}"


def optuna_callbacks(race: Race, url: str) -> None:
    """The usual way: a callback sums what the trials cost, and stops the study at the cap."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(storage=url, study_name="s")

    def make() -> Round:
        study = optuna.load_study(study_name="s", storage=url)
        stopped: list[str] = []

        def buy(trial: optuna.Trial) -> float:
            trial.set_user_attr("paid", PAID.micros)  # bought: as if at a market
            return trial.suggest_float("x", 0, 1)

        def stop(study: optuna.Study, _: object) -> None:
            if _paid(study) >= race.cap.micros:
                study.stop()
                stopped.append("")

        def one(_: str) -> None:
            if stopped:
                raise BudgetExceeded(str(PAID), "0")
            study.optimize(buy, n_trials=1, callbacks=[stop])

        return one

    took, _, seconds = race.run("optuna", make)
    paid = Money(_paid(optuna.load_study(study_name="s", storage=url)))
    print(
        f"Optuna callbacks: {over(paid, race.cap)} over the cap of {race.cap}, "
        f"{(paid.micros - race.cap.micros) // PAID.micros} trials; "
        f"{len(took)} rounds in {seconds:.1f} s",
        flush=True,
    )


def _paid(study: object) -> int:
    return sum(t.user_attrs.get("paid", 0) for t in study.get_trials(deepcopy=False))  # type: ignore[attr-defined]


def main() -> None:
    """Race in each database, and print what was spent and waited."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--optuna-rounds", type=int, default=20, help="a round takes long")
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as work:
        folder = Path(work)
        race = Race(folder, given.processes, given.rounds)
        bare = sqlite3.connect(folder / "bare.sqlite")
        bare.execute("PRAGMA journal_mode=WAL")
        bare.execute("CREATE TABLE bare (key TEXT)")
        bare.close()
        ledgers(
            race,
            "SQLite",
            lambda: bare_sqlite(folder / "bare.sqlite"),
            own_wait=folder / "own.sqlite",
            ledger=folder / "study.sqlite",
        )
        if why := missing():
            print(f"PostgreSQL is left out: {why}")
            return
        folder.chmod(0o711)
        server = Server(folder / "server", durable=True)
        try:
            server.run("CREATE TABLE bare (key TEXT)")
            ledgers(race, "PostgreSQL", lambda: bare_server(server.url()), ledger=server.fresh())
            few = Race(folder, given.processes, given.optuna_rounds)
            optuna_callbacks(few, server.fresh().replace("postgresql:", "postgresql+psycopg:"))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
