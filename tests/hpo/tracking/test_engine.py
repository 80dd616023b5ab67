"""ClearML's optimizer runs our search on agents: under the cap, and through kills."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from budget.database import open_database
from budget.ledger import Ledger
from hpo.study.conclusion import Conclusion
from hpo.study.study import Study, open_study
from tests import oracle
from tests.clearml_server import StandIn
from tests.clearml_server.agents import Agent, in_process, search, stock_search
from tests.conftest import SMALL, Make
from tests.hpo.tracking.conftest import Seen, lacking, mirrored, until, wait_for_mirror

pytest.importorskip("clearml")
from hpo.tracking.clearml import engine

STUDY: dict[str, object] = {**SMALL, "seed": 4, "no_reuse": True, "confirm": "0"}


@pytest.fixture
def agent(stand_in: StandIn, tmp_path: Path) -> Iterator[Agent]:
    """Two agents, one trial each at a time."""
    made = Agent(stand_in, "default", 2, tmp_path / "agent.log")
    yield made
    made.stop()


def statuses(server: StandIn) -> Counter[str]:
    return Counter(task["status"] for task in trial_tasks(server))


def trial_tasks(server: StandIn) -> list[dict[str, Any]]:
    return [task for task in server.api.tasks if task["type"] == "training" and task["parent"]]


def check_money(folder: Path) -> None:
    """The cap held at every moment, and nothing was bought twice."""
    engine = open_database(folder / "labelworth.sqlite")
    ledger = Ledger.open(engine, folder.name)
    cap = ledger.balance().cap.micros
    held, spent = dict[str, int](), 0
    for entry in ledger.entries():
        if entry.kind == "reserve":
            held[entry.key] = entry.amount.micros
        elif entry.kind != "cap":
            spent += entry.amount.micros
            del held[entry.key]
        assert spent + sum(held.values()) <= cap
    assert not held
    engine.dispose()
    assert oracle.orders_open(folder) == 0
    assert oracle.paid_twice(folder) == 0
    assert oracle.paid(folder) == spent


@pytest.mark.slow
def test_20_trials_two_at_a_time_through_kills(
    stand_in: StandIn, agent: Agent, small_data: str, tmp_path: Path
) -> None:
    limits = {"budget": "0.9", "trials": 20, "max_plan_share": "0.12"}
    prices = {"price": "0.001,0.0015,0.002,0.004"}
    settings = {**STUDY, **limits, **prices, "study": "engine", "data": small_data}
    options = {"queue": "default", "workers": 2, "poll_s": 0.4}
    log, runs = tmp_path / "controller.log", tmp_path / "runs"
    for killed_at in (3, 8):  # the controller is killed, and once a trial
        controller = in_process(search, runs, settings, options, log=log)
        until(lambda at=killed_at: statuses(stand_in)["completed"] >= at)
        until(agent.kill_one)
        controller.kill()
        controller.join()
    until(lambda: not agent.busy)

    agent.paused.set()
    asked: list[float] = []
    controller = in_process(search, runs, settings, options, log=log)
    until(lambda: statuses(stand_in)["queued"] == 2)
    wait_until_quiet(stand_in)  # the second is enqueued, the mirror has nothing left to tell
    start = time.monotonic()
    stand_in.faults.rule(lambda number, endpoint: (asked.append(time.monotonic()), "ok")[1])
    time.sleep(3)
    stand_in.faults.clear()
    seconds = Counter(int(moment - start) for moment in asked)
    assert 4 <= len(asked) <= 5 * 3
    assert max(seconds.values()) <= 5

    stand_in.faults.down(503)  # away for longer than a request is repeated
    time.sleep(2)
    stand_in.faults.clear()
    polls = stand_in.requests["tasks.get_all"]
    until(lambda: stand_in.requests["tasks.get_all"] >= polls + 3)
    os.kill(controller.pid or 0, signal.SIGINT)  # what waits is taken back
    controller.join()
    assert statuses(stand_in)["created"] == 2
    controller = in_process(search, runs, settings, options, log=log)
    agent.paused.clear()
    until(lambda: controller.exitcode is not None)
    assert controller.exitcode == 0, log.read_text()

    check_money(runs / "engine")
    study = open_study(runs / "engine")
    report = study.report()
    purchases = study.trials.purchases()
    study.close()
    assert report["stopped"] == "20 purchases of --trials are made"
    assert len({purchase.order for purchase in purchases}) == len(purchases) == 20
    assert agent.most == 2
    wait_for_mirror(runs / "engine")
    check_children(stand_in, {purchase.version for purchase in purchases})
    live = Seen("engine").everything()
    agent.stop()
    stand_in.reset()
    assert mirrored(runs / "engine").problems == []
    assert lacking(Seen("engine").everything(), live) == []


def check_children(server: StandIn, versions: set[str]) -> None:
    """Each purchase is one child of the one controller: the task it was bought in."""
    (controller,) = [task for task in server.api.tasks if task["type"] == "optimizer"]
    assert controller["status"] == "completed"
    children = trial_tasks(server)
    assert {task["parent"] for task in children} == {controller["id"]}
    assert {task["status"] for task in children} == {"completed"}
    told = Counter(task["hyperparams"]["properties"]["label_version"]["value"] for task in children)
    assert max(told.values()) == 1
    assert versions <= set(told)
    for task in children:
        if task["hyperparams"]["properties"]["label_version"]["value"] in versions:
            assert task["script"]["diff"], "not the task that was bought in"
            assert task["models"]["output"]
            assert task["hyperparams"]["Datasets"]["labels"]["value"]


def wait_until_quiet(server: StandIn) -> None:
    """Until nothing but polls came for three seconds: the mirror's process takes two to start."""
    others = lambda: sum(server.requests.values()) - server.requests["tasks.get_all"]  # noqa: E731
    before = -1
    while (now := others()) != before:
        before = now
        time.sleep(3)


