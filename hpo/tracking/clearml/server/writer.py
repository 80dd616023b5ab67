"""Write records to a server: looked up before they are made, and left alone when they are right."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.tracking.clearml.server.connection import Remote
from hpo.tracking.clearml.server.records import Artifact, ModelFile, Params, Parts, Record

OUR_ID, DIGEST = "labelworth_id", "labelworth_digest"
"""User properties by which a task is found again, and known to be whole."""

_SINGLE = -(2**31)  # the iteration of a value that has none
_UNDERWAY = ("queued", "in_progress")
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Held:
    """A task of ours on the server."""

    id: str
    status: str
    digest: str


class Writer:
    """Writes records, and remembers what the server holds of them.

    Args:
        remote: the server.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._projects: dict[str, str] = {}
        self._held: dict[str, dict[str, Held]] = {}

    # --- projects -------------------------------------------------------------------------------

    def open_project(self, name: str, system_tags: Sequence[str]) -> str:
        """A project's id; it is made if it is not there, and gets system tags that it lacks."""
        if name in self._projects:
            return self._projects[name]
        found = self._find_project(name)
        if found is None:
            body = {"name": name, "description": "", "system_tags": list(system_tags)}
            made = self._remote.make(
                "projects.create", body, lambda: (self._find_project(name) or {}).get("id")
            )
            found = {"id": made, "system_tags": list(system_tags)}
        has = found.get("system_tags") or []
        if not set(system_tags) <= set(has):
            tags = sorted({*has, *system_tags})
            self._remote.call("projects.update", {"project": found["id"], "system_tags": tags})
        self._projects[name] = found["id"]
        return str(found["id"])

    def _find_project(self, name: str) -> dict[str, Any] | None:
        body = {
            "name": f"^{re.escape(name)}$",
            "only_fields": ["id", "name", "system_tags"],
            "search_hidden": True,
        }
        found: list[dict[str, Any]] = self._remote.call("projects.get_all", body)["projects"]
        return next((project for project in found if project["name"] == name), None)

    # --- tasks ----------------------------------------------------------------------------------

    def find(self, key: str, project: str) -> Held | None:
        """The task of a key in an open project."""
        if project not in self._held:
            self._held[project] = dict(self._list(project))
        return self._held[project].get(key)

    def _list(self, project: str) -> Iterator[tuple[str, Held]]:
        """Our tasks in a project; of two under one key the older counts, so newest first."""
        for page in range(10_000):
            body = {
                "project": [self._projects[project]],
                "only_fields": ["id", "status", "hyperparams"],
                "order_by": ["-created"],
                "search_hidden": True,
                "page": page,
                "page_size": _PAGE,
            }
            tasks = self._remote.call("tasks.get_all", body)["tasks"]
            for task in tasks:
                properties = (task.get("hyperparams") or {}).get("properties") or {}
                if OUR_ID in properties:
                    whole = properties.get(DIGEST, {}).get("value", "")
                    yield properties[OUR_ID]["value"], Held(task["id"], task["status"], whole)
            if len(tasks) < _PAGE:
                return

    def is_underway(self, record: Record) -> bool:
        """Whether an agent still works on the task that is to be a record's."""
        if not record.adopt or self.find(record.key, record.project) is not None:
            return False
        held = self._adopted(record)
        return held is not None and held.status in _UNDERWAY

    def _adopted(self, record: Record) -> Held | None:
        """The task that an agent ran for a record; None where it is gone, or somebody else's."""
        if not record.adopt:
            return None
        body = {
            "id": [record.adopt],
            "parent": record.parent,
            "only_fields": ["id", "status"],
            "search_hidden": True,
        }
        found = self._remote.call("tasks.get_all", body)["tasks"]
        return Held(found[0]["id"], found[0]["status"], "") if found else None

    def ensure(self, record: Record) -> str:
        """See to it that the server holds a record, and return its task's id."""
        held = self.find(record.key, record.project) or self._adopted(record)
        if held is not None and held.status == "published":
            return held.id  # a person has locked it
        if held is not None and (held.digest, held.status) == (record.digest, record.status):
            return held.id
        task = held.id if held is not None else self._create(record)
        self._open(record, task, held)
        self._fill(task, record, record.build(task))
        self._close(record, task)
        return task

    def _create(self, record: Record) -> str:
        body = {
            **_face(record),
            "type": record.kind,
            "project": self._projects[record.project],
            "hyperparams": _sections(record.params, record.key),
            **({"parent": record.parent} if record.parent else {}),
        }

        def look() -> str | None:
            self._held.pop(record.project, None)
            held = self.find(record.key, record.project)
            return held.id if held else None

        return self._remote.make("tasks.create", body, look)

    def _open(self, record: Record, task: str, held: Held | None) -> None:
        """Make a task writable; one that was there gets its name, tags and parameters anew."""
        self._note(record, Held(task, "in_progress", ""))
        if held is None or held.status != "in_progress":
            self._remote.call("tasks.started", {"task": task, "force": True})
        if held is None:
            return
        if held.digest:  # from here on, and until it is whole again, it is not
            self._set_properties(task, {DIGEST: ""})
        parent = {"parent": record.parent} if record.parent else {}
        self._remote.call("tasks.edit", {"task": task, "force": True, **_face(record), **parent})
        sections = _sections(record.params, record.key)
        items = [item for section in sections.values() for item in section.values()]
        body = {"task": task, "hyperparams": items, "replace_hyperparams": "none", "force": True}
        self._remote.call("tasks.edit_hyper_params", body)

    def _fill(self, task: str, record: Record, parts: Parts) -> None:
        folder = f"{record.project}/{_slug(record.name)}.{task}"
        if parts.artifacts:
            rows = [self._artifact(folder, artifact, parts) for artifact in parts.artifacts]
            body = {"task": task, "artifacts": rows, "force": True}
            self._remote.call("tasks.add_or_update_artifacts", body)
        fields: dict[str, Any] = {}
        if parts.runtime:
            fields["runtime"] = dict(parts.runtime)
        if parts.configuration:
            fields["configuration"] = {
                name: {"name": name, "value": value, "type": kind, "description": about}
                for name, (value, kind, about) in parts.configuration.items()
            }
        if fields:
            self._remote.call("tasks.edit", {"task": task, "force": True, **fields})
        if events := list(events_of(task, parts)):
            self._remote.send_events(events)
        if parts.model is not None:
            self._model(task, folder, record, parts.model)

    def _close(self, record: Record, task: str) -> None:
        if record.status != "in_progress":
            body = {"task": task, "status_reason": record.reason, "status_message": record.reason}
            self._remote.call(f"tasks.{record.status}", {**body, "force": True})
        self._set_properties(task, {DIGEST: record.digest})
        self._note(record, Held(task, record.status, record.digest))

    def _note(self, record: Record, held: Held) -> None:
        self._held.setdefault(record.project, {})[record.key] = held

    def _set_properties(self, task: str, values: Mapping[str, str]) -> None:
        items = [parameter("properties", name, value) for name, value in values.items()]
        body = {"task": task, "hyperparams": items, "replace_hyperparams": "none"}
        self._remote.call("tasks.edit_hyper_params", body)

    def _artifact(self, folder: str, artifact: Artifact, parts: Parts) -> dict[str, Any]:
        content = artifact.content
        content = content if isinstance(content, bytes) else content.read_bytes()
        path = f"{folder}/artifacts/{artifact.key}/{artifact.file}"
        return {
            "key": artifact.key,
            "type": artifact.kind,
            "mode": "output",
            "uri": self._remote.upload(path, content, artifact.mime),
            "content_size": len(content),
            "hash": hashlib.sha256(content).hexdigest(),
            "timestamp": parts.at_ms // 1000,
            "type_data": {"preview": artifact.preview, "content_type": artifact.mime},
            "display_data": [[name, value] for name, value in artifact.display.items()],
        }

    def _model(self, task: str, folder: str, record: Record, model: ModelFile) -> None:
        path = f"{folder}/models/{_slug(model.name)}{model.path.suffix}"
        mime = "application/octet-stream"
        uri = self._remote.upload(path, model.path.read_bytes(), mime)

        def look() -> str | None:
            body = {"task": [task], "only_fields": ["id", "name", "uri"]}
            found = self._remote.call("models.get_all", body)["models"]
            return next((row["id"] for row in found if row.get("uri") == uri), None)

        body = {
            "uri": uri,
            "name": model.name,
            "framework": "Custom",
            "labels": dict(model.labels),
            "task": task,
            "project": self._projects[record.project],
            "ready": True,
        }
        made = look() or self._remote.make("models.create", body, look)
        link = {"task": task, "name": model.name, "type": "output", "model": made}
        self._remote.call("tasks.add_or_update_model", link)


