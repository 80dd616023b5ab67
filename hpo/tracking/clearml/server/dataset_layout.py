"""The layout of a ClearML Dataset: a task, a state file, archives and a few well-known fields.

Written here rather than by `clearml.Dataset`, which needs 119 requests where 10 will do, leaves a
second version behind when it is repeated after a dropped connection, and starts threads of its own.
A test compares this layout with the SDK's, and reads it back with the SDK.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpo.tracking.clearml.server.records import PREVIEW, Artifact, Figure, Plot

CHUNK_BYTES = 64 * 2**20
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # so that the same files give the same archive
_FONT = {"family": "Heebo, verdana, arial, sans-serif", "size": 12, "color": "#333"}


@dataclass(frozen=True, slots=True)
class File:
    """A file of a dataset.

    Attributes:
        path: its path inside the dataset.
        content: its bytes, or the file that holds them.
        link: where it lies outside ClearML; it is not uploaded then.
    """

    path: str
    content: bytes | Path
    link: str | None = None

    def read(self) -> bytes:
        """The content."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


@dataclass(frozen=True, slots=True)
class Node:
    """A finished dataset, as its children refer to it.

    Attributes:
        entries: file entries, and links: link entries, of its state file.
        size: bytes in all. packed: bytes of its archives. added: number of its own files.
        last_update: epoch seconds.
    """

    id: str
    name: str
    version: str
    entries: list[dict[str, Any]]
    links: list[dict[str, Any]]
    size: int
    packed: int
    added: int
    chunks: int
    last_update: int


@dataclass(slots=True)
class Layout:
    """The content of a dataset's task."""

    node: Node
    artifacts: list[Artifact]
    configuration: dict[str, tuple[str, str, str]]
    runtime: dict[str, Any]
    plots: list[Plot] = field(default_factory=list)


def lay_out(
    task: str,
    name: str,
    version: str,
    files: Iterable[File],
    parent: Node | None,
    at_s: int,
    scratch: Path | None = None,
) -> Layout:
    """Lay a dataset out.

    Args:
        task: its task's id.
        name: its name.
        version: its version string.
        files: its own files.
        parent: the dataset whose files it holds, too.
        at_s: epoch seconds that its structure carries.
        scratch: a folder for the archives; None keeps them in memory.
    """
    entries, links, archives = _pack(task, files, scratch)
    own = sum(entry["size"] for entry in (*entries, *links))
    node = Node(
        task,
        name,
        version,
        [*(parent.entries if parent else []), *entries],
        [*(parent.links if parent else []), *links],
        own + (parent.size if parent else 0),
        sum(_size(a) for a in archives) + (parent.packed if parent else 0),
        len(entries) + len(links),
        len(archives),
        at_s,
    )
    state = _state(node, parent)
    return Layout(
        node,
        [*archives, _state_artifact(state, node, own)],
        {
            "Dataset Struct": (_struct(node, parent), "json", "Structure of the dataset"),
            "Dataset Content": (_content(node), "CSV", "Dataset content preview"),
        },
        {
            "orig_dataset_name": name,
            "orig_dataset_id": task,
            "version": version,
            "ds_file_count": len(node.entries),
            "ds_link_count": len(node.links),
            "ds_total_size": node.size,
            "ds_total_size_compressed": node.packed,
            "ds_change_add": node.added,
            "ds_change_remove": 0,
            "ds_change_modify": 0,
            "ds_change_size": own,
        },
        [
            Plot("__Dataset Genealogy", "", _genealogy(node, parent)),
            Plot("__Dataset Summary", "Details", _details(node, parent)),
        ],
    )


def node_of(task: Mapping[str, Any], state: Mapping[str, Any]) -> Node:
    """An existing dataset, from its task and its state file."""
    runtime = task["runtime"]
    archives = [a for a in task["execution"]["artifacts"] if _is_archive(a["key"])]
    return Node(
        task["id"],
        task["name"],
        runtime["version"],
        list(state["dataset_file_entries"]),
        list(state["dataset_link_entries"]),
        int(runtime["ds_total_size"]),
        int(runtime["ds_total_size_compressed"]),
        int(runtime["ds_change_add"]),
        len(archives),
        int(next(iter(json.loads(_struct_of(task)).values()))["last_update"]),
    )


def _struct_of(task: Mapping[str, Any]) -> str:
    return str(task["configuration"]["Dataset Struct"]["value"])


def _is_archive(key: str) -> bool:
    return key == "data" or key.startswith("data_")


def _size(archive: Artifact) -> int:
    content = archive.content
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _pack(
    task: str, files: Iterable[File], scratch: Path | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[Artifact]]:
    """Entries of files, entries of links, and archives of the files."""
    entries: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
    archives: list[Artifact] = []
    for number, chunk in enumerate(_chunks(files, links, task)):
        key = "data" if number == 0 else f"data_{number:03d}"
        entries += [
            _entry(file.path, content, task) | {"artifact_name": key} for file, content in chunk
        ]
        archives.append(_archive(key, task, chunk, scratch))
    return entries, links, archives


def _entry(path: str, content: bytes, task: str) -> dict[str, Any]:
    return {
        "relative_path": path,
        "hash": hashlib.sha256(content).hexdigest(),
        "parent_dataset_id": task,
        "size": len(content),
    }


