"""A study at a PostgreSQL server, by ClearML: a trial's task joins it, and holds no password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from budget.postgres.address import VARIABLE
from hpo.study.study import Study
from tests import canary
from tests.clearml_server import StandIn
from tests.clearml_server.agents import Agent
from tests.conftest import SMALL
from tests.hpo.study.test_together import check_money
from tests.hpo.tracking.conftest import until
from tests.postgres import PASSWORD, Server

pytest.importorskip("clearml")


@pytest.mark.slow
def test_a_cloned_trial_joins_a_study_at_a_server_and_holds_no_password(
    stand_in: StandIn,
    postgres: Server,
    small_data: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from clearml import Task

    from hpo.tracking.clearml.template import make_template

    url = postgres.fresh()
    settings = {**SMALL, "data": small_data, "study": "s", "confirm": "0", "no_reuse": True}
    study = Study(runs=tmp_path / "runs", storage=url, **settings)
    template = make_template(study, "labelworth", [])

    def run(name: str) -> dict[str, object]:
        """A clone of the template, run by an agent that begins with this process's variables."""
        clone = Task.clone(template, name=name)
        agent = Agent(stand_in, "default", 1, tmp_path / f"{name}.log")
        try:
            Task.enqueue(clone, queue_name="default")
            task = next(task for task in stand_in.api.tasks if task["id"] == clone.id)
            until(lambda: task["status"] in ("completed", "failed"), 60)
        finally:
            agent.stop()
        return task

    refused = run("stranger")  # an agent without the variable: only the password is missing
    assert refused["status"] == "failed"
    assert VARIABLE in json.dumps(refused)
    monkeypatch.setenv(VARIABLE, url)
    assert run("joins")["status"] == "completed", (tmp_path / "joins.log").read_text()
    (bought,) = study.trials.purchases()
    assert study.world.ledger.balance().spent == bought.outcome.price_tag
    check_money(url)
    study.close()
    canary.check(PASSWORD, tmp_path, stand_in.api.tasks)
