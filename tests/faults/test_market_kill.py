"""Killed with SIGKILL while it buys on Toloka, a process started again buys nothing twice.

The platform is the local server in a process of its own, which outlives the buyers. After a kill
every open pool has an expiry; the next start leaves none open that nobody watches; at the end the
ledger, the store and the server's account agree to the micro-dollar. Before and after each next
start the token is looked for in everything written, tracebacks included, and in command lines.

A study is killed several times in a row. Half of FAULT_RUNS random moments are tried; from 100 runs
on, processes die before and after every step, and not around one of each kind.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
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
from tests.faults.chains import Moment, kill_at, kill_at_all, moments_of, of_each_kind
from tests.faults.studies import RUNS, chance
from tests.forks import RandomKills, forked
from tests.labeling.toloka.ground import CANARY, Ground

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

IN_A_ROW = 5
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


def logged_study(url: str, folder: Path) -> None:
    """The same with a log, in which the token is looked for."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, force=True)
    study(url, folder)


def kind_of(moment: Moment) -> str:
    """A step's name, or what the journal is told; requests that change something are "write"."""
    return moment.subject if moment.subject in DEEDS else moment.step


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Moment], float]:
    """The durable moments of a study that nothing happens to, and its CPU seconds."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with server(folder) as url:
        told = moments_of(DURABLE, partial(study, url, folder), folder / "log")
        check_books(url, folder)
    return told


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


def sweep_nothing(url: str, folder: Path) -> None:
    """A start first of all leaves no pool open that it does not watch."""

    def sweep() -> None:
        market_at(url, folder).sweep()

    assert ended(in_child(sweep, folder / "log.txt")) == 0
    assert call(url, "GET", "/sim/counts")["open_pools"] == []


def start_again(url: str, folder: Path, watch_nothing: bool) -> None:
    """What the next start does."""
    check_killed(url, folder)
    if watch_nothing:
        sweep_nothing(url, folder)
    log = folder / "log.txt"
    status = ended(in_child(lambda: study(url, folder), log))
    assert status == 0, log.read_text()
    check_books(url, folder)


@pytest.mark.slow
def test_killed_around_each_kind_of_durable_step(
    undisturbed: tuple[list[Moment], float],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    moments, draw = undisturbed[0], chance("market steps")
    names = {name for _, name in DURABLE}
    assert {kind_of(moment) for moment in moments} == {*DEEDS, *names}
    # The intent and the deed of the first; a process that goes on counts anew.
    first = [moment for moment in moments if moment.number < 2]
    left = moments if RUNS >= 100 else of_each_kind(first, draw, kind_of)

    def chain(at: Sequence[Moment]) -> list[Moment]:
        folder = tmp_path / "market"
        with server(folder) as url:

            def look() -> None:
                check_killed(url, folder)
                if draw.random() < 0.5:
                    sweep_nothing(url, folder)

            work = partial(logged_study, url, folder)
            died = kill_at(at, DURABLE, work, folder / "log", look)
            check_books(url, folder)
        shutil.rmtree(folder)
        return died

    record_property("kills of buyers at steps", kill_at_all(left, draw, chain))


@pytest.mark.drawn
def test_killed_at_random_moments_in_a_row(
    undisturbed: tuple[list[Moment], float],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    kills = RandomKills(chance("market"), undisturbed[1] / 3)
    while kills.killed < RUNS / 2:
        folder = tmp_path / str(kills.killed)
        with server(folder) as url:
            work = partial(study, url, folder)
            kills.in_a_row(partial(in_child, work, folder / "log.txt"), IN_A_ROW)
            start_again(url, folder, watch_nothing=kills.killed % 2 == 0)
    record_property("kills of buyers at random moments", kills.killed)
