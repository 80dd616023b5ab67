"""An agent that dies without a word stops nobody: its trial is run again, and every dollar told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from budget.files import locked
from hpo.study.study import open_study
from hpo.tracking.clearml.liveness import Liveness, trial_lock
from hpo.tracking.clearml.server.connection import Remote
from tests.clearml_server import StandIn
from tests.clearml_server.agents import Agent, in_process, search
from tests.hpo.tracking.test_engine import STUDY, check_money, statuses, until

pytest.importorskip("clearml")


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_only_silence_without_a_process_and_without_an_agent_is_death(
    stand_in: StandIn, tmp_path: Path
) -> None:
    clock = Clock()
    liveness = Liveness(Remote(), tmp_path, 70, clock)
    tasks = {"spoken for": "1", "at work": "1", "prepared": "1", "dead": "1"}
    for name in tasks:
        stand_in.api.call("tasks.create", {"name": name, "type": "training"})
    ids = {t["name"]: t["id"] for t in stand_in.api.tasks}
    worker = {"worker": "alive", "task": ids["prepared"]}
    updates = {ids[name]: said for name, said in tasks.items()}
    stand_in.api.call("workers.status_report", {"worker": "gone", "task": ids["dead"]})
    assert liveness.dead(updates) == set()
    with locked(trial_lock(tmp_path, ids["at work"])):
        for second in range(5, 121, 5):
            clock.now = second
            updates[ids["spoken for"]] = str(second)
            stand_in.api.call("workers.status_report", worker)
            found = liveness.dead(updates)
            assert found == ({ids["dead"]} if second > 70 else set()), second
    clock.now = 200
    assert ids["at work"] in liveness.dead(updates), "its process has ended without a word"


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["started", "bought"])
def test_the_study_ends_by_itself(
    moment: str, stand_in: StandIn, small_data: str, tmp_path: Path
) -> None:
    """Of two agents one dies with its trial, at once or after its order was bought."""
    agents = [Agent(stand_in, "default", 1, tmp_path / f"agent-{n}.log") for n in range(2)]
    settings = {**STUDY, "study": "deaths", "data": small_data, "trials": 4, "budget": "3"}
    options = {"queue": "default", "workers": 2, "poll_s": 0.2, "silent_s": 3.0}
    log, runs = tmp_path / "controller.log", tmp_path / "runs"
    controller = in_process(search, runs, settings, options, log=log)
    doomed = agents[0]
    until(lambda: doomed.busy)
    if moment == "bought":
        until(lambda: len(list((runs / "deaths").glob("models/*"))) >= 1)
        until(lambda: doomed.busy)
    doomed.die()
    begun = time.monotonic()
    until(lambda: controller.exitcode is not None, 180)
    agents[1].stop()
    assert controller.exitcode == 0, log.read_text()
    assert time.monotonic() - begun < 180
    check_money(runs / "deaths")
    assert statuses(stand_in)["in_progress"] == 0
    study = open_study(runs / "deaths")
    report = study.report()
    study.close()
    again = sum(row["paid"]["micros"] for row in report["confirmations"])
    paid = sum(row["paid"]["micros"] for row in report["purchases"])
    assert paid + again == report["money"]["spent"]["micros"]
    assert len(report["purchases"]) == 4


def test_it_says_what_is_awaited(
    stand_in: StandIn, small_study, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hpo.tracking.clearml import strategy
    from hpo.tracking.clearml.template import make_template

    monkeypatch.setattr(strategy, "_SAY_S", 0.0)
    study = small_study(study="said")
    said: list[str] = []
    study.prepare(lambda progress: said.append(progress.note))
    plans = strategy.PlanSearch(study, make_template(study, "said", []).id, "default", 2, 1.0)
    plans._number["a" * 32] = 4

    class Job:
        def task_id(self) -> str:
            return "a" * 32

    plans._say_what_is_awaited([(Job(), strategy._Task("in_progress", "", "1", "lab:1"))])
    plans._say_what_is_awaited([(Job(), strategy._Task("queued", ""))])
    assert "Waiting for trial 4 (in progress on lab:1, heard of 0 s ago)" in said
    assert "Waiting for trial 4 (queued for agents of default)" in said
    study.close()