@pytest.mark.slow
def test_the_stock_optimizer_cannot_overspend(
    stand_in: StandIn, agent: Agent, more_data: str, tmp_path: Path
) -> None:
    limits = {"budget": "0.26", "max_plan_share": "1", "max_minutes": "none", "confirm": "0.1"}
    grid = {"price": "0.001", "tasks": "20%,50%", "overlap": "1,2", "controls": "0"}
    settings = {**STUDY, **limits, **grid, "study": "stock", "data": more_data}
    runs = tmp_path / "runs"  # of the four plans one holds more than there is; one is cheap
    stock = in_process(stock_search, runs, settings, 4, log=tmp_path / "stock.log")
    until(lambda: stock.exitcode is not None)
    assert stock.exitcode == 0, (tmp_path / "stock.log").read_text()

    check_money(runs / "stock")
    study = open_study(runs / "stock")
    bought = {purchase.outcome.plan.key for purchase in study.trials.purchases()}
    assert study.world.ledger.balance().left.dollars >= 0.1  # kept for the confirmation
    study.close()
    tasks = trial_tasks(stand_in)
    told = {t["hyperparams"]["properties"]["plan"]["value"] for t in tasks if is_done(t)}
    assert bought
    assert bought <= told  # a contained plan costs nothing
    refused = [task for task in tasks if not is_done(task)]
    assert refused
    for task in refused:
        assert task["status"] == "failed"
        assert "is left" in task["hyperparams"]["properties"]["refused"]["value"]
    assert len(refused) + len(told) == 4


def is_done(task: dict[str, Any]) -> bool:
    return str(task["status"]) == "completed"


@pytest.mark.slow
def test_processes_of_one_machine_need_no_agent_and_outlive_their_controller(
    stand_in: StandIn, small_data: str, tmp_path: Path
) -> None:
    settings = {**STUDY, "study": "local", "data": small_data, "trials": 1}
    options = {"queue": None, "workers": 2, "poll_s": 0.4}
    log, runs = tmp_path / "controller.log", tmp_path / "runs"
    controller = in_process(search, runs, settings, options, log=log)
    until(lambda: statuses(stand_in)["in_progress"] == 1)
    time.sleep(0.5)
    controller.kill()
    controller.join()
    controller = in_process(search, runs, settings, options, log=log)
    until(lambda: controller.exitcode is not None)
    assert controller.exitcode == 0, log.read_text()
    check_money(runs / "local")
    assert statuses(stand_in) == {"completed": 1}
    study = open_study(runs / "local")
    assert len(study.trials.purchases()) == 1
    study.close()