def _chunks(
    files: Iterable[File], links: list[dict[str, Any]], task: str
) -> Iterator[list[tuple[File, bytes]]]:
    """Files in portions of an archive each; links are noted on the way."""
    chunk: list[tuple[File, bytes]] = []
    size = 0
    for file in files:
        content = file.read()
        if file.link is not None:
            links.append(_entry(file.path, content, task) | {"link": file.link})
            continue
        if chunk and size + len(content) > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append((file, content))
        size += len(content)
    if chunk:
        yield chunk


def _archive(
    key: str, task: str, chunk: Sequence[tuple[File, bytes]], scratch: Path | None
) -> Artifact:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in chunk:
            info = zipfile.ZipInfo(file.path, _LONG_AGO)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    packed: bytes | Path = buffer.getvalue()
    if scratch is not None:
        packed = scratch / f"{key}.zip"
        packed.write_bytes(buffer.getvalue())
    preview = "".join(f"{file.path} - {len(content)} bytes\n" for file, content in chunk)
    name = f"dataset.{task}.{key}.zip"
    return Artifact(key, name, packed, "custom", _cut(preview), "application/zip")


def _cut(text: str) -> str:
    if len(text) <= PREVIEW:
        return text
    return text[: text.rfind("\n", 0, PREVIEW) + 1] + "...\ntruncated (too many files)"


def _state(node: Node, parent: Node | None) -> dict[str, Any]:
    graph = {node.id: [parent.id] if parent else []} | ({parent.id: []} if parent else {})
    chunks = {node.id: node.chunks} | ({parent.id: parent.chunks} if parent else {})
    return {
        "file_count": len(node.entries) + len(node.links),
        "total_size": node.size,
        "dataset_file_entries": node.entries,
        "dataset_link_entries": node.links,
        "dependency_graph": graph,
        "id": node.id,
        "dirty": False,
        "dependency_chunk_lookup": chunks,
    }


def _state_artifact(state: Mapping[str, Any], node: Node, own: int) -> Artifact:
    preview = (
        "Dataset state\n"
        f"Files added/modified: {node.added} - total size {own} B\n"
        f"Current dependency graph: {json.dumps(state['dependency_graph'], indent=2)}\n"
    )
    changed = {"files added": node.added, "files removed": 0, "files modified": 0}
    return Artifact(
        "state",
        "state.json",
        json.dumps(state, indent=1).encode(),
        "dict",
        preview,
        "application/json",
        {name: str(count) for name, count in changed.items()},
    )


def _struct(node: Node, parent: Node | None) -> str:
    nodes = {
        str(at): {
            "job_id": each.id,
            "status": "completed",
            "last_update": each.last_update,
            "parents": ["1"] if parent and each is node else [],
            "job_size": each.size,
            "name": each.name,
            "version": each.version,
        }
        for at, each in enumerate([node, parent] if parent else [node])
        if each
    }
    return json.dumps(nodes, indent=1)


def _content(node: Node) -> str:
    lines = [f"File Name ({len(node.entries)} files), File Size (total {node.size} B), Hash (SHA2)"]
    lines += [f"{e['relative_path']}, {e['size']}, {e['hash']}" for e in node.entries]
    return _cut("\n".join(lines) + "\n")


def _nodes(node: Node, parent: Node | None) -> list[Node]:
    return [parent, node] if parent else [node]


def _said(node: Node, size: int) -> str:
    words = (
        f"name {node.name}",
        "removed 0",
        "modified 0",
        f"added {node.added}",
        f"size {size} B",
    )
    return "<br />".join(words)


def _sizes(node: Node, parent: Node | None) -> list[int]:
    """Bytes that each of the nodes adds."""
    return [parent.size, node.size - parent.size] if parent else [node.size]


def _genealogy(node: Node, parent: Node | None) -> Figure:
    both, sizes = _nodes(node, parent), _sizes(node, parent)
    words = [_said(each, size) for each, size in zip(both, sizes, strict=True)]
    layout = {"xaxis": {"visible": False}, "yaxis": {"visible": False}, "title": ""}
    if parent is None:
        point = {
            "x": [0],
            "y": [1],
            "text": [node.id],
            "customdata": words,
            "mode": "markers",
            "hovertemplate": "%{customdata}<extra></extra>",
            "marker": {"color": [], "size": [40]},
            "showlegend": False,
            "type": "scatter",
        }
        return {"data": [point], "layout": {"hovermode": "closest", **layout}}
    flow = {
        "link": {
            "source": [0],
            "target": [1],
            "value": [max(1, parent.added)],
            "hovertemplate": "<extra></extra>",
        },
        "node": {
            "label": [each.id for each in both],
            "color": ["lightblue", "mediumpurple"],
            "customdata": words,
            "hovertemplate": "%{customdata}<extra></extra>",
            "hoverlabel": {"align": "left"},
        },
        "textfont": {"color": "rgba(0,0,0,255)", "size": 10},
        "type": "sankey",
        "orientation": "h",
    }
    return {"data": [flow], "layout": layout}


def _details(node: Node, parent: Node | None) -> Figure:
    both, sizes = _nodes(node, parent), _sizes(node, parent)
    none = [0] * len(both)
    table = {
        "type": "table",
        "header": {
            "values": ["Dataset id", "name", "removed", "modified", "added", "size"],
            "align": "left",
            "font": _FONT,
        },
        "cells": {
            "values": [
                [each.id for each in both],
                [each.name for each in both],
                none,
                none,
                [each.added for each in both],
                [f"{size} B" for size in sizes],
            ],
            "align": "left",
            "font": _FONT,
        },
    }
    return {"data": [table], "layout": {"title": "Files by parent dataset id"}}
