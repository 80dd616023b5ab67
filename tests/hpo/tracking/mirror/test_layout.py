"""What is written as a Dataset is what the SDK itself writes and reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hpo.tracking.clearml.server.connection import Remote
from hpo.tracking.clearml.server.dataset_layout import File, lay_out, node_of
from hpo.tracking.clearml.server.records import Parts, Record
from hpo.tracking.clearml.server.writer import Writer
from tests.clearml_server import StandIn

pytest.importorskip("clearml")

IMAGES = {"a.png": b"\x00" * 300, "b/c.png": b"\x01" * 5}
LABELS = {"labels.csv": b"image,label\n", "manifest.json": b"{}\n"}


def write(
    writer: Writer, project: str, name: str, version: str, files: list[File], parent: Any
) -> str:
    def build(task: str) -> Parts:
        layout = lay_out(task, name, version, files, parent, 1_700_000_000)
        return Parts(
            configuration=layout.configuration,
            runtime=layout.runtime,
            artifacts=layout.artifacts,
            plots=layout.plots,
        )

    writer.open_project(f"{project}/.datasets", ("hidden",))
    full = f"{project}/.datasets/{name}"
    writer.open_project(full, ("dataset", "hidden"))
    params = {"properties": {"version": version}}
    record = Record(
        f"ours {name}",
        "d",
        name,
        "data_processing",
        full,
        "",
        [],
        ["dataset"],
        "",
        params,
        "completed",
        "completed",
        build,
    )
    return writer.ensure(record)


def node(remote: Remote, task: str) -> Any:
    found = remote.call("tasks.get_by_id", {"task": task})["task"]
    state = next(a for a in found["execution"]["artifacts"] if a["key"] == "state")
    return node_of(found, json.loads(remote.files.download(state["uri"])))


def by_the_sdk(folder: Path) -> tuple[str, str]:
    from clearml import Dataset

    ids: list[str] = []
    for name, files in (("images", IMAGES), ("labels", LABELS)):
        source = folder / name
        for path, content in files.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(content)
        dataset = Dataset.create(
            name, "theirs", dataset_version=f"1.0.{len(ids)}", parent_datasets=ids[:1]
        )
        dataset.add_files(str(source))
        dataset.upload(show_progress=False, preview=False)
        dataset.finalize()
        ids.append(dataset.id)
    return ids[0], ids[1]


def by_us() -> tuple[str, str]:
    remote = Remote()
    writer = Writer(remote)
    files = [File(path, content) for path, content in IMAGES.items()]
    root = write(writer, "ours", "images", "1.0.0", files, None)
    files = [File(path, content) for path, content in LABELS.items()]
    return root, write(writer, "ours", "labels", "1.0.1", files, node(remote, root))


def comparable(stand_in: StandIn, root: str, child: str) -> dict[str, Any]:
    """Both datasets without the ids, times and addresses of one server."""
    found = {}
    for name, task_id in (("images", root), ("labels", child)):
        task = stand_in.api.tasks.get(task_id)
        artifacts = {a["key"]: a for a in task["execution"]["artifacts"]}
        where = artifacts["state"]["uri"].removeprefix(stand_in.files_host).strip("/")
        state = json.loads(stand_in.files[where])
        struct = json.loads(task["configuration"]["Dataset Struct"]["value"])
        content = task["configuration"]["Dataset Content"]["value"].splitlines()
        plots = stand_in.api.call("events.get_task_plots", {"task": task_id})["plots"]
        project = stand_in.api.projects.get(task["project"])
        text = json.dumps(
            {
                "type": task["type"],
                "status": task["status"],
                "dataset": "dataset" in task["system_tags"],
                "project": (project["name"].partition("/")[2], sorted(project["system_tags"])),
                "version": task["hyperparams"]["properties"]["version"]["value"],
                "runtime": {k: v for k, v in task["runtime"].items() if "compressed" not in k},
                "artifacts": sorted((a["key"], a["type"], a["mode"]) for a in artifacts.values()),
                "types": sorted(a["type_data"]["content_type"] for a in artifacts.values()),
                "changed": artifacts["state"]["display_data"],
                "entries": sorted(state.pop("dataset_file_entries"), key=lambda e: e["hash"]),
                "state": state,
                "struct": sorted(
                    (
                        {k: v for k, v in node.items() if k not in ("last_update", "status")}
                        | {"parents": [struct[p]["job_id"] for p in node["parents"]]}
                        for node in struct.values()
                    ),
                    key=lambda node: node["name"],
                ),
                "content": [content[0], *sorted(content[1:])],
                "plots": {p["metric"]: json.loads(p["plot_str"])["data"][0]["type"] for p in plots},
            },
            sort_keys=True,
        )
        found[name] = json.loads(text.replace(root, "<root>").replace(child, "<child>"))
    return found


def test_a_version_is_laid_out_as_the_sdk_lays_it_out(stand_in: StandIn, tmp_path: Path) -> None:
    theirs = comparable(stand_in, *by_the_sdk(tmp_path))
    ours = comparable(stand_in, *by_us())
    assert ours == theirs


def test_large_sets_are_split_and_links_are_not_uploaded(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clearml import Dataset

    from hpo.tracking.clearml.server import dataset_layout

    monkeypatch.setattr(dataset_layout, "CHUNK_BYTES", 100)
    web = stand_in.files_host
    stand_in.files["web/far.png"] = b"far away"
    files = [File(f"{number}.png", bytes([number]) * 60) for number in range(5)]
    files.append(File("far.png", b"far away", f"{web}/web/far.png"))
    remote = Remote()
    task = write(Writer(remote), "ours", "large", "1.0.0", files, None)
    held = node(remote, task)
    assert held.chunks == 5
    assert [link["link"] for link in held.links] == [f"{web}/web/far.png"]
    assert not any(
        b"far away" in content for path, content in stand_in.files.items() if "large" in path
    )
    copy = Path(Dataset.get(dataset_id=task).get_local_copy())
    assert sorted(path.name for path in copy.iterdir()) == [
        *(f"{number}.png" for number in range(5)),
        "far.png",
    ]
    assert (copy / "3.png").read_bytes() == b"\x03" * 60
    assert (copy / "far.png").read_bytes() == b"far away"