def _face(record: Record) -> dict[str, Any]:
    """What people see of a task first."""
    return {
        "name": record.name,
        "tags": list(record.tags),
        "system_tags": list(record.system_tags),
        "comment": record.comment,
    }


def parameter(section: str, name: str, value: Any) -> dict[str, str]:
    """A parameter as the API takes it."""
    return {"section": section, "name": name, "value": str(value), "type": type(value).__name__}


def _sections(params: Params, key: str) -> dict[str, dict[str, dict[str, str]]]:
    """Parameters as the API takes them, our id among the user properties."""
    named = {**params, "properties": {**params.get("properties", {}), OUR_ID: key}}
    return {
        section: {name: parameter(section, name, value) for name, value in values.items()}
        for section, values in named.items()
    }


def events_of(task: str, parts: Parts) -> Iterator[dict[str, Any]]:
    """A task's scalars and plots as the API takes them."""
    for scalar in parts.scalars:
        yield {
            "type": "training_stats_scalar",
            "task": task,
            "timestamp": parts.at_ms if scalar.at_ms is None else scalar.at_ms,
            "metric": scalar.metric,
            "variant": scalar.variant,
            "iter": _SINGLE if scalar.iteration is None else scalar.iteration,
            "value": scalar.value,
        }
    for plot in parts.plots:
        yield {
            "type": "plot",
            "task": task,
            "timestamp": parts.at_ms,
            "metric": plot.metric,
            "variant": plot.variant,
            "iter": 0,
            "plot_str": json.dumps(plot.figure),
        }


def _slug(name: str) -> str:
    """A name without what an address would have to quote."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")