@pytest.mark.slow
def test_a_trial_that_keeps_failing_stops_the_search_with_one_line(
    stand_in: StandIn, agent: Agent, small_data: str, tmp_path: Path
) -> None:
    settings = {**STUDY, "study": "failing", "data": small_data, "trials": 2}
    log = tmp_path / "controller.log"
    options = {"queue": "default", "workers": 1, "poll_s": 0.2}
    agent.script = "raise SystemExit(9)"
    controller = in_process(search, tmp_path / "runs", settings, options, log=log)
    until(lambda: controller.exitcode is not None)
    assert controller.exitcode == 1
    assert "trial 0 failed 3 times where it was run: Process exit code 9" in log.read_text()
    assert statuses(stand_in) == {"failed": 1}


@pytest.mark.slow
def test_a_trial_that_a_person_aborts_is_not_run_again(
    stand_in: StandIn, agent: Agent, small_data: str, tmp_path: Path
) -> None:
    settings = {**STUDY, "study": "aborted", "data": small_data, "trials": 1}
    options = {"queue": "default", "workers": 1, "poll_s": 0.2}
    agent.script = "import time; time.sleep(600)"
    log = tmp_path / "controller.log"
    controller = in_process(search, tmp_path / "runs", settings, options, log=log)
    until(lambda: agent.busy)
    agent.script = None
    task = trial_tasks(stand_in)[0]["id"]
    stand_in.api.call("tasks.stopped", {"task": task, "status_reason": "user aborted"})
    until(lambda: controller.exitcode is not None)
    assert controller.exitcode == 0, log.read_text()
    assert statuses(stand_in) == {"stopped": 1, "completed": 1}
    check_money(tmp_path / "runs/aborted")


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--queue", "gpu"], "--queue: only with --engine clearml"),
        (["--engine", "clearml"], "give either --queue NAME, for agents, or --start-locally"),
        (["--engine", "clearml", "--queue", "q", "--start-locally"], "give either --queue NAME"),
        (["--engine", "clearml", "--queue", "q", "--workers", "0"], "--workers: 0 is not a whole"),
        (["--engine", "clearml", "--queue", "no-such"], "ClearML has no queue 'no-such'; there is"),
        (["--engine", "clearml", "--queue", "q", "--clearml", "off"], "--clearml off: --engine"),
    ],
)
def test_wrong_flags_get_one_line(
    flags: list[str],
    line: str,
    stand_in: StandIn,
    small_data: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from hpo.run import main

    where = ["--data", small_data, "--few-labels-ok", "--exam=off", "--runs", str(tmp_path / "r")]
    assert main(["run", "--budget", "1", *where, *flags]) == 2
    assert not (tmp_path / "r").exists()
    said = capsys.readouterr().err.splitlines()
    assert line in said[-1]
    assert said[-1].startswith("labelworth: ")


def test_without_a_server_nothing_starts(
    small_data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from hpo.run import main

    flags = ["--engine", "clearml", "--start-locally", "--exam", "off"]
    where = ["--data", small_data, "--few-labels-ok", "--runs", str(tmp_path / "runs")]
    assert main(["run", "--budget", "1", *where, *flags]) == 2
    assert "not configured; run clearml-init" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "runs").exists()


def test_a_target_that_the_confirmation_denies_is_searched_for_on(
    small_study: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target counts as reached until the answer was measured, and from then on as not."""
    searches: list[str] = []

    def searched(study: Study, _: engine.Engine) -> str:
        while (asked := study.ask()) is not None:
            study.finish(asked.trial.number)
        searches.append(study.why_none)
        return study.why_none

    def reached(conclusion: Conclusion) -> str | None:
        bought, counted = conclusion._trials.purchases(), conclusion._trials.attr("counted")
        return "a plan reaches the target" if bought and counted is None else None

    monkeypatch.setattr(Conclusion, "reached", reached)
    monkeypatch.setattr(engine, "_search", searched)
    monkeypatch.setattr(engine, "check", lambda _: True)
    report = engine.run(small_study(study="s", target="0.45", trials=2), engine.Engine(None))
    assert searches == ["a plan reaches the target", "2 purchases of --trials are made"]
    assert report["stopped"] == searches[-1]
    assert len(report["purchases"]) == 2
