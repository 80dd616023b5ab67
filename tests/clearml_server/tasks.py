"""What the API does with tasks: create, edit, change status, artifacts, parameters, queues."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from tests.clearml_server.documents import Document, Refused, now

if TYPE_CHECKING:
    from tests.clearml_server.api import Api

_ALLOWED = {
    "created": ("queued", "in_progress"),
    "queued": ("created", "in_progress"),
    "in_progress": ("stopped", "failed", "created", "completed"),
    "stopped": ("closed", "created", "failed", "in_progress", "published", "completed"),
    "closed": ("created", "failed", "published", "stopped"),
    "failed": ("created", "stopped", "published"),
    "completed": ("published", "in_progress", "created"),
    "published": (),
}
_CREATE = (
    "name",
    "tags",
    "system_tags",
    "type",
    "comment",
    "parent",
    "project",
    "execution",
    "script",
    "hyperparams",
    "configuration",
    "container",
    "models",
)
_EDIT = (*_CREATE, "runtime", "status", "output", "last_iteration")
_UPDATE = ("name", "tags", "system_tags", "comment", "project", "last_iteration")
_TYPES = (
    "testing",
    "training",
    "inference",
    "data_processing",
    "application",
    "monitor",
    "controller",
    "optimizer",
    "service",
    "qc",
    "custom",
)

Body = Mapping[str, Any]


def _check_name(body: Body) -> None:
    if "name" in body and len(body["name"] or "") < 3:
        raise Refused(400, 800, "Value is too short: name must have at least 3 characters")


def _check_references(api: Api, body: Body) -> None:
    if body.get("type") is not None and body["type"] not in _TYPES:
        raise Refused(400, 12, f"Validation error: type: {body['type']!r}")
    if body.get("parent") and api.tasks.find(body["parent"]) is None:
        raise Refused(400, 16, "Invalid parent: expecting Task id")
    if body.get("project") and api.projects.find(body["project"]) is None:
        raise Refused(400, 401, "Invalid project id")


def _editable(task: Document, force: bool, everywhere: bool = False) -> None:
    allowed = ("created", "in_progress") if force else ("created",)
    if not everywhere and task["status"] not in allowed:
        raise Refused(400, 110, f"Invalid task status: expected=created, status={task['status']}")


def create(api: Api, body: Body) -> Document:
    """Make a draft."""
    _check_name(body)
    for needed in ("name", "type"):
        if not body.get(needed):
            raise Refused(400, 12, f"Validation error: {needed} is missing")
    _check_references(api, body)
    fields = {name: body[name] for name in _CREATE if body.get(name) is not None}
    if body.get("output_dest"):
        fields["output"] = {"destination": body["output_dest"]}
    task = api.tasks.add(
        {
            "user": "tester",
            "company": "test",
            "status": "created",
            "status_reason": "",
            "status_message": "",
            "status_changed": now(),
            "tags": [],
            "system_tags": [],
            "hyperparams": {},
            "configuration": {},
            "runtime": {},
            "execution": {},
            "output": {"destination": ""},
            "script": {"requirements": {}},
            "models": {"input": [], "output": []},
            "last_metrics": {},
            "last_iteration": 0,
            "parent": "",
            **fields,
        }
    )
    task["execution"].setdefault("artifacts", [])
    return {"id": task["id"]}


def edit(api: Api, body: Body) -> Document:
    """Change fields; of one that has left the draft only with force."""
    task = api.tasks.get(body.get("task"))
    if not body.get("force") and task["status"] != "created":
        raise Refused(400, 110, f"Invalid task status: expected=created, status={task['status']}")
    return _set(api, task, {name: body[name] for name in _EDIT if body.get(name) is not None}, body)


def update(api: Api, body: Body) -> Document:
    """Change what may be changed in any status."""
    task = api.tasks.get(body.get("task"))
    fields = {name: body[name] for name in _UPDATE if body.get(name) is not None}
    return _set(api, task, fields, body)


def _set(api: Api, task: Document, fields: Document, body: Body) -> Document:
    _check_name(fields)
    _check_references(api, fields)
    for name, value in fields.items():
        if isinstance(value, dict) and isinstance(task.get(name), dict) and name == "execution":
            task[name].update(deepcopy(value))
        else:
            task[name] = deepcopy(value)
    if body.get("output_dest"):
        task["output"] = {"destination": body["output_dest"]}
    task["last_update"] = now()
    return {"updated": int(bool(fields)), "fields": {**fields, "last_update": task["last_update"]}}


def get_all(api: Api, body: Body) -> Document:
    """Tasks of a query."""
    found, scroll = api.tasks.query(body)
    return {"tasks": found, **({"scroll_id": scroll} if scroll else {})}


def get_by_id(api: Api, body: Body) -> Document:
    """One task."""
    return {"task": deepcopy(api.tasks.get(body.get("task")))}


def _to(status: str, *times: str) -> Any:
    def change(api: Api, body: Body) -> Document:
        task = api.tasks.get(body.get("task"))
        before = task["status"]
        if not body.get("force") and status != before and status not in _ALLOWED[before]:
            raise Refused(
                400, 110, f"Invalid status change: current_status={before}, new_status={status}"
            )
        fields: Document = {"status": status, "status_changed": now(), "last_update": now()}
        for name in ("status_reason", "status_message"):
            fields[name] = body.get(name) or ""
        for name in times:
            if name != "started" or not task.get("started"):
                fields[name] = now()
        task.update(fields)
        return {"updated": 1, "fields": fields, "started": 1}

    return change


def add_or_update_artifacts(api: Api, body: Body) -> Document:
    """Keep artifacts by key and mode."""
    task = api.tasks.get(body.get("task"))
    _editable(task, bool(body.get("force")))
    for new in body["artifacts"]:
        same = (new["key"], new.get("mode") or "output")
        kept = [
            a for a in task["execution"]["artifacts"] if (a["key"], a.get("mode", "output")) != same
        ]
        task["execution"]["artifacts"] = [*kept, {"mode": "output", **deepcopy(new)}]
    task["last_update"] = now()
    return {"updated": 1}


def edit_hyper_params(api: Api, body: Body) -> Document:
    """Set parameters; properties may be set in any status."""
    task = api.tasks.get(body.get("task"))
    items = [dict(item) for item in body["hyperparams"]]
    for item in items:
        if item["section"].lower() == "properties":
            item["section"] = "properties"
    only_properties = all(item["section"] == "properties" for item in items)
    _editable(task, bool(body.get("force")), only_properties)
    replace = body.get("replace_hyperparams") or "none"
    if replace == "all":
        task["hyperparams"] = {}
    if replace == "section":
        for item in items:
            task["hyperparams"][item["section"]] = {}
    for item in items:
        if not isinstance(item.get("value", ""), str):
            raise Refused(400, 12, "Validation error: hyperparams.value must be text")
        task["hyperparams"].setdefault(item["section"], {})[item["name"]] = item
    task["last_update"] = now()
    return {"updated": 1}


def get_hyper_params(api: Api, body: Body) -> Document:
    """Parameters as lists."""
    rows = []
    for key in body["tasks"]:
        sections = api.tasks.get(key)["hyperparams"]
        items = [item for section in sections.values() for item in section.values()]
        rows.append({"task": key, "hyperparams": deepcopy(items)})
    return {"params": rows}


def edit_configuration(api: Api, body: Body) -> Document:
    """Set configuration objects."""
    task = api.tasks.get(body.get("task"))
    _editable(task, bool(body.get("force")))
    if body.get("replace_configuration"):
        task["configuration"] = {}
    for item in body["configuration"]:
        task["configuration"][item["name"]] = dict(item)
    return {"updated": 1}


def get_configurations(api: Api, body: Body) -> Document:
    """Configuration objects as lists."""
    rows = []
    for key in body["tasks"]:
        items = api.tasks.get(key)["configuration"].values()
        chosen = [i for i in items if not body.get("names") or i["name"] in body["names"]]
        rows.append({"task": key, "configuration": deepcopy(chosen)})
    return {"configurations": rows}


def clone(api: Api, body: Body) -> Document:
    """A draft like another task."""
    old = deepcopy(api.tasks.get(body.get("task")))
    wanted = {
        name: body.get(f"new_task_{name}")
        for name in ("name", "comment", "tags", "system_tags", "parent", "project")
    }
    for name in ("hyperparams", "configuration"):
        wanted[name] = body.get(f"new_task_{name}") or body.get(f"new_{name}")
    fields = {name: old[name] for name in _CREATE if old.get(name)}
    fields |= {name: value for name, value in wanted.items() if value is not None}
    fields["execution"] = {
        **{k: v for k, v in old["execution"].items() if k not in ("artifacts", "queue")},
        **(body.get("execution_overrides") or {}),
    }
    fields["execution"]["artifacts"] = [
        a for a in old["execution"]["artifacts"] if a.get("mode") == "input"
    ]
    fields.setdefault("parent", old["id"])
    return create(api, fields)


def delete(api: Api, body: Body) -> Document:
    """Remove a task and its events."""
    task = api.tasks.get(body.get("task"))
    if task["status"] != "created" and not body.get("force"):
        raise Refused(400, 123, "Task cannot be deleted due to status, use force=True")
    for child in api.tasks:
        if child.get("parent") == task["id"]:
            child["parent"] = f"__DELETED__{task['id']}"
    api.tasks.remove(task["id"])
    api.events.forget(task["id"])
    drafts = [m for m in api.models if m.get("task") == task["id"] and not m["ready"]]
    for model in drafts:
        api.models.remove(model["id"])
    for model in api.models:  # published: approved by a person, and kept
        if model.get("task") == task["id"]:
            model["task"] = f"__DELETED__{task['id']}"
    return {"deleted": True, "updated_children": 0, "deleted_models": len(drafts)}


def reset(api: Api, body: Body) -> Document:
    """Make a task a draft again, without what it gave."""
    task = api.tasks.get(body.get("task"))
    if task["status"] == "published" and not body.get("force"):
        raise Refused(400, 110, "Invalid task status: published")
    task["execution"]["artifacts"] = [
        a for a in task["execution"]["artifacts"] if a.get("mode") == "input"
    ]
    task.update({"status": "created", "last_metrics": {}, "last_iteration": 0})
    for name in ("started", "completed"):
        task.pop(name, None)
    api.events.forget(task["id"])
    return {"updated": 1, "fields": {"status": "created"}}


def ping(api: Api, body: Body) -> Document:
    """Say that the task lives."""
    api.tasks.get(body.get("task"))["last_update"] = now()
    return {}


def set_requirements(api: Api, body: Body) -> Document:
    """Set the script's requirements."""
    task = api.tasks.get(body.get("task"))
    task.setdefault("script", {})["requirements"] = body["requirements"]
    return {"updated": 1}


