"""Own annotators paid by the hour, from the command line; nothing but the simulated office."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from budget.money import ZERO, Money
from hpo.settings.run_folder import look_into_store, read_config
from labeling.label_studio.log import WorkLog
from labeling.recorded.formats.label_studio_export import read_label_studio_json
from labeling.store import Store
from labeling.timesheet.sheet import WorkedAnswer
from tests.commands import labelworth

WORDS = (
    *(
        "--budget",
        "12",
        "--pay",
        "hourly",
        "--goal",
        "plan",
        "--tasks",
        "3%,6%",
        "--overlap",
        "1,2",
    ),
    *("--controls", "0,1", "--trials", "3", "--confirm", "3", "--study", "s", "--few-labels-ok"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study on the simulated office."""
    home = tmp_path_factory.mktemp("office")
    done = labelworth(*WORDS, cwd=home)
    assert done.returncode == 0, done.stderr
    return home / "runs" / "s"


def test_the_answer_names_the_wage_and_the_cost_of_an_answer(run: Path) -> None:
    report = json.loads((run / "report.json").read_text())
    done = labelworth("report", str(run), "--details", cwd=run)
    assert "$18.00 an hour" in done.stdout
    assert "a task" not in done.stdout.partition("Recommended")[2].partition("\n")[0]
    assert "An answer costs $0.0" in done.stdout
    assert "from the same people" in done.stdout
    low, high = report["staff"]["answer_cost_95"]
    assert low["micros"] < report["staff"]["answer_cost"]["micros"] < high["micros"]
    assert report["recommended"]["plan"]["key"].startswith("w18.00-")


def test_pay_adds_up_to_what_was_spent(run: Path) -> None:
    spent = json.loads((run / "report.json").read_text())["money"]["spent"]["micros"]
    table = list(csv.DictReader(io.StringIO(labelworth("pay", str(run), "--csv", cwd=run).stdout)))
    earned = sum((Money.parse(row["earned_usd"]) for row in table), ZERO)
    assert earned.micros == spent
    assert len(table) == 5
    told = json.loads(labelworth("pay", str(run), "--json", cwd=run).stdout)["people"]
    assert sum(person["earned"]["micros"] for person in told) == spent


def test_status_tells_each_persons_work(run: Path) -> None:
    told = json.loads(labelworth("status", str(run), "--json", cwd=run).stdout)
    assert sum(person["answers"] for person in told["people"]) >= told["assignments"]
    assert any(person["controls"] for person in told["people"])
    assert all(person["controls_right"] <= person["controls"] for person in told["people"])
    assert "controls right" in labelworth("status", str(run), cwd=run).stdout


def test_status_tells_answers_that_do_not_count(run: Path, tmp_path: Path) -> None:
    mine = tmp_path / "s"
    shutil.copytree(run, mine)
    engine = look_into_store(mine, read_config(mine))
    order = Store(engine, "s").all_orders()[0].order
    engine.dispose()
    task = order.wanted[0][0]
    answers = [WorkedAnswer(str(n), "ann@x.org", task, (0,), n, 5.0) for n in range(3)]
    WorkLog(mine / "market").write_page(order.key, answers)
    done = labelworth("status", str(mine), cwd=tmp_path)
    said = "not counted and not paid: 2 of ann@x.org: second answer of a person to a task"
    assert said in done.stdout, done.stderr
    told = json.loads(labelworth("status", str(mine), "--json", cwd=tmp_path).stdout)["refused"]
    assert [(row["annotator"], row["answers"]) for row in told] == [("ann@x.org", 2)]
    assert json.loads(labelworth("status", str(run), "--json", cwd=run).stdout)["refused"] == []


def test_a_label_version_is_written_as_tasks_and_read_back(run: Path) -> None:
    version = max((run / "versions").iterdir()).name
    out = run / "tasks.json"
    words = ("label-studio-tasks", version, str(out), "--runs", str(run.parent))
    done = labelworth(*words, cwd=run)
    assert done.returncode == 0, done.stderr
    tasks = json.loads(out.read_text())
    cells = read_label_studio_json(out)
    assert len(cells.task) == sum(len(task["annotations"]) for task in tasks)
    shown = [task["predictions"][0]["result"][0]["value"]["choices"] for task in tasks]
    assert {choice for (choice,) in shown} <= {"loop", "straight", "open"}
    assert labelworth(*words, cwd=run).returncode == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pay", "hourly", "--price", "0.01"), "own annotators earn a wage"),
        (("--pay", "hourly", "--exam", "on"), "own annotators sit no exam"),
        (("--pay", "hourly", "--market", "toloka"), "has no own annotators"),
        (("--pay", "hourly", "--scenario", "default"), "has no own annotators"),
        (("--pay", "hourly", "--most-seconds", "2"), "--most-seconds"),
        (("--pay", "hourly", "--wages", "nowhere.toml"), "cannot be read"),
        (("--pay", "hourly", "--people", "none"), "is not a number"),
    ],
)
def test_what_own_annotators_cannot_do_is_one_line(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    done = labelworth("plan", "--budget", "20", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_pay_is_for_own_annotators(bought_twice: Path, tmp_path: Path) -> None:
    done = labelworth("pay", str(bought_twice), cwd=tmp_path)
    assert done.returncode == 2
    assert "a platform pays" in done.stderr


def test_without_an_address_the_server_is_named(tmp_path: Path) -> None:
    done = labelworth("invite", cwd=tmp_path, LABEL_STUDIO_URL="")
    assert done.returncode == 2
    assert "LABEL_STUDIO_URL" in done.stderr
