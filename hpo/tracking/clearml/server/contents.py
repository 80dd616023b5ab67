"""What a task holds beyond its face: files, events and a model. What was sent is not sent again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpo.tracking.clearml.server.connection import Remote
from hpo.tracking.clearml.server.events import LOG, Event, events_of, picture_event, place_of
from hpo.tracking.clearml.server.files import Put
from hpo.tracking.clearml.server.records import Artifact, ModelFile, Parts, digest

_PNG = "image/png"
_WEIGHTS = "application/octet-stream"
_MOST = 10_000
"""Lines of a console, and models of a project, that are looked at for what is there already."""


class Contents:
    """Fills tasks, and remembers what the server has got from this process.

    Args:
        remote: the server.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._files: dict[tuple[str, str], str] = {}
        self._events: dict[tuple[Any, ...], str] = {}
        self._consoles: set[str] = set()
        self._models: dict[str, str] = {}
        self._known_models: dict[str, list[dict[str, Any]]] = {}

    def fill(self, task: str, folder: str, project: str, parts: Parts, is_new: bool) -> None:
        """Bring a writable task to what it is to hold.

        Args:
            task: its id.
            folder: where its files lie on the file server.
            project: its project's id.
            parts: what it is to hold.
            is_new: whether it was made just now, so that nothing is there yet.

        Raises:
            MirrorUnavailable, MirrorRefused: as for `Remote.call`.
        """
        if is_new:
            self._consoles.add(task)
        self._send_artifacts(task, folder, parts)
        self._send_events(task, folder, parts)
        if parts.model is not None:
            self._send_model(task, project, parts.model)

    # --- files ----------------------------------------------------------------------------------

    def _send_artifacts(self, task: str, folder: str, parts: Parts) -> None:
        with self._remote.files.together() as put:
            entries = [self._artifact(task, folder, a, parts, put) for a in parts.artifacts]
        rows = [entry for entry in entries if entry is not None]
        if rows:
            body = {"task": task, "artifacts": [row for row, _ in rows], "force": True}
            self._remote.call("tasks.add_or_update_artifacts", body)
            self._files |= {(task, row["key"]): mark for row, mark in rows}

    def _artifact(
        self, task: str, folder: str, artifact: Artifact, parts: Parts, put: Put
    ) -> tuple[dict[str, Any], str] | None:
        """An artifact's entry and what tells it apart, its file uploaded; None if it is there."""
        content = artifact.content
        content = content if isinstance(content, bytes) else content.read_bytes()
        row = {
            "key": artifact.key,
            "type": artifact.kind,
            "mode": "output",
            "content_size": len(content),
            "hash": hashlib.sha256(content).hexdigest(),
            "timestamp": parts.at_ms // 1000,
            "type_data": {"preview": artifact.preview, "content_type": artifact.mime},
            "display_data": [[name, value] for name, value in artifact.display.items()],
        }
        mark = digest(row)
        if self._files.get((task, artifact.key)) == mark:
            return None
        path = f"{folder}/artifacts/{artifact.key}/{artifact.file}"
        return {**row, "uri": put(path, content, artifact.mime)}, mark

    # --- events ---------------------------------------------------------------------------------

    def _send_events(self, task: str, folder: str, parts: Parts) -> None:
        if parts.lines and task not in self._consoles:
            self._read_console(task)
        pictures = self._uploaded(task, folder, parts)
        news = [*pictures.values(), *self._unsent(events_of(task, parts))]
        if not news:
            return

        def left() -> Sequence[Event]:
            """A console line that an unanswered request has brought is not brought twice."""
            if any(event["type"] == LOG for event in news):
                self._read_console(task)
            there = [e for e in news if e["type"] == LOG and place_of(e) in self._events]
            return [event for event in news if event not in there]

        self._remote.send_events(news, left)
        self._events |= {place_of(event): _mark(event) for event in news}
        self._files |= {(task, path): mark for path, mark in pictures}

    def _unsent(self, events: Iterator[Event]) -> list[Event]:
        return [event for event in events if self._events.get(place_of(event)) != _mark(event)]

    def _read_console(self, task: str) -> None:
        body = {"task": task, "batch_size": _MOST}
        for event in self._remote.call("events.get_task_log", body)["events"]:
            line = {**event, "task": task, "type": LOG}
            self._events[place_of(line)] = _mark(line)
        self._consoles.add(task)

    def _uploaded(self, task: str, folder: str, parts: Parts) -> dict[tuple[str, str], Event]:
        """Upload the pictures that are not there yet: their events by path and content hash."""
        events: dict[tuple[str, str], Event] = {}
        with self._remote.files.together() as put:
            for picture in parts.pictures:
                name = f"{slug(picture.metric)}/{slug(picture.variant)}-{picture.iteration}.png"
                path = f"{folder}/metrics/{name}"
                mark = hashlib.sha256(picture.content).hexdigest()
                if self._files.get((task, path)) != mark:
                    url = put(path, picture.content, _PNG)
                    events[path, mark] = picture_event(task, picture, parts.at_ms, path, url)
        return events

    # --- models ---------------------------------------------------------------------------------

    def _send_model(self, task: str, project: str, model: ModelFile) -> None:
        mark = digest(model.name, model.file, model.tags, model.facts, model.comment)
        if self._models.get(task) == mark:
            return
        known = task in self._models
        uri = self._remote.files.address(model.file)
        if not known:
            uri = self._remote.files.upload(model.file, model.path.read_bytes(), _WEIGHTS)
        body = {"uri": uri, **_model_body(task, project, model)}
        found = self._find_model(task, project, model.name, uri)
        if found is None:

            def look() -> str | None:
                self._known_models.pop(project, None)
                return (self._find_model(task, project, model.name, uri) or {}).get("id")

            draft = {**body, "ready": False, "public": False}
            made = self._remote.make("models.create", draft, look)
            self._known_models[project].append({**draft, "id": made})
        else:
            made = str(found["id"])
            if not found.get("ready"):  # else a person has locked it
                self._remote.call("models.edit", {**body, "model": made})
        if not known:
            link = {"task": task, "name": model.name, "type": "output", "model": made}
            self._remote.call("tasks.add_or_update_model", link)
        self._models[task] = mark

    def _find_model(self, task: str, project: str, name: str, uri: str) -> dict[str, Any] | None:
        """The model of a name in a project that holds a file, else the one of a task."""
        if project not in self._known_models:
            fields = ["id", "name", "uri", "task", "ready"]
            body = {"project": [project], "only_fields": fields, "page": 0, "page_size": _MOST}
            self._known_models[project] = self._remote.call("models.get_all", body)["models"]
        named = [row for row in self._known_models[project] if row["name"] == name]
        same = [row for row in named if row.get("uri") == uri]
        return next(iter([*same, *(row for row in named if row.get("task") == task)]), None)


def _model_body(task: str, project: str, model: ModelFile) -> dict[str, Any]:
    return {
        "name": model.name,
        "framework": "PyTorch",
        "labels": dict(model.labels),
        "tags": list(model.tags),
        "system_tags": [],
        "comment": model.comment,
        "metadata": {
            name: {"key": name, "type": "str", "value": value}
            for name, value in model.facts.items()
        },
        "task": task,
        "project": project,
    }


def _mark(event: Mapping[str, Any]) -> str:
    """What tells an event from another in its place, where it can replace it."""
    if event["type"] == LOG:
        return LOG
    return digest({name: value for name, value in event.items() if name != "timestamp"})


def slug(name: str) -> str:
    """A name without what an address would have to quote."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")
