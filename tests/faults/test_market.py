"""Stops and crashes while pools are open: nothing stays open, nothing is paid twice or forgotten.

The token is looked for after every run: in logs with their tracebacks, reports, journals, databases
with their WAL, ClearML's records, and in all command lines while the run goes on.

A platform that outlives the study is bought from as Toloka is: `--market toloka`, by children that
are forked from a parent that has imported everything. FAULT_RUNS sets how many moments are tried.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import alembic.config
import alembic.migration
import clearml
import matplotlib.pyplot
import optuna
import pytest
import rich.console
import torch

import hpo.study.study
import hpo.trial.evaluate
from budget.ledger import Ledger
from hpo.cli import main as command
from hpo.tracking.clearml.mirror import publish
from labeling.crowd.scenario import load_scenario
from labeling.store import Store
from labeling.toloka import source
from labeling.toloka.api import client
from labeling.toloka.api.intents import IntentLog
from labeling.toloka.pools import assignment_updates, collect, prepare, upload
from labeling.toloka.server import Server, Settings
from labeling.toloka.server.model.clock import START
from tests import canary, oracle
from tests.clearml_server.server import StandIn
from tests.conftest import SMALL
from tests.drawn import FAULT_RUNS as RUNS
from tests.faults.steps import watch
from tests.forks import ended, forked
from tests.heads import quick
from training import evaluate, features, fit

# Named so that the children find them imported.
PRELOADED = (torch, alembic.config, alembic.migration, evaluate, features, fit, optuna)
PRELOADED += (
    matplotlib.pyplot,
    rich.console,
    hpo.study.study,
    collect,
    prepare,
    source,
    client.kit(),
)
PRELOADED += (clearml, publish)
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

CANARY = f"canary-token-{uuid.uuid4().hex}"  # outside of git, ClearML uploads this very file
CAP = 600_000
STEPS: list[tuple[object, str]] = [
    (Ledger, "open"),
    (Ledger, "reserve"),
    (Ledger, "settle"),
    (Store, "order_for"),
    (Store, "add"),
    (IntentLog, "write"),
    (client.Api, "write"),
    (upload, "upload"),
    (optuna.Study, "ask"),
    (optuna.Study, "tell"),
]


@dataclass
class Ground:
    """A platform that goes on when a study ends, and the folder of the studies.

    Attributes:
        mirror: a ClearML server that studies report to; None for none.
        archive: whether studies are declared over.
    """

    server: Server
    data: str
    root: Path
    mirror: StandIn | None = None
    archive: bool = True

    def settings(self, name: str) -> dict[str, object]:
        settings = {**SMALL, "budget": "0.6", "confirm": "0", "trials": 2, "tasks": "20%,50%"}
        settings |= {"controls": "1", "overlap": "1,2", "data": self.data, "study": name}
        settings |= {"market": "toloka", "image_url_prefix": "https://example.org/"}
        return settings | {"max_plan_share": "0.9"}

    def words(self, name: str) -> list[str]:
        settings = {**self.settings(name), "runs": str(self.root)}
        settings["clearml"] = "on" if self.mirror else "off"
        flags = [
            f"--{key.replace('_', '-')}={value}"
            for key, value in settings.items()
            if value is not True
        ]
        ends = ["--archive"] if self.archive else []
        return [*flags, *ends, "--few-labels-ok", "--yes", "--json", "full"]

    def start(
        self,
        name: str,
        first: Callable[[], None] = lambda: None,
        words: Sequence[str] | None = None,
        script: Callable[[], object] | None = None,
    ) -> int:
        """A command, or a script, in a child process, which does something of its own before."""
        child = os.fork()
        if child:
            return child
        code: object = 99
        try:
            with (self.root / f"{name}.log").open("ab") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            os.environ |= {"LABELWORTH_TOLOKA_URL": self.server.url, "TOLOKA_TOKEN": CANARY}
            os.environ |= self.mirror.settings() if self.mirror else {}
            quick()
            first()
            code = 0
            if script is not None:
                script()
            else:
                code = command.main(self.words(name) if words is None else words)
        except SystemExit as end:
            code = end.code
        except BaseException:
            code = 99
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(str(code)))

    def ended(self, child: int, name: str) -> int:
        """Wait for a command's end, and see that the token is nowhere."""
        status = canary.ended(child, CANARY)
        canary.check(CANARY, self.root / name, self.records())
        assert CANARY not in self.log(name)
        return status

    def run(self, name: str, *first: Callable[[], None], **how: Any) -> int:
        """A command from its start to its end."""
        return self.ended(self.start(name, *first, **how), name)

    def say(self, *words: str) -> tuple[int, str]:
        """Another command: its exit code and what it said."""
        file = self.root / "said.log"
        file.unlink(missing_ok=True)
        return self.run("said", words=words), file.read_text()

    def finish(self, name: str, live: bool = False) -> dict[str, Any]:
        """Start the study again, undisturbed, and see that everything agrees.

        Args:
            name: the study.
            live: ClearML is told meanwhile, too, and not only afterwards.
        """
        ground = self if live else replace(self, mirror=None)
        assert ground.run(name) == 0, self.log(name)
        assert self.open_pools() == []
        if self.archive:
            assert {pool.status for pool in self.pools()} == {"ARCHIVED"}
        report = json.loads((self.root / name / "report.json").read_text())
        self.check_money(name)
        assert report["money"]["held"]["micros"] == 0
        assert len(report["purchases"]) == 2
        if self.mirror:
            self.publish(name)
        return report

    def publish(self, name: str) -> None:
        """Complete the mirror, and see that it has the study and not the token."""
        assert self.mirror is not None
        code, said = self.say("publish", str(self.root / name))
        assert code == 0, said
        assert re.search(r"([1-9]) of \1 label sets are there", said), said
        canary.check(CANARY, self.root, self.records())

    def records(self) -> list[object]:
        """All that a ClearML server was told."""
        return [*self.mirror.log, *self.mirror.files.values()] if self.mirror else []

    def check_money(self, name: str) -> None:
        """Spent never over the cap; what is settled is what the platform charged."""
        folder = self.root / name
        spent, held = oracle.settled(folder), oracle.held(folder)
        assert oracle.paid_twice(folder) == 0
        assert spent <= self.charged() <= spent + held <= CAP
        if not held:
            assert spent == self.charged()

    def charged(self) -> int:
        with self.server.platform.lock:
            return self.server.platform.world.account.charged.micros

    def pools(self) -> list[Any]:
        with self.server.platform.lock:
            return list(self.server.platform.world.pools.values())

    def open_pools(self) -> list[Any]:
        return [pool for pool in self.pools() if pool.is_open]

    def log(self, name: str) -> str:
        file = self.root / f"{name}.log"
        return file.read_text() if file.exists() else ""  # killed before it said anything


