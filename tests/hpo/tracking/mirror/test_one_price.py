"""A plan has one price on every page, and every dollar stands on a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hpo.trial.purchase import buy
from tests.clearml_server import StandIn
from tests.hpo.tracking.conftest import Seen, mirrored

pytest.importorskip("clearml")


def test_trial_version_table_model_and_answer_agree(stand_in: StandIn, folder: Path) -> None:
    assert mirrored(folder).problems == []
    report = json.loads((folder / "report.json").read_text())
    prices = {
        row["plan"]["key"]: row["price_tag"]["micros"] / 1e6
        for row in (*report["purchases"], *report["front"])
    }
    for row in (*report["purchases"], *report["front"], report["recommended"]):
        assert prices[row["plan"]["key"]] == row["price_tag"]["micros"] / 1e6
    found = Seen("four").everything()
    trials = [task for task in found.values() if task["type"] == "training"]
    assert len(trials) >= 4
    for trial in trials:
        key = trial["name"].partition(": ")[2]
        version = trial["hyperparams"]["properties"]["label_version"]["value"]
        assert trial["single"]["cost_usd"] == prices[key]
        assert found[f"labels {version}"]["single"]["cost_usd"] == prices[key]
    study = next(task for task in found.values() if task["type"] == "optimizer")
    best = report["recommended"]["plan"]["key"]
    assert study["single"]["recommended_price_tag_usd"] == prices[best]
    shown = study["plots"]["summary/job"]["data"][0]
    cells = dict(zip(shown["header"]["values"], shown["cells"]["values"], strict=True))
    table = zip(cells["plan"], cells["price tag, $"], strict=True)
    for plan, price in table:
        key = plan.partition(">")[2].partition("<")[0] or plan
        assert float(price) == prices.get(key, float(price))
    for model in stand_in.api.models:
        facts = {name: item["value"] for name, item in model["metadata"].items()}
        assert float(facts["cost_usd"]) == prices[facts["plan"]]
    paid = sum(trial["single"]["paid_usd"] for trial in trials)
    again = sum(row["paid"]["micros"] for row in report["confirmations"]) / 1e6
    assert paid + again == pytest.approx(report["money"]["spent"]["micros"] / 1e6, abs=1e-9)


@pytest.mark.slow
def test_what_a_dead_trial_has_paid_for_is_a_purchase(stand_in: StandIn, small_study: Any) -> None:
    """Its agent died after the order was bought, and a person aborted its task."""
    from hpo.study.trials import TASK

    study = small_study(trials=3, seed=3)
    study.prepare()
    asked = study.ask()
    asked.trial.set_user_attr(TASK, "its task")
    buy(asked.plan, study.world)
    paid = study.world.ledger.balance().spent
    study.trials.fail(asked.trial.number)
    report = study.run()
    rows = [row for row in report["purchases"] if row["plan"]["key"] == asked.plan.key]
    assert [row["paid"]["micros"] for row in rows] == [paid.micros]
    assert study.trials.of_task("its task") is not None
    again = sum(row["paid"]["micros"] for row in report["confirmations"])
    spent = report["money"]["spent"]["micros"]
    assert sum(row["paid"]["micros"] for row in report["purchases"]) + again == spent

    mirrored(study.folder)
    tasks = Seen(study.config.study).everything().values()
    shown = sum(task["single"]["paid_usd"] for task in tasks if task["type"] == "training")
    assert shown + again / 1e6 == pytest.approx(spent / 1e6, abs=1e-9)
