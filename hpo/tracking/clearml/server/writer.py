"""Write records to a server: each is looked up before it is made, and left alone if it is equal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.tracking.clearml.server.connection import Remote
from hpo.tracking.clearml.server.contents import Contents, slug
from hpo.tracking.clearml.server.records import Params, Parts, Record

OUR_ID, DIGEST = "labelworth_id", "labelworth_digest"
"""User properties: our id of a task, and the digest of its complete content."""

_UNDERWAY = ("queued", "in_progress")
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Held:
    """A task of ours on the server."""

    id: str
    status: str
    digest: str


class Writer:
    """Writes records, and remembers the tasks that the server holds.

    Args:
        remote: the server.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._contents = Contents(remote)
        self._projects: dict[str, str] = {}
        self._held: dict[str, dict[str, Held]] = {}

    # --- projects -------------------------------------------------------------------------------

    def open_project(self, name: str, system_tags: Sequence[str]) -> str:
        """A project's id. A missing project is made; missing system tags are added."""
        if name in self._projects:
            return self._projects[name]
        project = self._find_project(name)
        if project is None:
            body = {"name": name, "description": "", "system_tags": list(system_tags)}
            made = self._remote.make(
                "projects.create", body, lambda: (self._find_project(name) or {}).get("id")
            )
            project = {"id": made, "system_tags": list(system_tags)}
        has = project.get("system_tags") or []
        if not set(system_tags) <= set(has):
            tags = sorted({*has, *system_tags})
            self._remote.call("projects.update", {"project": project["id"], "system_tags": tags})
        self._projects[name] = project["id"]
        return str(project["id"])

    def _find_project(self, name: str) -> dict[str, Any] | None:
        body = {
            "name": f"^{re.escape(name)}$",
            "only_fields": ["id", "name", "system_tags"],
            "search_hidden": True,
        }
        projects: list[dict[str, Any]] = self._remote.call("projects.get_all", body)["projects"]
        return next((project for project in projects if project["name"] == name), None)

    # --- tasks ----------------------------------------------------------------------------------

    def find(self, key: str, project: str) -> Held | None:
        """The task of a key in an open project."""
        if project not in self._held:
            self._held[project] = dict(self._list(project))
        return self._held[project].get(key)

    def _list(self, project: str) -> Iterator[tuple[str, Held]]:
        """Our tasks in a project, newest first: of two with the same key, the older counts."""
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
        """Whether an agent still works on the task that a record adopts."""
        if not record.adopt or self.find(record.key, record.project) is not None:
            return False
        held = self._adopted(record)
        return held is not None and held.status in _UNDERWAY

    def _adopted(self, record: Record) -> Held | None:
        """The task that an agent ran for a record; None if it is gone, or has another parent."""
        if not record.adopt:
            return None
        body = {
            "id": [record.adopt],
            "parent": record.parent,
            "only_fields": ["id", "status"],
            "search_hidden": True,
        }
        tasks = self._remote.call("tasks.get_all", body)["tasks"]
        return Held(tasks[0]["id"], tasks[0]["status"], "") if tasks else None

    def ensure(self, record: Record) -> str:
        """Write a record, if the server does not hold it yet. Returns its task's id."""
        held = self.find(record.key, record.project) or self._adopted(record)
        if held is not None and held.status == "published":
            return held.id  # a person has locked it
        if held is not None and (held.digest, held.status) == (record.digest, record.status):
            return held.id
        is_new = held is None
        task = held.id if held is not None else self._create(record)
        if held is None or held.status != "in_progress":
            self._remote.call("tasks.started", {"task": task, "force": True})
        self._note(record, Held(task, "in_progress", ""))
        if held is not None:
            self._write_params(record, task, "")  # until its content is complete again
        parts = record.build(task)
        folder = f"{path_of(record.project)}/{slug(record.name)}.{task}"
        self._contents.fill(task, folder, self._projects[record.project], parts, is_new)
        self._close(record, task, parts, is_new)
        return task

    def _create(self, record: Record) -> str:
        body = {
            **_face(record),
            "type": record.kind,
            "project": self._projects[record.project],
            "hyperparams": _sections(record.params, record.key),
            **({"parent": record.parent} if record.parent else {}),
            **({"script": dict(record.script)} if record.script else {}),
        }

        def look() -> str | None:
            self._held.pop(record.project, None)
            held = self.find(record.key, record.project)
            return held.id if held else None

        return self._remote.make("tasks.create", body, look)

    def _close(self, record: Record, task: str, parts: Parts, is_new: bool) -> None:
        """Write the rest and the digest, and set the final status."""
        fields: dict[str, Any] = {"runtime": dict(parts.runtime)} if parts.runtime else {}
        if parts.configuration:
            fields["configuration"] = {
                name: {"name": name, "value": value, "type": kind, "description": about}
                for name, (value, kind, about) in parts.configuration.items()
            }
        if is_new:  # no other process has written parameters yet
            fields["hyperparams"] = _sections(record.params, record.key, record.digest)
        else:
            fields |= _face(record) | ({"parent": record.parent} if record.parent else {})
            if record.script and task != record.adopt:  # an agent's task has its own script
                fields["script"] = dict(record.script)
        self._remote.call("tasks.edit", {"task": task, "force": True, **fields})
        if record.status != "in_progress":
            body = {"task": task, "status_reason": record.reason, "status_message": record.reason}
            self._remote.call(f"tasks.{record.status}", {**body, "force": True})
        if not is_new:
            item = parameter("properties", DIGEST, record.digest)
            self._write_items(task, [item])
        self._note(record, Held(task, record.status, record.digest))

    def _write_params(self, record: Record, task: str, whole: str) -> None:
        sections = _sections(record.params, record.key, whole)
        self._write_items(
            task, [item for section in sections.values() for item in section.values()]
        )

    def _write_items(self, task: str, items: Sequence[Mapping[str, str]]) -> None:
        body = {"task": task, "hyperparams": items, "replace_hyperparams": "none", "force": True}
        self._remote.call("tasks.edit_hyper_params", body)

    def _note(self, record: Record, held: Held) -> None:
        self._held.setdefault(record.project, {})[record.key] = held


def _face(record: Record) -> dict[str, Any]:
    """A task's name, tags and comment."""
    return {
        "name": record.name,
        "tags": list(record.tags),
        "system_tags": list(record.system_tags),
        "comment": record.comment,
    }


def parameter(section: str, name: str, value: Any) -> dict[str, str]:
    """A parameter as the API takes it."""
    return {"section": section, "name": name, "value": str(value), "type": type(value).__name__}


def _sections(
    params: Params, key: str, whole: str | None = None
) -> dict[str, dict[str, dict[str, str]]]:
    """Parameters as the API takes them, our id among the user properties.

    Args:
        params: the parameters.
        key: our id.
        whole: the digest of the complete content; None leaves it out.
    """
    ours = {OUR_ID: key, **({} if whole is None else {DIGEST: whole})}
    named = {**params, "properties": {**params.get("properties", {}), **ours}}
    return {
        section: {name: parameter(section, name, value) for name, value in values.items()}
        for section, values in named.items()
    }


def path_of(project: str) -> str:
    """A project's folder on the file server: its name without letters that an address quotes."""
    return "/".join(slug(part) or "project" for part in project.split("/"))
