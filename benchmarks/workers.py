"""Several workers on one study at a PostgreSQL server, beside one worker alone.

    python -m benchmarks.workers [--wait 15] [--workers 4] [--purchases 12] [--kills 20]
        [--races 200] [--seeds 20] [--first 0] [--scenario default] [--redraws 4,5]
        [--parts speed,kills,races,regret]

The script starts a server on loopback. Its parts:

speed: evaluated plans a minute, from the first trial's start to the last one's end, of one worker
    and of several. A market that keeps a purchase waiting for some seconds; heads take no time.
kills: workers of one study are killed with SIGKILL at random moments and started again. Prints
    keys that the ledger holds twice, orders beyond one a tranche, and dollars over the cap: each
    must be 0.
races: processes ask at the same time for the next order of the same condition; counts conditions
    with more than one order.
regret: what parallel asking costs, without waiting: a search with one trial in hand at a time and
    one with several, on measured tables (`benchmarks.search` says how a gap is computed). Prints
    both mean gaps in points, and the mean of their paired difference with its standard error.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._surface import Surface
from benchmarks.search import Lab, gaps
from budget.database import open_database
from budget.ledger import Ledger
from budget.money import ZERO, Money
from hpo.settings.config import make_config
from hpo.study.study import Study
from hpo.trial import purchase
from labeling.store import Store
from labeling.types import Condition, LabelPlan, Order
from tests.conftest import digits_file
from tests.forks import ended, forked
from tests.heads import FixedHeads
from tests.postgres import Server, on_loopback

SPACE: dict[str, object] = {
    "few_labels_ok": True,
    "goal": "plan",
    "price": "0.001,0.0015,0.002,0.004",
    "overlap": "1,2,3",
    "controls": "0,1",
    "tasks": "20%,50%,100%",
    "exam": "off",
    "confirm": "0",
}


def work(url: str, folder: Path, data: str, name: str, wait_s: float, **more: object) -> None:
    """Search as one worker, with purchases that take some seconds."""
    bought = purchase.purchase

    def slowly(order: Order, world: object) -> None:
        time.sleep(wait_s)
        bought(order, world)  # type: ignore[arg-type]

    purchase.purchase = slowly
    settings = {**SPACE, "data": data, "study": name, "storage": url, **more}
    study = Study(runs=folder, trainer=FixedHeads(), **settings)
    study.run()
    study.close()


def a_minute(url: str, folder: Path, data: str, workers: int, given: argparse.Namespace) -> float:
    """Evaluated plans a minute of some workers."""
    name = f"speed-{workers}"
    settings = {"trials": given.purchases, "budget": "3"}

    def one(number: int) -> Callable[[], None]:
        place = folder / f"{name}-{number}"
        return lambda: work(url, place, data, name, given.wait, **settings)

    children = [forked(one(number)) for number in range(workers)]
    assert [ended(child) for child in children] == [0] * workers
    study = Study(
        runs=folder / f"{name}-0",
        trainer=FixedHeads(),
        **{**SPACE, **settings, "data": data, "study": name, "storage": url},
    )
    trials = study.trials.complete()
    seconds = max(t.datetime_complete.timestamp() for t in trials) - min(
        t.datetime_start.timestamp() for t in trials
    )
    bought = len(study.trials.purchases())
    study.close()
    check_money(url, name)
    print(
        f"{workers} workers: {len(trials)} plans evaluated, {bought} bought, in {seconds:.0f} s: "
        f"{60 * len(trials) / seconds:.2f} a minute",
        flush=True,
    )
    return 60 * len(trials) / seconds


def speed(server: Server, folder: Path, data: str, given: argparse.Namespace) -> None:
    """Plans a minute of one and of several workers."""
    url = server.fresh()
    alone = a_minute(url, folder, data, 1, given)
    together = a_minute(url, folder, data, given.workers, given)
    print(f"{given.workers} workers evaluate {together / alone:.2f} x as many a minute", flush=True)


def check_money(url: str, name: str) -> tuple[int, int, Money]:
    """Keys that a ledger holds twice, orders beyond one a tranche, money over the cap."""
    engine = open_database(url)
    ledger, store = Ledger.open(engine, name), Store(engine, name)
    keys = Counter((entry.kind, entry.key) for entry in ledger.entries())
    places = Counter((r.order.condition.key, r.order.tranche) for r in store.all_orders())
    assert all(record.end is not None for record in store.all_orders())
    balance = ledger.balance()
    assert balance.held == ZERO
    engine.dispose()
    twice = sum(count - 1 for count in keys.values())
    doubled = sum(count - 1 for count in places.values())
    return twice, doubled, max(ZERO, balance.spent - balance.cap)


def kills(server: Server, folder: Path, data: str, given: argparse.Namespace) -> None:
    """Kill workers at random moments until some kills are done; the last ones end the studies."""
    rng, killed, twice, doubled, over = random.Random(7), 0, 0, 0, ZERO
    studies = 0
    while killed < given.kills:
        url, name = server.fresh(), f"kills-{studies}"
        studies += 1

        def one(number: int, url: str = url, name: str = name) -> Callable[[], None]:
            place = folder / f"{name}-{number}"
            settings = {"trials": 10, "budget": "2"}
            return lambda: work(url, place, data, name, 0.5, **settings)

        children = {number: forked(one(number)) for number in range(given.workers)}
        for _ in range(6):
            time.sleep(rng.uniform(0.5, 6))
            number = rng.choice(list(children))
            if killed < given.kills and _running(children[number]):
                os.kill(children[number], 9)
                ended(children[number])
                children[number] = forked(one(number))
                killed += 1
        assert [ended(child) for child in children.values()] == [0] * given.workers
        found = check_money(url, name)
        twice, doubled, over = twice + found[0], doubled + found[1], over + found[2]
        report = [folder / f"{name}-{n}" / name / "report.json" for n in children]
        assert len({path.read_bytes() for path in report}) == 1, "the workers' reports differ"
        print(f"{name}: {killed} killed so far", flush=True)
    print(
        f"{killed} workers killed in {studies} studies: {twice} keys held twice, {doubled} orders "
        f"doubled, {over} over the caps; all workers of a study gave the same report",
        flush=True,
    )


def _running(child: int) -> bool:
    """Whether a child has not ended; it is not waited for."""
    state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def races(server: Server, given: argparse.Namespace) -> None:
    """Processes ask for the next order of the same conditions."""
    url = server.fresh()
    first = open_database(url)
    Store(first, "s")
    first.dispose()
    conditions = [
        Condition("data", "simulated:test", "campaign", Money(1_000 + n), 1, 4, False)
        for n in range(given.races)
    ]

    def ask() -> None:
        engine = open_database(url)
        store = Store(engine, "s")
        for condition in conditions:
            store.order_for(condition, range(6), 2, Fraction(2, 5), None)
        engine.dispose()

    children = [forked(ask) for _ in range(6)]
    assert [ended(child) for child in children] == [0] * 6
    engine = open_database(url)
    orders = Counter(r.order.condition.key for r in Store(engine, "s").all_orders())
    engine.dispose()
    doubled = sum(count > 1 for count in orders.values())
    print(f"{len(orders)} races of 6 processes for an order: {doubled} doubled", flush=True)


def run_lab(surface: Surface, seed: int, workers: int) -> Lab:
    """Our search with some trials in hand at a time; the oldest ends first."""
    lab = Lab(surface, seed, surface.config.confirm_reserve)
    in_hand: list[LabelPlan] = []
    while True:
        plan = None
        if len(in_hand) < workers:
            plan = _decided(lab, in_hand)
        if plan is not None:
            in_hand.append(plan)
        elif in_hand:
            done = in_hand.pop(0)
            lab.buy(done)
            lab.reuse(done)
        else:
            break
    lab.polish()
    return lab


def _decided(lab: Lab, in_hand: list[LabelPlan]) -> LabelPlan | None:
    """The next plan, where those in hand count as bought, with their predicted mean."""
    from hpo.study.ask import MOST_UNTOLD, TrialInHand, guesses

    held = sum((lab.holdings.to_buy(plan).hold for plan in in_hand), ZERO)
    busy = frozenset(lab.holdings.condition(plan).key for plan in in_hand)
    running = [TrialInHand(n, plan, True) for n, plan in enumerate(in_hand)]
    guessed = guesses(running, lab.outcomes, lab.searcher)
    left = max(ZERO, lab.left - held).share(MOST_UNTOLD if in_hand else Fraction(1))
    return lab.searcher.decide([*lab.outcomes, *guessed], left, busy).plan


def regret(given: argparse.Namespace) -> None:
    """Gaps of searches with one and with several trials in hand."""
    config = make_config(
        {
            **{"price": "0.001,0.002,0.004", "overlap": "1,2,3,5", "controls": "0,1"},
            **{"exam": "off", "goal": "plan", "budget": "5", "study": "b"},
            "scenario": given.scenario,
        }
    )
    found: dict[int, list[float]] = {1: [], given.workers: []}
    draws, judged = map(int, given.redraws.split(","))
    with closing(Surface(given.scenario, config, draws, given.cache, judged)) as surface:
        for seed in range(given.first, given.first + given.seeds):
            for workers, kept in found.items():
                kept.append(gaps(run_lab(surface, seed, workers), "money")["shrunk"].mean())
    alone, together = (np.array(found[n]) for n in (1, given.workers))
    difference = together - alone
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    print(
        f"gap of one trial in hand {alone.mean():.2f} points, of {given.workers} "
        f"{together.mean():.2f}: difference {difference.mean():+.2f} (se {error:.2f}), "
        f"{given.seeds} seeds from {given.first} on, {given.scenario}",
        flush=True,
    )


def main() -> None:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--wait", type=float, default=15)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--purchases", type=int, default=12)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--races", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="regret: the first seed")
    parser.add_argument("--scenario", default="default", help="regret: of the surface")
    words = "regret: redraws of a condition that studies meet, and further ones that judge"
    parser.add_argument("--redraws", default="4,5", help=words)
    parser.add_argument("--cache", type=Path, default=Path(".labelworth/surfaces"))
    parser.add_argument("--parts", default="speed,kills,races,regret")
    given = parser.parse_args()
    parts = given.parts.split(",")
    if "regret" in parts:
        regret(given)
    if parts == ["regret"]:
        return
    with tempfile.TemporaryDirectory() as name, on_loopback() as server:
        folder = Path(name)
        data = digits_file(folder, 90)
        if "races" in parts:
            races(server, given)
        if "speed" in parts:
            speed(server, folder, data, given)
        if "kills" in parts:
            kills(server, folder, data, given)


if __name__ == "__main__":
    main()
