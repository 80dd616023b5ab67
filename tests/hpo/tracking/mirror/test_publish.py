"""A run directory published to a server: whole, once, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from budget.errors import MirrorUnavailable
from hpo.tracking.clearml.mirror import publish
from tests import ROOT
from tests.clearml_server import StandIn
from tests.clearml_server.faults import CUT, DROPPED, OK
from tests.heads import FixedHeads
from tests.hpo.tracking.conftest import Seen, differences, mirrored, rename

pytest.importorskip("clearml")
WRITING = ("tasks.create", "tasks.edit", "tasks.edit_hyper_params", "tasks.started", "files")


@pytest.mark.clearml_server
def test_a_study_is_there_whole_and_publishing_again_changes_nothing(
    clearml_server: Any, folder: Path, unique: str, seen: type[Seen]
) -> None:
    rename(folder, unique)
    report = json.loads((folder / "report.json").read_text())
    outcome = mirrored(folder)
    assert outcome.problems == []
    server = seen(unique)
    found, updates = server.everything(), server.updates()
    kinds = [task["type"] for task in found.values()]
    purchases = {row["version"] for row in report["purchases"]}
    versions = purchases | {row["version"] for row in report["front"]}
    confirmed = {row["version"] for row in report["confirmations"]}
    assert kinds.count("optimizer") == 1
    assert len(purchases) == 4
    assert kinds.count("training") == len(versions)
    assert kinds.count("data_processing") == len(versions | confirmed)
    assert {task["status"] for task in found.values()} == {"completed"}
    for task in found.values():
        check_what_is_shown(task)

    assert mirrored(folder).problems == []
    assert differences(server.everything(), found) == []
    assert server.updates() == updates


def check_what_is_shown(task: dict[str, Any]) -> None:
    """Scalars and plots by the names that ClearML's views look for, and parameters to compare."""
    scalars = {f"{metric}/{name}" for metric, rows in task["scalars"].items() for name in rows}
    if task["type"] == "optimizer":
        assert scalars >= {
            "accuracy/validation/max",
            "accuracy/validation/last reported",
            "money by purchase/spent, $",
            "remaining budget/money %",
            "remaining budget/jobs %",
        }
        assert set(task["plots"]) == {
            "Answer/in words",
            "Optimization Objective/accuracy/validation",
            "Accuracy against money/front",
            "Spend against incumbent/best so far",
            "Marginal dollar/points per further dollar",
            "Parallel Coordinates/",
            "summary/job",
        }
        assert {row["key"] for row in task["artifacts"]} == {"summary", "report"}
        assert "parameter_optimization_space" in task["configuration"]["General"]["value"]
    elif task["type"] == "training":
        assert {"price", "overlap", "controls", "tasks", "exam"} <= set(
            task["hyperparams"]["General"]
        )
        assert {"accuracy", "cost_usd", "paid_usd", "minutes"} <= set(task["single"])
        assert task["hyperparams"]["Datasets"]["labels"]["value"].startswith("<labels ")
        assert len(task["linked"]) == 1
    else:
        assert set(task["plots"]) >= {
            "labels/distribution",
            "agreement/of answers",
            "confidence/of labels",
            "cost/paid in its whole condition by then",
            "sample/images and labels",
        }


@pytest.mark.clearml_server
def test_the_sdk_reads_every_version_back(
    clearml_server: Any, folder: Path, unique: str, seen: type[Seen]
) -> None:
    from clearml import Dataset, Task
    from clearml.automation.optimization import Objective

    rename(folder, unique)
    mirrored(folder)
    state = json.loads((folder / "clearml.json").read_text())
    report = json.loads((folder / "report.json").read_text())
    dearest = max(report["purchases"], key=lambda row: row["price_tag"]["micros"])
    dataset = Dataset.get(dataset_id=state["ids"][f"labels {dearest['version']}"])
    copy = Path(dataset.get_local_copy())
    on_disk = folder / "versions" / dearest["version"]
    for name in ("labels.csv", "answers.csv", "manifest.json"):
        assert (copy / name).read_bytes() == (on_disk / name).read_bytes()
    assert len(list(copy.glob("*.png"))) == 90
    assert dataset.verify_dataset_hash(str(copy)) == []
    assert dataset.get_metadata("cost")["cost_usd"] == dearest["price_tag"]["micros"] / 1e6
    listed = Dataset.list_datasets(f"labelworth/{unique}")
    assert len({row["version"] for row in listed}) == len(listed) == outcome_versions(report)

    controller = next(i for key, i in state["ids"].items() if key.startswith("study "))
    best = Objective("accuracy", "validation").get_top_tasks(1, optimizer_task_id=controller)[0]
    assert best.get_last_scalar_metrics()["accuracy"]["validation"]["last"] == max(
        row["measured"]["accuracy"] for row in report["purchases"]
    )
    task = Task.get_task(controller)
    assert task.artifacts["summary"].get()["table"][0]["task id"].startswith("<a href=")
    assert task.get_reported_scalars()["accuracy/validation"]["max"]["y"][-1] >= 0.5
    model = best.models["output"][0]
    assert set(model.labels) == {"0", "1", "2"}
    weights = Path(model.get_local_copy())
    assert weights.read_bytes()[8:9] == b"{"  # safetensors