@pytest.fixture(scope="module")
def platform() -> Iterator[Server]:
    server = Server(Settings(load_scenario("default")))
    server.start()
    yield server
    server.close()


@pytest.fixture
def ground(platform: Server, more_data: str, tmp_path: Path) -> Ground:
    platform.reset(Settings(load_scenario("default")))
    return Ground(platform, more_data, tmp_path)


@pytest.fixture(scope="module")
def stand_in_clearml() -> Iterator[StandIn]:
    server = StandIn()
    yield server
    server.stop()


@pytest.fixture
def mirrored(ground: Ground, stand_in_clearml: StandIn) -> Ground:
    """Studies report to ClearML while they run."""
    stand_in_clearml.reset()
    return replace(ground, mirror=stand_in_clearml)


def at_poll(number: int, act: Callable[[], None]) -> Callable[[], None]:
    """Do something at a certain look at the market for news, in the child."""

    def prepare_child() -> None:
        inner, seen = assignment_updates.AssignmentUpdates.poll, [0]

        def poll(self: assignment_updates.AssignmentUpdates) -> bool:
            seen[0] += 1
            if seen[0] == number:
                act()
            return inner(self)

        assignment_updates.AssignmentUpdates.poll = poll  # type: ignore[method-assign]

    return prepare_child


def send(*numbers: int) -> Callable[[], None]:
    def act() -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    return act


@pytest.mark.slow
def test_a_normal_end_leaves_nothing_open_and_the_token_nowhere(mirrored: Ground) -> None:
    report = mirrored.finish("s", live=True)
    assert report["market"] == {"name": "toloka:production", "kind": "toloka", "real_money": True}
    assert "REAL MONEY on Toloka PRODUCTION" in mirrored.log("s")
    assert "This buys at most $0.60 on Toloka at http://127.0.0.1" in mirrored.log("s")
    for words in (["status"], ["ledger", "--csv"], ["ledger", "--beancount"], ["report"]):
        said = mirrored.root / f"{'-'.join(words)}.out"
        assert ended(forked(partial(command.main, [*words, str(mirrored.root / "s")]), said)) == 0
        assert said.read_text()
    assert "settled" in (mirrored.root / "s/log.jsonl").read_text()
    canary.check(CANARY, mirrored.root, mirrored.records())
    assert "labelworth/s" in repr(mirrored.records())
    # The search finds what there is to find.
    (mirrored.root / "s/journal.jsonl-wal").write_text(f"x{CANARY}x")
    assert len(canary.in_files(CANARY, mirrored.root)) == 1
    words = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", CANARY]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, **pipes) as child:  # it ends when its input does
        assert child.stdout is not None
        child.stdout.readline()  # it runs, so its command line can be read
        assert len(canary.in_command_lines(CANARY)) == 1