def add_or_update_model(api: Api, body: Body) -> Document:
    """Link a model to a task under a name."""
    task = api.tasks.get(body.get("task"))
    side = task["models"].setdefault(body.get("type") or "output", [])
    side[:] = [row for row in side if row["name"] != body["name"]]
    side.append({"name": body["name"], "model": body["model"]})
    return {"updated": 1}


# --- queues and agents ---


def enqueue(api: Api, body: Body) -> Document:
    """Put a task into a queue, by id or name."""
    task = api.tasks.get(body.get("task"))
    named = [q for q in api.queues if q["name"] == (body.get("queue_name") or "default")]
    queue = api.queues.get(body["queue"]) if body.get("queue") else (named or [None])[0]
    if queue is None:
        raise Refused(400, 702, "No queue of this name")
    result: Document = _to("queued")(api, body)
    queue["entries"].append({"task": task["id"], "added": now()})
    task["execution"]["queue"] = queue["id"]
    result["fields"]["execution.queue"] = queue["id"]
    return {**result, "queued": 1}


def dequeue(api: Api, body: Body) -> Document:
    """Take a task out of its queue."""
    task = api.tasks.get(body.get("task"))
    for queue in api.queues:
        queue["entries"] = [e for e in queue["entries"] if e["task"] != task["id"]]
    return {**_to("created")(api, {**body, "force": True}), "dequeued": 1}