def outcome_versions(report: dict[str, Any]) -> int:
    rows = (*report["purchases"], *report["front"], *report["confirmations"])
    return len({row["version"] for row in rows})


def test_cost_is_a_number_that_sorts_and_a_text_that_shows(stand_in: StandIn, folder: Path) -> None:
    mirrored(folder)
    tasks = [t for t in stand_in.api.tasks if t["type"] == "data_processing" and t["parent"]]
    assert len(tasks) >= 4
    for task in tasks:
        values = {
            row["variant"]: row["value"]
            for metric in task["last_metrics"].values()
            for row in metric.values()
        }
        manifest = json.loads(task["configuration"]["Manifest"]["value"])
        shown = task["hyperparams"]["properties"]["cost_usd"]["value"]
        assert values["cost_usd"] == float(shown) > 0
        assert f"overlap-{manifest['plan']['overlap']}" in task["tags"]
        assert len(task["tags"]) <= 3
        assert task["hyperparams"]["Campaign"]["rules/wrong_controls"]["value"] == "1"
        assert int(task["hyperparams"]["People"]["participants"]["value"]) > 0
        assert task["configuration"]["Instructions"]["value"]


def requests_a_trial(stand_in: StandIn) -> float:
    """Of every kind, files and the images' dataset included."""
    trials = sum(task["type"] == "training" for task in stand_in.api.tasks)
    assert trials >= 10
    return stand_in.requests.total() / trials


@pytest.mark.slow
def test_publishing_costs_at_most_20_requests_a_trial(stand_in: StandIn, ten: Path) -> None:
    """Its seconds a trial are told by `benchmarks.mirror`."""
    mirrored(ten)
    assert requests_a_trial(stand_in) <= 20


@pytest.mark.slow
def test_a_live_mirror_costs_at_most_35_requests_a_trial(stand_in: StandIn, ten: Path) -> None:
    """It looks when a purchase is evaluated, and at the end."""
    journal = ten / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    follower = publish._Follower(ten, None, lambda _: None)
    for at, line in enumerate(lines, start=1):
        if json.loads(line)["event"] == "purchase" or at == len(lines):
            journal.write_text("".join(lines[:at]))
            assert follower.step(running=at < len(lines))
    assert requests_a_trial(stand_in) <= 35


@pytest.mark.slow
def test_cut_off_at_any_request_and_repeated_leaves_what_an_undisturbed_one_does(
    stand_in: StandIn, folder: Path, impatient: None, unique: str
) -> None:
    """Each attempt ends for good after some requests, some of them carried out but unanswered."""
    rename(folder, unique)
    mirrored(folder)
    whole = Seen(unique).everything()
    stand_in.reset()
    attempts = 0
    for length in (3, 8, 13, 16, 19, 23) * 12:
        fault = (CUT, DROPPED, 500)[attempts % 3]
        stand_in.faults.clear()
        stand_in.faults.rule(lambda n, _, fault=fault, length=length: OK if n < length else fault)
        attempts += 1
        try:
            mirrored(folder)
            break
        except MirrorUnavailable:
            continue
    stand_in.faults.clear()
    assert attempts > 10
    assert mirrored(folder).problems == []
    assert differences(Seen(unique).everything(), whole) == []
    assert len(list(stand_in.api.models)) == sum(len(task["models"]) for task in whole.values())