@pytest.mark.slow
def test_an_exception_closes_the_pools(mirrored: Ground) -> None:
    def fail() -> None:
        raise RuntimeError("a bug in the middle")

    assert mirrored.run("s", at_poll(4, fail)) == 99
    assert mirrored.open_pools() == []
    assert "a bug in the middle" in mirrored.log("s")
    mirrored.finish("s")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_once_finishes_what_annotators_hold_and_settles(
    number: signal.Signals, ground: Ground
) -> None:
    assert ground.run("s", at_poll(7, send(number))) == 128 + number
    assert ground.open_pools() == []
    assert "stopping: no more pages are given out" in ground.log("s")
    database = sqlite3.connect(ground.root / "s/labelworth.sqlite")
    ends = database.execute("SELECT end_reason FROM orders").fetchall()
    held = database.execute("SELECT count(*) FROM ledger_rows WHERE kind = 'reserve'").fetchone()
    settled = database.execute("SELECT count(*) FROM ledger_rows WHERE kind = 'settle'").fetchone()
    database.close()
    assert ends == [("complete",), ("stopped",)]  # the first order is one page
    assert held == settled == (2,)
    ground.check_money("s")
    report = ground.finish("s")  # what the stopped order lacks was bought by another
    assert report["purchases"][0]["plan"]["tasks"] <= report["purchases"][0]["labelled_images"] + 5


def test_twice_closes_now_and_the_hold_stays(ground: Ground) -> None:
    twice = at_poll(4, send(signal.SIGINT, signal.SIGINT))
    assert ground.run("s", twice) == 130
    assert ground.open_pools() == []
    ground.check_money("s")
    ground.finish("s")


def init_clearml() -> None:
    """What a user's script does that is to be seen in ClearML."""
    task = clearml.Task.init(project_name="theirs", task_name="their script")
    assert signal.getsignal(signal.SIGTERM).__qualname__ == "ExitHooks.signal_handler"
    assert task.id


def clearml_before() -> None:
    init_clearml()
    at_poll(4, send(signal.SIGTERM))()


def clearml_while_a_pool_is_open() -> None:
    at_poll(4, send(signal.SIGTERM))()
    at_poll(2, init_clearml)()


def clearml_at_that_very_moment() -> None:
    def act() -> None:
        init_clearml()
        send(signal.SIGTERM)()

    at_poll(4, act)()


@pytest.mark.slow
@pytest.mark.parametrize(
    "first", [clearml_before, clearml_while_a_pool_is_open, clearml_at_that_very_moment]
)
def test_sigterm_with_clearml_loaded(first: Callable[[], None], mirrored: Ground) -> None:
    assert mirrored.run("s", first) == 143, mirrored.log("s")
    assert mirrored.open_pools() == []
    if first is not clearml_at_that_very_moment:  # ClearML passes the signal on twice: close now
        assert "stopping: no more pages are given out" in mirrored.log("s")
    assert "their script" in repr(mirrored.records())
    mirrored.finish("s")


def script(ground: Ground, name: str) -> Callable[[], None]:
    """A study from Python, by somebody who never closes it."""

    def run() -> None:
        from hpo import Study

        Study(runs=ground.root, **ground.settings(name)).run(real_money=True, archive=True)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_script_with_clearml_in_it_leaves_no_pool_open_either(
    number: signal.Signals, mirrored: Ground
) -> None:
    def first() -> None:
        init_clearml()
        at_poll(4, send(number))()

    code = mirrored.run("s", first, script=script(mirrored, "s"))
    assert code == (143 if number == signal.SIGTERM else 99), mirrored.log("s")
    assert ("KeyboardInterrupt" in mirrored.log("s")) == (number == signal.SIGINT)
    assert mirrored.open_pools() == []
    mirrored.check_money("s")
    assert mirrored.run("s", script=script(mirrored, "s")) == 0
    assert {pool.status for pool in mirrored.pools()} == {"ARCHIVED"}
    mirrored.finish("s")


@pytest.mark.slow
def test_a_script_that_fails_leaves_no_pool_open(ground: Ground) -> None:
    def fail() -> None:
        raise RuntimeError("a bug in the middle")

    assert ground.run("s", at_poll(4, fail), script=script(ground, "s")) == 99
    assert "a bug in the middle" in ground.log("s")
    assert ground.open_pools() == []
    ground.finish("s")


def check_after_kill(ground: Ground, name: str) -> None:
    """Every open pool closes by itself; the next start leaves none and all money agrees."""
    now = START.timestamp() + ground.server.platform.world.now / 1000
    for pool in ground.open_pools():
        expires = datetime.fromisoformat(pool.doc["will_expire"]).replace(tzinfo=UTC)
        assert 0 < expires.timestamp() - now <= 7 * 24 * 3600 + 1
    ground.finish(name)


