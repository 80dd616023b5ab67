"""Killed with SIGKILL while it buys on Toloka, a process started again buys nothing twice.

The platform is the local server in a process of its own, which outlives the buyers. After a kill
every open pool has an expiry; the next start leaves none open that nobody watches; at the end the
ledger, the store and the server's account agree to the micro-dollar. Before and after each next
start the token is looked for in everything written, tracebacks included, and in command lines.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from budget.database import open_database
from budget.ledger import Ledger
from budget.money import ZERO, Money
from labeling.store import Store
from labeling.toloka import source
from labeling.toloka.api.client import Api, connect, kit
from labeling.toloka.api.clock import PlatformClock
from labeling.toloka.api.intents import IntentLog
from labeling.toloka.api.token import Token
from labeling.types import Order
from tests import canary
from tests.faults.steps import watch
from tests.forks import RandomKills, cpu_seconds, forked
from tests.labeling.toloka.ground import CANARY, Ground

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

RUNS = int(os.environ.get("FAULT_RUNS", "10"))
IN_A_ROW = 4
PLANS = ((8, 1), (12, 2))  # tasks and overlap: two tranches of one condition
DURABLE: list[tuple[object, str]] = [
    (IntentLog, "write"),
    (Api, "write"),
    (Ledger, "reserve"),
    (Ledger, "settle"),
    (Store, "order_for"),
    (Store, "add"),
]
DEEDS = (  # what is written before and after, by its name in the journal
    *("project", "skill", "exam pool", "pool", "tasks", "prepare", "open", "opened"),
    *("close", "shut", "end"),
)


def ground(folder: Path) -> Ground:
    """A small campaign with an exam and bans."""
    return Ground(folder, tasks=12, controls=16, seed=5)


def call(url: str, method: str, path: str, body: Any = None) -> Any:
    """Ask the server itself."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        headers = {"Authorization": f"OAuth {CANARY}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return json.load(connection.getresponse())
    finally:
        connection.close()


def in_child(work: Callable[[], None], log: Path = Path(os.devnull)) -> int:
    """Do some work in a child, whose log and tracebacks go to a file."""

    def logged() -> None:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, force=True)
        work()

    return forked(logged, log)


def ended(child: int) -> int:
    """The child's exit status: 0, or minus the signal that killed it."""
    return canary.ended(child, CANARY)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A server of its own process: a request of a killed buyer cannot reach the next one's."""
    kit()  # so that the children find it imported
    told = folder / "url"

    def serve() -> None:
        (folder / "part").write_text(ground(folder).serve().url)
        (folder / "part").rename(told)
        signal.pause()

    folder.mkdir(exist_ok=True)
    child = in_child(serve)
    while not told.exists():
        time.sleep(0.01)
    try:
        yield told.read_text()
    finally:
        os.kill(child, signal.SIGKILL)
        ended(child)


def market_at(url: str, folder: Path) -> source.TolokaSource:
    """The market as a new process opens it."""
    on = ground(folder)
    token = Token(CANARY)
    return on.market(connect(token, url, PlatformClock(url, token), 10.0))


def study(url: str, folder: Path) -> None:
    """Buy two tranches as a study does: an order, its hold, the purchase, its settlement."""
    on, market = ground(folder), market_at(url, folder)
    engine = open_database(folder / "study.sqlite")
    ledger, store = Ledger.open(engine, "study", Money(50_000_000)), Store(engine, "study")
    condition = on.order(exam=True).condition
    market.sweep({order.key for order in store.unfinished()})
    for hold in ledger.open_holds():
        record = store.record(hold.key)
        if record is not None and record.end is not None:
            ledger.settle(hold, store.paid(record.order, on.tariff))
    for tasks, overlap in PLANS:
        while True:
            order = store.order_for(condition, list(range(tasks)), overlap, Fraction(1), None)
            if order is None:
                break
            purchase(order, market, store, ledger)
    market.close()
    engine.dispose()


def purchase(order: Order, market: source.TolokaSource, store: Store, ledger: Ledger) -> None:
    """Hold, place, collect, settle."""
    hold = ledger.reserve(order.key, market.tariff.cost(order.limit, order.condition.reward))
    for page in market.collect(market.place(order)):
        store.add(order, page)
    ledger.settle(hold, store.paid(order, market.tariff))