@pytest.mark.slow
@pytest.mark.clearml_server
def test_killed_half_way_and_repeated(clearml_server: Any, ten: Path, unique: str) -> None:
    folder = rename(ten, unique)
    mirrored(folder)
    server = Seen(unique)
    whole = server.everything()
    server.forget()
    command = [sys.executable, "-m", "hpo.publish", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("ClearML: 4 of"):
                break
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert 4 <= len(server.tasks()) < len(whole)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ClearML: 0 of" in done.stderr
    assert "label sets are there: http" in done.stdout
    assert differences(server.everything(), whole) == []


def test_what_the_server_refuses_is_named_and_the_rest_is_there(
    stand_in: StandIn, folder: Path
) -> None:
    stand_in.faults.rule(lambda n, endpoint: 400 if endpoint == "models.create" else OK)
    outcome = mirrored(folder)
    assert outcome.problems == ["models.create: injected 400"]
    kinds = [task["type"] for task in stand_in.api.tasks]
    assert kinds.count("data_processing") == outcome.wanted + 1  # the images' too
    assert outcome.wanted - outcome.done == kinds.count("training")
    stand_in.faults.clear()
    again = mirrored(folder)
    assert again.done == again.wanted


def test_no_answer_is_one_line_and_exit_7(
    stand_in: StandIn, folder: Path, impatient: None, capsys: pytest.CaptureFixture[str]
) -> None:
    from hpo.publish import main

    stand_in.faults.down(503)
    assert main([str(folder)]) == 7
    said = capsys.readouterr()
    assert said.out == ""
    assert "the same command goes on" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: no study here"),
        (["{folder}", "--images-external", "http://images"], "only images of --data folder:DIR"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str],
    said: str,
    stand_in: StandIn,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from hpo.publish import main

    assert main([word.format(folder=folder) for word in words]) in (2, 7)
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_without_configuration_it_says_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "hpo.publish", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "run clearml-init, or set CLEARML_API_HOST" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_wrong_keys_are_refused_in_one_line(folder: Path, stand_in: StandIn) -> None:
    environment = {**os.environ, "CLEARML_API_SECRET_KEY": "wrong-secret"}
    command = [sys.executable, "-m", "hpo.publish", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 7
    assert "does not accept the keys" in done.stderr
    assert "wrong-secret" not in done.stderr


def test_a_version_is_fetched_back_by_one_line(
    stand_in: StandIn,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from hpo.run import main

    mirrored(folder)
    version = json.loads((folder / "report.json").read_text())["purchases"][0]["version"]
    monkeypatch.chdir(tmp_path)
    assert main(["data", "get", version[:8], "--runs", "elsewhere", "--to", "mine"]) == 0
    assert capsys.readouterr().out == f"version {version} from ClearML: mine\n"
    for name in ("labels.csv", "answers.csv", "manifest.json"):
        on_disk = folder / "versions" / version / name
        assert (tmp_path / "mine" / name).read_bytes() == on_disk.read_bytes()
    assert main(["data", "get", "0" * 32, "--runs", "elsewhere"]) == 2
    assert "nor in ClearML" in capsys.readouterr().err
    stand_in.faults.down(400)
    assert main(["data", "get", "1" * 32, "--runs", "elsewhere"]) == 2
    assert "ClearML cannot be asked" in capsys.readouterr().err


@pytest.mark.slow
def test_labels_bought_after_the_study_are_there_too(
    stand_in: StandIn, small_study: Any, unique: str
) -> None:
    from hpo.study.next_purchase import Wish, carry_out, prepare

    study = small_study(trials=2, study=unique)
    study.run()
    study.close()
    assert mirrored(study.folder).problems == []
    before = Seen(unique).everything()
    plan = json.loads((study.folder / "report.json").read_text())["purchases"][0]["plan"]["key"]
    purchase = prepare(study.folder, Wish(plan=plan), FixedHeads())
    report = carry_out(purchase, lambda words: None)
    purchase.world.close()
    assert mirrored(study.folder).problems == []
    found = Seen(unique).everything()
    new = found.pop(f"labels {report['labels']['version']}")
    assert "merged" in new["tags"]
    assert new["single"]["cost_usd"] == report["money"]["spent"]["micros"] / 1e6
    assert new["plots"]["labels/distribution"]["data"][0]["y"]
    assert differences(found, before) == []


@pytest.mark.slow
def test_delivered_labels_are_a_dataset_with_both_labels_and_their_cost(
    stand_in: StandIn, small_study: Any, unique: str
) -> None:
    study = small_study(goal="model", learn="20%", budget="0.3", study=unique)
    report = study.run()
    study.close()
    assert mirrored(study.folder).problems == []
    found = Seen(unique).everything()
    made = report["delivery"]
    labels = found[f"labels {made['labels']['version']}"]
    assert "merged" in labels["tags"]
    assert labels["single"]["cost_usd"] == made["bought"]["micros"] / 1e6
    changed = made["labels"]["quality"]["changed_by_model"]
    assert labels["single"]["share_changed"] == pytest.approx(changed, abs=1e-6)
    assert labels["plots"]["best labels/distribution"]["data"]
    assert mirrored(study.folder).problems == []  # once more changes nothing
    assert differences(Seen(unique).everything(), found) == []