@pytest.mark.slow
def test_killed_at_random_moments(ground: Ground, stand_in_clearml: StandIn) -> None:
    """Every fifth study reports to ClearML while it runs; the others are published afterwards."""
    moments = random.Random(int(os.environ.get("FAULT_SEED", "3")))
    begun = time.monotonic()
    ground.finish("whole")
    seconds = time.monotonic() - begun
    killed = 0
    for run in range(max(1, RUNS // 2)):
        ground.server.reset(Settings(load_scenario("default"), seed=run))
        stand_in_clearml.reset()
        ground.mirror = stand_in_clearml if run % 5 == 0 else None
        child = ground.start(f"s{run}")
        time.sleep(moments.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        killed += ground.ended(child, f"s{run}") == -signal.SIGKILL
        check_after_kill(ground, f"s{run}")
        if not ground.mirror:
            replace(ground, mirror=stand_in_clearml).publish(f"s{run}")
    assert killed  # how many depends on how busy this machine is


def kill_at(number: int, when: str) -> Callable[[], None]:
    def prepare_child() -> None:
        watch(STEPS, lambda step, name, moment: (step, moment) == (number, when) and send(9)())

    return prepare_child


@pytest.mark.slow
def test_killed_around_durable_steps(ground: Ground) -> None:
    log = ground.root / "steps"

    def note() -> None:
        file = log.open("a")
        watch(STEPS, lambda _, name, when: when == "before" and print(name, file=file, flush=True))

    assert ground.run("whole", note) == 0
    steps = log.read_text().split()
    places = [(number, when) for number in range(len(steps)) for when in ("before", "after")]
    if RUNS < 100:
        places = random.Random(7).sample(places, max(1, RUNS // 2))
    for run, (number, when) in enumerate(places):
        ground.server.reset(Settings(load_scenario("default"), seed=0))
        name = f"k{run}"
        assert ground.run(name, kill_at(number, when)) == -signal.SIGKILL
        check_after_kill(ground, name)


@pytest.mark.slow
def test_reconcile_shows_what_a_kill_left_and_mends_it(ground: Ground) -> None:
    ground.archive = False
    folder = str(ground.root / "s")
    assert ground.run("s", at_poll(9, send(signal.SIGKILL))) == -signal.SIGKILL
    (pool,) = ground.open_pools()
    code, said = ground.say("reconcile", folder)
    assert code == 5
    assert f"pool {pool.id} is open for order" in said
    assert "--mend would close it" in said
    assert ground.open_pools() == [pool]  # it only looked
    code, said = ground.say("reconcile", folder, "--mend")
    assert "mended (close)" in said
    assert ground.open_pools() == []
    report = ground.finish("s")
    code, said = ground.say("reconcile", folder, "--archive")
    assert (code, "The books and the market agree." in said) == (0, True)
    assert "archived pools: 3" in said
    assert report["money"]["spent"]["micros"] == ground.charged()
    # What is archived cannot be opened again: a later purchase makes a pool of its own.
    plan = report["purchases"][-1]["plan"]["key"].replace("-k1-", "-k3-").replace("-k2-", "-k3-")
    words = ("buy", folder, "--plan", plan, "--budget", "2", "--yes", "--json", "--archive")
    code, said = ground.say(*words)
    assert code == 0, said
    assert "Pools of this study are archived" in said[: said.index("buying")]
    assert "Archived 1 pool: the study is over." in said
    assert {pool.status for pool in ground.pools()} == {"ARCHIVED"}
    bought = json.loads(said[said.index("\n{") :])
    spent = report["money"]["spent"]["micros"] + bought["money"]["spent"]["micros"]
    assert spent == ground.charged()


@pytest.mark.slow
def test_reconcile_gives_back_the_hold_of_an_order_that_was_never_placed(ground: Ground) -> None:
    def kill_after_hold() -> None:
        inner = Ledger.reserve

        def reserve(self: Ledger, key: str, amount: Any, note: str = "") -> Any:
            inner(self, key, amount, note)
            os.kill(os.getpid(), signal.SIGKILL)

        Ledger.reserve = reserve  # type: ignore[method-assign]

    folder = str(ground.root / "s")
    assert ground.run("s", kill_after_hold) == -signal.SIGKILL
    code, said = ground.say("reconcile", folder)
    assert "and nothing was bought for it yet: start the study again to go on" in said
    code, said = ground.say("reconcile", folder, "--mend", "--json")
    assert code == 0
    code, said = ground.say("reconcile", folder)
    assert (code, "held $0.00" in said) == (0, True)
    ground.finish("s")