def watch_steps(act: Callable[[int, str, str], object]) -> None:
    """Call act(number, deed, "before" | "after") around every durable step, in this process."""

    def deed(owner: object, name: str, args: tuple[Any, ...]) -> str:
        return str(args[1]) if owner is IntentLog else ("act" if owner is Api else name)

    watch(DURABLE, act, deed)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], float]:
    """Names of the durable steps of a study that nothing happens to, and its CPU seconds."""
    folder = tmp_path_factory.mktemp("undisturbed")
    log = folder / "log"
    with server(folder) as url:

        def work() -> None:
            with log.open("w") as file:
                watch_steps(lambda _, name, when: when == "before" and file.write(name + "\n"))
                study(url, folder)

        seconds = cpu_seconds(in_child(work))
        check_books(url, folder)
    return log.read_text().splitlines(), seconds


def check_killed(url: str, folder: Path) -> None:
    """Whatever is open closes by itself; what lies on disk is all that was known."""
    canary.check(CANARY, folder)
    pools = call(url, "GET", "/api/v1/pools?limit=300")["items"]
    open_pools = call(url, "GET", "/sim/counts")["open_pools"]
    assert all(pool["will_expire"] for pool in pools if pool["id"] in open_pools)


def check_books(url: str, folder: Path) -> None:
    """Nothing is open; account, ledger and store agree; nothing was made or bought twice."""
    counts, account = call(url, "GET", "/sim/counts"), call(url, "GET", "/sim/account")
    assert counts["open_pools"] == []
    assert counts["created"]["projects"] == 1
    assert counts["created"]["skills"] == 2
    assert counts["created"]["pools"] == 2
    assert counts["created"]["tasks"] == 12 + 16
    engine = open_database(folder / "study.sqlite")
    ledger, store = Ledger.open(engine, "study"), Store(engine, "study")
    records = store.all_orders()
    assert all(record.end is not None for record in records)
    assert ledger.open_holds() == ()
    assert ledger.balance().spent.micros == account["charged"]
    paid = sum((store.paid(r.order, ground(folder).tariff) for r in records), ZERO)
    assert paid == ledger.balance().spent
    # Exam suites are unpaid: what is paid is what is stored.
    entries = [entry for entry in account["entries"] if entry["reward"]]
    assert len(entries) == sum(record.assignments for record in records)
    assert all(r.assignments <= r.order.limit for r in records)
    engine.dispose()
    canary.check(CANARY, folder)


def start_again(url: str, folder: Path, watch_nothing: bool) -> None:
    """What the next start does; first of all it leaves no pool open that it does not watch."""
    check_killed(url, folder)
    if watch_nothing:

        def sweep() -> None:
            market_at(url, folder).sweep()

        assert ended(in_child(sweep, folder / "log.txt")) == 0
        assert call(url, "GET", "/sim/counts")["open_pools"] == []
    log = folder / "log.txt"
    status = ended(in_child(lambda: study(url, folder), log))
    assert status == 0, log.read_text()
    check_books(url, folder)


def kill_at(number: int, when: str, url: str, folder: Path) -> int:
    def act(step: int, name: str, moment: str) -> None:
        if step == number and moment == when:
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        watch_steps(act)
        study(url, folder)

    return ended(in_child(work, folder / "log.txt"))


@pytest.mark.parametrize("deed", [*DEEDS, "act", "reserve", "settle", "order_for", "add"])
def test_killed_around_each_kind_of_durable_step(
    deed: str,
    undisturbed: tuple[list[str], float],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    places = [number for number, name in enumerate(undisturbed[0]) if name == deed]
    assert places, f"{deed} never happens"
    chosen = places if RUNS >= 100 else [random.Random(deed).choice(places)]
    killed = 0
    for at, number in enumerate(chosen):
        when = ("before", "after")[(len(deed) + at) % 2]
        moments = ("before", "after") if RUNS >= 100 else (when,)
        for moment in moments:
            folder = tmp_path / f"{number}-{moment}"
            with server(folder) as url:
                assert kill_at(number, moment, url, folder) == -signal.SIGKILL
                start_again(url, folder, watch_nothing=number % 2 == 0)
        killed += len(moments)
    record_property("kills of buyers at steps", killed)


def test_killed_at_random_moments_in_a_row(
    undisturbed: tuple[list[str], float],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    kills = RandomKills(random.Random(7), undisturbed[1] / 2)
    while kills.killed < RUNS:
        folder = tmp_path / str(kills.killed)
        with server(folder) as url:
            work = partial(study, url, folder)
            kills.in_a_row(partial(in_child, work, folder / "log.txt"), IN_A_ROW)
            start_again(url, folder, watch_nothing=kills.killed % 2 == 0)
    record_property("kills of buyers at random moments", kills.killed)