def next_task(api: Api, body: Body) -> Document:
    """What an agent asks for: the first task of a queue."""
    entries = api.queues.get(body.get("queue"))["entries"]
    return {"entry": entries.pop(0)} if entries else {}


def create_queue(api: Api, body: Body) -> Document:
    """Make a queue."""
    queue = api.queues.add(
        {"name": body["name"], "entries": [], "tags": body.get("tags") or [], "workers": []}
    )
    return {"id": queue["id"]}


ENDPOINTS = {
    "tasks.create": create,
    "tasks.edit": edit,
    "tasks.update": update,
    "tasks.get_all": get_all,
    "tasks.get_all_ex": get_all,
    "tasks.get_by_id": get_by_id,
    "tasks.started": _to("in_progress", "started"),
    "tasks.completed": _to("completed", "completed"),
    "tasks.stopped": _to("stopped", "completed"),
    "tasks.stop": _to("stopped", "completed"),
    "tasks.failed": _to("failed", "completed"),
    "tasks.close": _to("closed", "completed"),
    "tasks.publish": _to("published", "published"),
    "tasks.add_or_update_artifacts": add_or_update_artifacts,
    "tasks.edit_hyper_params": edit_hyper_params,
    "tasks.get_hyper_params": get_hyper_params,
    "tasks.edit_configuration": edit_configuration,
    "tasks.get_configurations": get_configurations,
    "tasks.clone": clone,
    "tasks.delete": delete,
    "tasks.reset": reset,
    "tasks.ping": ping,
    "tasks.validate": lambda api, body: {},
    "tasks.set_requirements": set_requirements,
    "tasks.add_or_update_model": add_or_update_model,
    "tasks.enqueue": enqueue,
    "tasks.dequeue": dequeue,
    "queues.get_next_task": next_task,
    "queues.create": create_queue,
    "queues.get_by_id": lambda api, body: {"queue": deepcopy(api.queues.get(body.get("queue")))},
    "queues.get_all": lambda api, body: {"queues": api.queues.query(body)[0]},
    "queues.get_all_ex": lambda api, body: {"queues": api.queues.query(body)[0]},
    "queues.get_default": lambda api, body: next(
        {"id": q["id"], "name": q["name"]} for q in api.queues if q["name"] == "default"
    ),
}
"""Endpoint -> what it does."""
