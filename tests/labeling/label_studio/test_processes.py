"""Whole studies on a real Label Studio server: killed at any moment, through a proxy that loses
requests and replies, with a server that is killed and started again meanwhile.

STUDIO_KILLS sets the number of studies' deaths.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from budget.errors import MarketRefused
from budget.ledger import Ledger
from budget.money import ZERO, Money
from budget.secret import Secret
from hpo.cli.main import main
from hpo.settings.run_folder import look_into_store, read_config
from labeling.campaign.campaign import Campaign, Question
from labeling.label_studio import log as logged
from labeling.label_studio.client import StudioClient
from labeling.label_studio.labeling_config import result_of
from labeling.label_studio.log import WorkLog
from labeling.label_studio.project import row_of
from labeling.label_studio.rehearsal.people import account
from labeling.label_studio.rehearsal.server import StudioServer, start
from labeling.store import Store
from labeling.store.annotators.work import work_by_person
from tests.commands import flags
from tests.forks import RandomKills, cpu_seconds, ended, forked
from tests.heads import quick
from tests.labeling.label_studio import proxy
from tests.labeling.label_studio.ground import studio

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]
KILLS = int(os.environ.get("STUDIO_KILLS", "6"))
CAP = Money.parse("9")
ASKED = Campaign("npz", (Question("class", "", ("loop", "open", "straight")),), "")
"""As far as an answer needs it: the classes of the small digits."""

SETTINGS = {
    "budget": "9",
    "wage": "9",
    "market": "label-studio",
    "people": "simulated:2",
    "tasks": "6,10",
    "overlap": "1,2",
    "controls": "0,2",
    "confirm": "0",
    "goal": "plan",
    "trials": "3",
    "grace_minutes": "0.02",
    "few_labels_ok": True,
}


class Office:
    """A server that dies and comes back, a proxy before it, and an annotator who is no script."""

    def __init__(self, server: StudioServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.losses = folder / "losses"
        port_file = folder / "port"
        self._proxy = forked(lambda: proxy.serve(server.url, port_file, self.losses, 0.02))
        until = time.monotonic() + 30
        while not (port_file.exists() and port_file.read_text()):
            assert time.monotonic() < until
            time.sleep(0.05)
        self.url = f"http://127.0.0.1:{port_file.read_text()}"
        with closing(self.admin()) as admin:
            self.late = account(admin, "late@office.example")

    def admin(self) -> StudioClient:
        return StudioClient(self.server.url, Secret(self.server.token_file.read_text(), "test"))

    def begin(self, data: str, study: str) -> int:
        """Start a study in a child, or start it again where it stood."""
        words = flags(**SETTINGS, data=data, study=study)

        def work() -> int:
            quick()
            return main(words)

        said, where = self.folder / f"{study}.out", {"LABEL_STUDIO_URL": self.url}
        token = {"LABEL_STUDIO_API_KEY_FILE": str(self.server.token_file)}
        return forked(work, said, cwd=self.folder, environment=where | token)

    def die(self) -> None:
        """Kill the server, and start it again on what is on its disk."""
        self.server.process.kill()
        self.server.process.wait()
        port = int(self.server.url.rpartition(":")[2])
        self.server = start(self.server.token_file.parent, port)

    def someone_answers(self, study: str) -> None:
        """Somebody works at what a dead study left open."""
        with closing(self.admin()) as admin:
            for project in projects(admin, study):
                with suppress(MarketRefused):
                    task = self.late.read(f"/api/projects/{project['id']}/next")
                    answer = {"result": result_of((0,), ASKED), "lead_time": 4.0}
                    path = f"/api/tasks/{task['id']}/annotations/"
                    self.late.send("POST", path, json=answer)

    def close(self) -> None:
        os.kill(self._proxy, signal.SIGKILL)
        ended(self._proxy)
        self.late.close()


def projects(admin: StudioClient, study: str) -> list[dict[str, Any]]:
    listed = admin.read("/api/projects", title="lw-", page_size=1000)["results"]
    return [one for one in listed if one["title"].startswith(f"{study} lw-")]


def check_money(run: Path) -> None:
    """The cap holds, and so does the hold of each order that was opened to annotators."""
    if not (run / "market" / "label_studio.jsonl").exists():
        return
    log, engine = WorkLog(run / "market"), look_into_store(run, read_config(run))
    try:
        ledger = Ledger.open(engine, run.name)
        balance = ledger.balance()
        assert balance.spent + balance.held <= CAP
        held = {hold.key for hold in ledger.open_holds()}
        settled = {entry.key for entry in ledger.entries() if entry.kind == "settle"}
        for record in Store(engine, run.name).all_orders():
            if log.of(logged.OPEN, record.order.key):
                assert record.order.key in (held if record.end is None else held | settled)
    finally:
        engine.dispose()


def check_end(run: Path, admin: StudioClient) -> int:
    """No project and no task twice; each answer copied once, and paid once or refused.

    Returns:
        Answers that were paid.
    """
    log, engine = WorkLog(run / "market"), look_into_store(run, read_config(run))
    try:
        store, ledger = Store(engine, run.name), Ledger.open(engine, run.name)
        records = store.all_orders()
        mine = projects(admin, run.name)
        titles = Counter(one["title"] for one in mine)
        assert set(titles.values()) == {1}
        assert len(titles) == len({record.order.condition.key for record in records})
        there: set[str] = set()
        for project in mine:
            tasks = list(admin.tasks(int(project["id"])))
            assert set(Counter(row_of(task) for task in tasks).values()) == {1}
            there |= {str(one["id"]) for task in tasks for one in task["annotations"]}
        copied = [one.id for r in records for page in log.pages(r.order.key) for one in page]
        assert sorted(copied) == sorted(there)
        work = work_by_person(engine, run.name, [r.order.key for r in records], {})
        assert sum(one.answers for one in work) == sum(r.assignments for r in records)
        assert sum(r.assignments for r in records) <= len(there)
        assert ledger.balance().spent == sum((one.earned for one in work), ZERO)
        assert not ledger.open_holds()
        return sum(one.answers for one in work)
    finally:
        engine.dispose()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with studio(tmp_path / "studio") as server:
        made = Office(server, tmp_path)
        try:
            yield made
        finally:
            made.close()
            made.server.stop()


def test_studies_killed_at_any_moment_pay_each_answer_once(
    office: Office, small_data: str, record_property: Callable[[str, object], None]
) -> None:
    begun = time.monotonic()
    kills = RandomKills(random.Random(11), cpu_seconds(office.begin(small_data, "whole")))
    usual_s = time.monotonic() - begun
    studies = paid = restarts = 0
    with closing(office.admin()) as admin:
        paid += check_end(office.folder / "runs" / "whole", admin)
    while kills.killed < KILLS:
        studies += 1
        study = f"killed{studies}"
        run = office.folder / "runs" / study
        while kills.kill(office.begin(small_data, study)):
            check_money(run)
            office.someone_answers(study)
            if kills.killed % 5 == 4:
                office.die()
                restarts += 1
        child = office.begin(small_data, study)
        if studies % 2:
            time.sleep(usual_s / 2)
            office.die()  # while the study is at work
            restarts += 1
        while ended(child) != 0:  # a server that is away too long ends a study, which goes on
            said = (office.folder / f"{study}.out").read_text()
            assert "does not answer" in said, said
            child = office.begin(small_data, study)
        with closing(office.admin()) as admin:
            paid += check_end(run, admin)
    record_property("deaths of studies", kills.killed)
    record_property("deaths of servers", restarts)
    record_property("requests and replies lost", len(office.losses.read_text().splitlines()))
    record_property("answers paid", paid)
    assert paid > 50
