"""Trials of agents on Toloka's API: rehearsed, and for real money that the controller confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from budget.errors import InputError
from budget.money import ZERO, Money
from hpo import Study
from hpo.study.study import open_study
from labeling.crowd.scenario import load_scenario
from labeling.toloka.server import Server, Settings
from tests.clearml_server import StandIn
from tests.clearml_server.agents import Agent, in_process, search
from tests.hpo.market.test_local_platform import gone, sim
from tests.hpo.tracking.conftest import until
from tests.hpo.tracking.test_engine import STUDY, check_money, statuses, trial_tasks

pytest.importorskip("clearml")

TOKEN = "agent-canary-31c0"
FEW = {**STUDY, "price": "0.001,0.002", "overlap": "1", "tasks": "20%,50%", "trials": 2}
OPTIONS = {"queue": "default", "workers": 2, "poll_s": 0.3}


@pytest.fixture
def agent(stand_in: StandIn, tmp_path: Path) -> Iterator[Agent]:
    """Two agents, one trial each at a time."""
    made = Agent(stand_in, "default", 2, tmp_path / "agent.log")
    yield made
    made.stop()


@pytest.mark.slow
def test_a_rehearsal_through_kills(
    stand_in: StandIn, agent: Agent, small_data: str, tmp_path: Path
) -> None:
    settings = {**FEW, "study": "rehearsed", "data": small_data, "market": "rehearsal"}
    log, runs = tmp_path / "controller.log", tmp_path / "runs"
    controller = in_process(search, runs, settings, OPTIONS, log=log)
    until(lambda: (runs / "rehearsed/rehearsal").exists() and agent.busy)
    until(agent.kill_one)
    controller.kill()
    controller.join()
    controller = in_process(search, runs, settings, OPTIONS, log=log)
    until(lambda: controller.exitcode is not None)
    assert controller.exitcode == 0, log.read_text() + (tmp_path / "agent.log").read_text()
    # A trial's process ends its task a moment after the study has its outcome.
    until(lambda: statuses(stand_in) == {"completed": len(trial_tasks(stand_in))})

    check_money(runs / "rehearsed")
    study = open_study(runs / "rehearsed")
    assert len(study.trials.purchases()) == 2
    assert sim(study, "account")["charged"] == study.world.ledger.balance().spent.micros > 0
    assert sim(study, "counts")["open_pools"] == []
    study.close()
    assert gone(runs)


@pytest.fixture
def toloka(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A local server that is taken for Toloka."""
    server = Server(Settings(load_scenario("default"), balance=Money(5_000_000)), token=TOKEN)
    server.start()
    monkeypatch.setenv("LABELWORTH_TOLOKA_URL", server.url)
    monkeypatch.setenv("TOLOKA_TOKEN", TOKEN)
    yield server
    server.close()


@pytest.mark.slow
def test_real_money_is_spent_while_a_command_runs_that_confirmed_it_and_not_else(
    stand_in: StandIn, agent: Agent, toloka: Server, small_data: str, tmp_path: Path
) -> None:
    from clearml import Task

    from hpo.tracking.clearml.engine import Engine, run
    from hpo.tracking.clearml.template import make_template

    runs, log = tmp_path / "runs", tmp_path / "controller.log"
    settings = {**FEW, "study": "real", "data": small_data, "market": "toloka", "trials": 1}
    settings["image_url_prefix"] = "https://example.org/"
    study = Study(runs=runs, **settings)
    with pytest.raises(InputError, match="of real money; confirm it"):
        run(study, Engine(None))
    clone = Task.clone(make_template(study, "labelworth/by-hand", []), name="by hand")
    Task.enqueue(clone, queue_name="default")
    until(lambda: stand_in.api.tasks.get(clone.id)["status"] == "failed")
    refused = stand_in.api.tasks.get(clone.id)["hyperparams"]["properties"]["refused"]["value"]
    assert "no command runs that has confirmed it" in refused
    assert not toloka.platform.world.pools
    assert study.world.ledger.balance().left == study.world.ledger.balance().cap
    study.close()

    controller = in_process(search, runs, settings, OPTIONS, log=log)
    until(lambda: controller.exitcode is not None)
    said = log.read_text() + (tmp_path / "agent.log").read_text()
    assert controller.exitcode == 0, said
    check_money(runs / "real")
    study = open_study(runs / "real")
    assert len(study.trials.purchases()) == 1
    assert study.world.ledger.balance().spent > ZERO
    assert not [pool for pool in toloka.platform.world.pools.values() if pool.is_open]
    assert TOKEN not in said + repr(stand_in.log)
    study.close()
