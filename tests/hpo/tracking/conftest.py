"""Finished studies, and what a server holds of one in comparable form."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clearml_server import StandIn
from tests.conftest import SMALL, studies_in

TEN: dict[str, object] = {**SMALL, "budget": "0.6", "trials": 10, "seed": 3}
FOUR: dict[str, object] = {**TEN, "budget": "0.3", "trials": 4}


@pytest.fixture(scope="session")
def finished(small_data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a study of four purchases, never mirrored."""
    with studies_in(tmp_path_factory.mktemp("four"), small_data) as make:
        study = make(**FOUR, study="four")
        study.run()
    return Path(study.folder)


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return shutil.copytree(finished, tmp_path / "four")


@pytest.fixture
def ten(small_study: Callable[..., Any]) -> Path:
    """The run directory of a study of ten purchases: for what is told of each trial, and speed."""
    study = small_study(**TEN, study="ten")
    study.run()
    study.close()
    return Path(study.folder)


@pytest.fixture
def unique() -> str:
    """A study's name that no server knows yet."""
    return f"test-{uuid.uuid4().hex[:10]}"


class Seen:
    """What a server holds of one study, through the API alone: the same for any server."""

    def __init__(self, study: str) -> None:
        from clearml.backend_api import Session

        self._session = Session()
        self._study = study

    def call(self, endpoint: str, **body: Any) -> dict[str, Any]:
        service, action = endpoint.split(".")
        answer = self._session.send_request(
            service=service, action=action, version="2.20", method="post", json=body
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks of the study: controller, trials, label versions."""
        return self._under(f"^labelworth/{re.escape(self._study)}(/|$)")

    def _under(self, pattern: str) -> list[dict[str, Any]]:
        projects = self.call("projects.get_all", name=pattern, search_hidden=True)["projects"]
        if not projects:
            return []
        ids = [project["id"] for project in projects]
        found: list[dict[str, Any]] = self.call(
            "tasks.get_all", project=ids, search_hidden=True, page=0, page_size=500
        )["tasks"]
        return sorted(filter(_is_ours, found), key=_ours)

    def everything(self) -> dict[str, Any]:
        """Every task by our id, with parameters, lineage, artifacts, models, scalars and plots.

        The server's own ids are replaced by ours; times are left out.
        """
        tasks = self.tasks()
        for task in tasks:  # it covers the server's own ids
            assert len(task["hyperparams"]["properties"].pop("labelworth_digest")["value"]) == 32
        roots = self._under("^labelworth/.datasets/images-")
        names = {task["id"]: _ours(task) for task in (*tasks, *roots)}
        assert len(set(names.values())) == len(names), "a task is there twice"
        whole = {_ours(task): self._whole(task) for task in tasks}
        text = json.dumps(whole, sort_keys=True)
        for task, ours in names.items():
            text = text.replace(task, f"<{ours}>")
        text = re.sub(r"(projects/)[0-9a-f]{32}", r"\1<project>", text)
        found: dict[str, Any] = json.loads(text)
        return found

    def _whole(self, task: dict[str, Any]) -> dict[str, Any]:
        kept = ("name", "type", "status", "status_reason", "tags", "system_tags", "comment")
        events = self.call("events.get_task_plots", task=task["id"], iters=1)["plots"]
        scalars = self.call("events.scalar_metrics_iter_histogram", task=task["id"])
        single = self.call("events.get_task_single_value_metrics", tasks=[task["id"]])["tasks"]
        models = self.call("models.get_all", task=[task["id"]])["models"]
        log = self.call("events.get_task_log", task=task["id"], batch_size=10_000)["events"]
        return {
            **{name: task.get(name) for name in kept},
            "parent": task.get("parent"),
            "hyperparams": task["hyperparams"],
            "configuration": task["configuration"],
            "runtime": task.get("runtime"),
            "artifacts": sorted(
                [
                    {n: a[n] for n in ("key", "type", "uri", "type_data", "timestamp")}
                    for a in task["execution"].get("artifacts", [])
                ],
                key=lambda a: str(a["key"]),
            ),
            "models": [(m["name"], m["labels"], m["framework"]) for m in models],
            "linked": [row["name"] for row in task["models"]["output"]],
            "scalars": scalars,
            "console": sorted(
                (e["timestamp"], e["msg"]) for e in log if e["worker"] == "labelworth"
            ),
            "single": {row["variant"]: row["value"] for each in single for row in each["values"]},
            "plots": {
                f"{event['metric']}/{event['variant']}": json.loads(event["plot_str"])
                for event in events
            },
            "last": sorted(  # of single values the server remembers what they were before
                (v["metric"], v["variant"], v["value"])
                + ((v["min_value"], v["max_value"]) if v["metric"] != "Summary" else ())
                for row in task["last_metrics"].values()
                for v in row.values()
            ),
        }

    def updates(self) -> dict[str, str]:
        """When each task was changed last."""
        return {task["id"]: task["last_update"] for task in self.tasks()}

    def forget(self) -> None:
        """Delete the study's tasks."""
        for task in self.tasks():
            self.call("tasks.delete", task=task["id"], force=True)


def _ours(task: dict[str, Any]) -> str:
    return str(task["hyperparams"]["properties"]["labelworth_id"]["value"])


def _is_ours(task: dict[str, Any]) -> bool:
    """Not an engine's template, nor a trial that was refused."""
    return "labelworth_id" in task["hyperparams"].get("properties", {})


@pytest.fixture
def seen(clearml_server: Any) -> type[Seen]:
    """Looks at the server under test."""
    return Seen


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries that do not wait."""
    from hpo.tracking.clearml.mirror import publish
    from hpo.tracking.clearml.server import connection

    monkeypatch.setattr(connection, "_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(publish, "_PATIENCE_S", 0.0)


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Every place where two snapshots differ, so that a failure names the fields."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other})
        return [d for n in names for d in differences(one.get(n), other.get(n), f"{path}/{n}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [d for at, (a, b) in pairs for d in differences(a, b, f"{path}[{at}]")]
    return [] if one == other else [f"{path}: {str(one)[:200]} != {str(other)[:200]}"]


def mirrored(folder: Path) -> Any:
    """Bring a run directory to the server that the environment names, with nothing remembered."""
    from hpo.tracking.clearml.mirror.publish import publish

    return publish(folder, None, lambda *_: None)


def lacking(one: Any, other: Any, path: str = "") -> list[str]:
    """Every place where a snapshot differs from another that may hold more."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [d for n in one for d in lacking(one[n], other.get(n), f"{path}/{n}")]
    if isinstance(one, list) and isinstance(other, list) and one != other:
        return [f"{path}: {str(row)[:200]} is missing" for row in one if row not in other]
    return [] if one == other else [f"{path}: {str(one)[:200]} != {str(other)[:200]}"]


def until(what: Callable[[], bool], seconds: float = 240) -> None:
    """Wait for something to be so."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


def wait_for_mirror(folder: Path, seconds: float = 240) -> None:
    """Until the mirror's process is over, however late it begins, and has let the folder go."""
    deadline = time.monotonic() + seconds
    with (folder / "clearml.lock").open("a+") as file:
        while time.monotonic() < deadline:
            if not _mirrors(folder):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
            time.sleep(0.1)
    raise AssertionError((folder / "clearml.log").read_text())


def _mirrors(folder: Path) -> list[str]:
    """Numbers of the processes that mirror a folder: a slow one has not taken its lock yet."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"hpo.publish" in words and str(folder).encode() in words:
                found.append(process.name)
    return found


def rename(folder: Path, study: str) -> Path:
    """A run directory under another study name, as far as a mirror sees."""
    journal = folder / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        if line["event"] == "study":
            line["study"] = study
    journal.write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))
    return folder


__all__ = ["StandIn"]
