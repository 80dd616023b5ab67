"""The API server's memory and its endpoints by name."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from tests.clearml_server import events, tasks
from tests.clearml_server.documents import Collection, Document, Refused, now

VERSION = "2.31"


class Api:
    """Everything that the API server knows, behind one lock."""

    def __init__(self) -> None:
        self.tasks = Collection("task")
        self.projects = Collection("project")
        self.models = Collection("model")
        self.queues = Collection("queue")
        self.events = events.Events()
        self.workers: dict[str, Document] = {}
        self._lock = threading.Lock()
        for name in ("default", "services"):
            tasks.create_queue(self, {"name": name})

    def call(self, endpoint: str, body: Any) -> Document:
        """Do what an endpoint does.

        Raises:
            Refused: the request is not accepted.
        """
        with self._lock:
            if endpoint == "events.add_batch":
                return events.add_batch(self, body)
            if endpoint not in ENDPOINTS:
                raise Refused(400, 0, f"Unsupported endpoint: {endpoint}")
            found: Document = ENDPOINTS[endpoint](self, body)
            return found


def token() -> str:
    """What auth.login hands out: three parts as of a JSON web token, signed by nobody."""
    payload = {
        "exp": int(time.time()) + 86_400,
        "iat": int(time.time()),
        "api_version": VERSION,
        "server_version": "2.0.0",
        "server_build": "0",
        "feature_set": "basic",
        "env": "test",
        "identity": {"user": "tester", "company": "test", "role": "user"},
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, payload)]
    parts.append(b"nobody")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


# --- projects ---


def _project(api: Api, name: str, more: Mapping[str, Any]) -> Document:
    """A project of this exact name, made with those above it if it is not there."""
    for project in api.projects:
        if project["name"] == name:
            return project
    above, _, base = name.rpartition("/")
    parent = _project(api, above, {})["id"] if above else None
    return api.projects.add(
        {"name": name, "basename": base, "parent": parent, "tags": [], "system_tags": [], **more}
    )


def _create_project(api: Api, body: Mapping[str, Any]) -> Document:
    if len(body["name"]) < 3:
        raise Refused(400, 800, "Value is too short: name must have at least 3 characters")
    if any(project["name"] == body["name"] for project in api.projects):
        raise Refused(400, 402, "Value combination already exists: name")
    more = {k: body[k] for k in ("description", "tags", "system_tags") if body.get(k)}
    return {"id": _project(api, body["name"], more)["id"]}


def _update_project(api: Api, body: Mapping[str, Any]) -> Document:
    project = api.projects.get(body.get("project"))
    fields = {
        k: body[k]
        for k in ("name", "description", "tags", "system_tags", "default_output_destination")
        if body.get(k) is not None
    }
    project.update(deepcopy(fields), last_update=now())
    return {"updated": 1, "fields": fields}


# --- models ---


def _create_model(api: Api, body: Mapping[str, Any]) -> Document:
    if len(body["name"]) < 3:
        raise Refused(400, 800, "Value is too short: name must have at least 3 characters")
    model = api.models.add({"ready": True, "tags": [], "system_tags": [], "metadata": {}, **body})
    return {"id": model["id"], "created": True}


def _edit_model(api: Api, body: Mapping[str, Any]) -> Document:
    model = api.models.get(body.get("model"))
    fields = {k: v for k, v in body.items() if k not in ("model", "force") and v is not None}
    model.update(deepcopy(fields), last_update=now())
    return {"updated": 1, "fields": fields}


def _add_metadata(api: Api, body: Mapping[str, Any]) -> Document:
    model = api.models.get(body.get("model"))
    for item in body["metadata"]:
        model["metadata"][item["key"]] = dict(item)
    return {"updated": 1}


def _published_model(api: Api, body: Mapping[str, Any]) -> Document:
    api.models.get(body.get("model"))["ready"] = True
    return {"updated": 1}


# --- agents ---


def _register(api: Api, body: Mapping[str, Any]) -> Document:
    """An agent; one that dies is listed until its registration ends, with its last task."""
    queues = [{"id": queue} for queue in body.get("queues") or []]
    api.workers[body["worker"]] = {"id": body["worker"], "queues": queues, "task": None}
    return _heard_of(api, body["worker"])


def _unregister(api: Api, body: Mapping[str, Any]) -> Document:
    api.workers.pop(body["worker"], None)
    return {}


def _status_report(api: Api, body: Mapping[str, Any]) -> Document:
    """An agent lives, and so does the task that it works on."""
    if body["worker"] not in api.workers:
        _register(api, body)
    task = api.tasks.find(body.get("task"))
    api.workers[body["worker"]]["task"] = {"id": task["id"]} if task else None
    if task is not None:
        task.update(last_worker=body["worker"], last_update=now())
    return _heard_of(api, body["worker"])


def _heard_of(api: Api, worker: str) -> Document:
    api.workers[worker] |= {"last_activity_time": now(), "last_report_time": now()}
    return {}


def _by_id(collection: str, name: str) -> Any:
    return lambda api, body: {name: deepcopy(getattr(api, collection).get(body.get(name)))}


def _all(collection: str) -> Any:
    return lambda api, body: {collection: getattr(api, collection).query(body)[0]}


ENDPOINTS = {
    **tasks.ENDPOINTS,
    **events.ENDPOINTS,
    "auth.login": lambda api, body: {"token": token()},
    "users.get_current_user": lambda api, body: {"user": {"id": "tester", "name": "tester"}},
    "server.info": lambda api, body: {"version": "2.0.0", "api_version": VERSION},
    "projects.create": _create_project,
    "projects.update": _update_project,
    "projects.get_by_id": _by_id("projects", "project"),
    "projects.get_all": _all("projects"),
    "projects.get_all_ex": _all("projects"),
    "models.create": _create_model,
    "models.edit": _edit_model,
    "models.update": _edit_model,
    "models.get_by_id": _by_id("models", "model"),
    "models.get_all": _all("models"),
    "models.get_all_ex": _all("models"),
    "models.add_or_update_metadata": _add_metadata,
    "models.set_ready": _published_model,
    "workers.get_all": lambda api, body: {"workers": deepcopy(list(api.workers.values()))},
    "workers.register": _register,
    "workers.unregister": _unregister,
    "workers.status_report": _status_report,
}
"""Endpoint -> what it does."""
