"""The stand-in for ClearML's server is one that the real SDK takes for the real thing."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.clearml_server import StandIn
from tests.clearml_server.faults import CUT, DROPPED

clearml = pytest.importorskip("clearml")


def test_a_task_is_created_reported_and_read_back(stand_in: StandIn) -> None:
    from clearml import Task
    from clearml.automation.optimization import Objective

    parent = Task.create("stand-in", "a controller", "optimizer")
    parent.mark_started()
    child = Task.create("stand-in", "a trial", "training")
    child.set_parent(parent.id)
    child.set_tags(["optimization"])
    child.mark_started()
    child.set_parameters({"General/price": "0.002"})
    child.get_logger().report_scalar("accuracy", "validation", 0.5, 1)
    child.get_logger().report_scalar("accuracy", "validation", 0.9, 2)
    child.get_logger().report_single_value("cost", 1.5)
    child.get_logger().report_table("summary", "job", 0, table_plot=[["a"], [1]])
    child.upload_artifact("notes", {"a": 1}, wait_on_upload=True)
    child.flush(wait_for_uploads=True)
    child.mark_completed()

    seen = Task.get_task(child.id)
    assert seen.status == "completed"
    assert seen.parent == parent.id
    assert seen.get_parameters() == {"General/price": "0.002"}
    assert seen.get_reported_scalars()["accuracy"]["validation"] == {
        "name": "validation",
        "x": [1, 2],
        "y": [0.5, 0.9],
    }
    assert seen.get_reported_single_values() == {"cost": 1.5}
    assert seen.get_last_scalar_metrics()["accuracy"]["validation"]["last"] == 0.9
    assert seen.artifacts["notes"].get() == {"a": 1}
    assert [plot["metric"] for plot in seen.get_reported_plots()] == ["summary"]
    objective = Objective("accuracy", "validation")
    assert [t.id for t in objective.get_top_tasks(3, optimizer_task_id=parent.id)] == [child.id]


@pytest.mark.slow
def test_a_dataset_and_its_child_are_read_back(stand_in: StandIn, tmp_path: Path) -> None:
    from clearml import Dataset

    (tmp_path / "a.txt").write_text("a")
    root = Dataset.create("images", "stand-in", dataset_version="1.0.0")
    root.add_files(str(tmp_path / "a.txt"), verbose=False)
    root.upload(show_progress=False, preview=False)
    root.finalize()
    (tmp_path / "b.txt").write_text("b")
    child = Dataset.create("labels", "stand-in", dataset_version="1.0.1", parent_datasets=[root.id])
    child.add_files(str(tmp_path / "b.txt"))
    child.set_metadata({"usd": 1.5}, "cost", ui_visible=False)
    child.upload(show_progress=False, preview=False)
    child.finalize()

    seen = Dataset.get(dataset_id=child.id)
    assert sorted(os.listdir(seen.get_local_copy())) == ["a.txt", "b.txt"]
    assert seen.get_metadata("cost") == {"usd": 1.5}
    assert {d["version"] for d in Dataset.list_datasets("stand-in")} == {"1.0.0", "1.0.1"}


def test_clones_wait_in_a_queue_for_an_agent(stand_in: StandIn) -> None:
    from clearml import Task
    from clearml.backend_api.session.client import APIClient

    template = Task.create("stand-in", "a template", "training")
    template.set_parameters({"General/overlap": "1"})
    clone = Task.clone(template, name="a clone", parent=template.id)
    clone.set_parameter("General/overlap", 3)
    Task.enqueue(clone, queue_name="default")
    assert Task.get_task(clone.id).get_parameters() == {"General/overlap": "3"}
    assert clone.get_status() == "queued"
    client = APIClient()
    queue = client.queues.get_all(name="default")[0].id
    assert client.queues.get_next_task(queue=queue).entry.task == clone.id
    Task.get_task(clone.id).mark_started(force=True)
    assert [t.id for t in Task.get_tasks(task_filter={"parent": template.id})] == [clone.id]


def test_what_the_real_server_refuses_is_refused(stand_in: StandIn) -> None:
    from clearml.backend_api.session.client import APIClient
    from clearml.backend_api.session.client.client import APIError

    client = APIClient()
    with pytest.raises(APIError, match="at least 3 characters"):
        client.tasks.create(name="ab", type="training")
    task = client.tasks.create(name="abc", type="training").id
    with pytest.raises(APIError, match="Invalid status change"):
        client.tasks.completed(task=task)
    client.tasks.started(task=task)
    client.tasks.completed(task=task)
    with pytest.raises(APIError, match="Invalid task status"):
        client.tasks.edit(task=task, comment="too late")


def test_faults_come_as_they_were_ordered(stand_in: StandIn) -> None:
    import requests

    def ask() -> int:
        keys = ("stand-in-access", "stand-in-secret")
        return requests.get(f"{stand_in.host}/auth.login", auth=keys, timeout=5).status_code

    assert ask() == 200
    assert requests.get(f"{stand_in.host}/auth.login", timeout=5).status_code == 401
    stand_in.faults.down(503)
    assert ask() == 503
    for fault in (DROPPED, CUT):
        stand_in.faults.down(fault)
        with pytest.raises(requests.ConnectionError):
            ask()
    stand_in.faults.clear()
    stand_in.faults.half_of_the_time(2, (500,))
    assert [ask() for _ in range(8)] == [200, 200, 500, 500, 200, 200, 500, 500]
    stand_in.faults.clear()
    stand_in.faults.slow(0.2)
    start = time.perf_counter()
    ask()
    assert time.perf_counter() - start > 0.2
    assert stand_in.requests["auth.login"] == 14
