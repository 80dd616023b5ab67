"""Whole studies of several processes at a market with pools: one study, one platform, kills.

The platform outlives the processes, as Toloka does. They share the folder of runs; ledger, orders,
answers and trials lie in it, or at a PostgreSQL server. One process at a time is killed with
SIGKILL at a random moment; those that are left end the study. FAULT_RUNS sets how many studies are
tried; FAULT_SEED draws others.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from budget.database import open_database
from budget.ledger import Ledger
from budget.money import ZERO
from hpo.cli import main as command
from hpo.study.study import Study
from hpo.trial.purchase import mark_of
from labeling.crowd.scenario import load_scenario
from labeling.store import Store
from labeling.store.stored_pages import stored_page
from labeling.toloka.server import Server, Settings
from labeling.types import Assignment
from tests import canary
from tests.conftest import SMALL
from tests.faults.studies import RUNS, chance
from tests.forks import cpu_so_far, ended, forked
from tests.heads import FixedHeads, quick
from tests.labeling.toloka.ground import CANARY
from tests.postgres import PASSWORD

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

SEED = Settings(load_scenario("default"))
LOOK_S, LONGEST_S = 0.02, 300.0
SETTINGS = {**SMALL, "tasks": "20%,50%", "controls": "1", "overlap": "1,2", "study": "s"}
SETTINGS |= {"market": "toloka", "image_url_prefix": "https://example.org/", "budget": "0.6"}
GOALS: dict[str, dict[str, object]] = {
    "plan": {"confirm": "0.1", "trials": 2, "max_plan_share": "0.9"},
    "model": {"goal": "model", "learn": "30%"},
}


@pytest.fixture(scope="module")
def platform() -> Iterator[Server]:
    server = Server(SEED)
    server.start()
    yield server
    server.close()


@dataclass(frozen=True)
class Alone:
    """A study of one process that nothing happens to.

    Attributes:
        report: its report.
        seconds: its CPU seconds.
    """

    report: bytes
    seconds: float


@dataclass
class Team:
    """Processes that work on one study.

    Attributes:
        platform: where they buy.
        data: the images.
        root: where the folder of runs lies, and what the processes say.
        goal: of GOALS.
        url: the database; "" for files.
        alive: the processes by their numbers, with what each says.
    """

    platform: Server
    data: str
    root: Path
    goal: str
    url: str = ""
    alive: dict[int, Path] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return self.root / "runs/s"

    @property
    def environment(self) -> dict[str, str]:
        """Variables of each process."""
        names = {"LABELWORTH_TOLOKA_URL": self.platform.url, "TOLOKA_TOKEN": CANARY}
        return {**names, **({"LABELWORTH_STORAGE": self.url} if self.url else {})}

    def start(self) -> None:
        """One more process that does the whole study."""

        def work() -> None:
            settings = {**SETTINGS, **GOALS[self.goal], "data": self.data}
            settings["storage"] = self.url or "none"
            study = Study(runs=self.root / "runs", trainer=FixedHeads(), **settings)
            try:
                study.run(real_money=True)
            finally:
                study.close()

        said = self.root / f"said-{len(list(self.root.glob('said-*')))}"
        said.touch()
        self.alive[forked(work, said, environment=self.environment)] = said

    def kill(self, child: int) -> bool:
        """Kill a process; whether it was at work."""
        os.kill(child, signal.SIGKILL)
        return self.end(child) == -signal.SIGKILL

    def end(self, child: int) -> int:
        """Wait for a process; it must have ended well, or have been killed."""
        said = self.alive.pop(child)
        code = ended(child)
        assert code in (0, -signal.SIGKILL), said.read_text()[-3000:]
        return code

    def is_over(self) -> bool:
        """Whether a process has ended by itself: the study is at its end."""
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return any(os.waitid(os.P_PID, child, how) for child in self.alive)

    def cpu_seconds(self) -> float:
        """CPU seconds of all that are alive."""
        return sum(cpu_so_far(child) for child in self.alive)

    def work_for(self, seconds: float) -> bool:
        """Let them work for some CPU seconds in all; whether all are still at work then."""
        until = self.cpu_seconds() + seconds
        while not self.is_over() and self.cpu_seconds() < until:
            time.sleep(LOOK_S)
        return not self.is_over()

    def finish(self) -> None:
        """Wait for all; none may hang."""
        until = time.monotonic() + LONGEST_S
        while self.alive:
            for child in list(self.alive):
                if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    assert self.end(child) == 0
            assert time.monotonic() < until, [said.read_text() for said in self.alive.values()]
            time.sleep(LOOK_S)

    def say(self, *words: str) -> str:
        """What a command says of the study."""
        out = self.root / f"{words[0]}.out"
        out.unlink(missing_ok=True)

        def work() -> int:
            quick()
            return command.main([*words, str(self.folder)])

        assert ended(forked(work, out, environment=self.environment)) == 0, out.read_text()
        return out.read_text()

    def check(self) -> dict[str, Any]:
        """The cap holds; account, ledger, store and report agree; nothing was bought twice."""
        with self.platform.platform.lock:
            world = self.platform.platform.world
            assert [pool.id for pool in world.pools.values() if pool.is_open] == []
            charged, entries = world.account.charged, list(world.account.entries)
            assert world.account.balance == world.account.deposit - charged  # nothing in review
        database = open_database(self.url or self.folder / "labelworth.sqlite")
        ledger, store = Ledger.open(database, "s"), Store(database, "s")
        records, balance = store.all_orders(), ledger.balance()
        kinds = Counter((entry.kind, entry.key) for entry in ledger.entries())
        assert set(kinds.values()) == {1}
        assert {key for kind, key in kinds if kind == "settle"} == {r.order.key for r in records}
        assert all(record.end is not None for record in records)
        assert (balance.held, balance.spent) == (ZERO, charged)
        assert balance.spent <= balance.cap
        pages = [stored_page(database, "s", record.order) for record in records]
        stored = [a.id for page in pages if page is not None for a in page.assignments]
        # An exam is not paid.
        assert sorted(stored) == sorted(entry.what for entry in entries if entry.reward > ZERO)
        places = Counter((r.order.condition.key, r.order.tranche) for r in records)
        assert set(places.values()) == {1}
        asked: Counter[tuple[str, int]] = Counter()
        came: Counter[tuple[str, str, int]] = Counter()
        for record, page in zip(records, pages, strict=True):
            where = record.order.condition.key
            asked.update({(where, task): count for task, count in record.order.wanted})
            for a in page.assignments if page is not None else ():
                came.update((where, a.annotator, task) for task in _asked_of(a))
        assert set(came.values()) == {1}  # nobody is paid for a task twice
        for condition in (r.order.condition for r in records if not mark_of(r.order)):
            target = store.owned_target(condition)
            assert all(asked[condition.key, task] <= count for task, count in target.items())
        database.dispose()
        report = json.loads((self.folder / "report.json").read_text())
        assert report["money"]["spent"]["micros"] == charged.micros
        assert report["money"]["held"]["micros"] == 0
        assert "running" not in self.say("status").lower()
        assert self.say("report")
        canary.check(CANARY, self.root)
        canary.check(PASSWORD, self.root)
        return dict(report)


def _asked_of(assignment: Assignment) -> list[int]:
    """The tasks of an assignment that are no control tasks."""
    marked = zip(assignment.tasks, assignment.control, strict=True)
    return [task for task, is_control in marked if not is_control]


def _free(storage: str, request: pytest.FixtureRequest) -> str:
    """The URL of a new database; "" for files."""
    return request.getfixturevalue("postgres").fresh() if storage == "postgresql" else ""


@pytest.fixture(scope="module")
def alone(
    platform: Server, small_data: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Alone]:
    """Runs a study as one process that nothing happens to, once a goal."""

    @cache
    def run(goal: str) -> Alone:
        platform.reset(SEED)
        one = Team(platform, small_data, tmp_path_factory.mktemp("alone"), goal)
        one.start()
        while not one.is_over():
            seconds = one.cpu_seconds()
            time.sleep(LOOK_S)
        one.finish()
        assert one.check()["purchases"]
        return Alone((one.folder / "report.json").read_bytes(), seconds)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["sqlite", "postgresql"])
@pytest.mark.parametrize("goal", [*GOALS])
def test_those_that_are_left_end_the_study_of_a_killed_process(
    goal: str,
    storage: str,
    alone: Callable[[str], Alone],
    platform: Server,
    small_data: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    undisturbed, killed = alone(goal), 0
    for run in range(max(1, RUNS // 100)):
        draw = chance("several workers", goal, storage, run)
        platform.reset(SEED)
        root = tmp_path / str(run)
        root.mkdir()
        us = Team(platform, small_data, root, goal, _free(storage, request))
        for _ in range(2 if RUNS < 20 else draw.choice([2, 2, 3, 4])):
            us.start()
        while len(us.alive) > 1 and us.work_for(draw.uniform(0, undisturbed.seconds)):
            killed += us.kill(draw.choice([*us.alive]))
        us.finish()
        us.check()
        assert (us.folder / "report.json").read_bytes() == undisturbed.report
        assert us.say("audit")
        shutil.rmtree(root)
    record_property("kills of one of several processes", killed)
