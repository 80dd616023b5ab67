"""Scalars, plots, logs and debug images, kept under the ids that the API gives them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from tests.clearml_server.documents import Document, Refused, new_id, now

if TYPE_CHECKING:
    from tests.clearml_server.api import Api

_KINDS = ("training_stats_scalar", "training_stats_vector", "training_debug_image", "plot", "log")
_SINGLE = -(2**31)
"""The iteration of a value that has none."""

Body = Mapping[str, Any]


class Events:
    """Every event by id: the same metric, variant and iteration of a task is one event."""

    def __init__(self) -> None:
        self._events: dict[str, Document] = {}

    def add(self, event: Document) -> None:
        """Keep an event in the place of one with its id."""
        parts = [str(event[k]) for k in ("task", "iter", "metric", "variant", "key") if k in event]
        log = event["type"] == "log"
        self._events[new_id() if log else f"{event['type']}/{'-'.join(parts)}"] = event

    def of(self, task: str, kind: str) -> Iterator[Document]:
        """Events of a task of one kind, by iteration."""
        found = [e for e in self._events.values() if e["task"] == task and e["type"] == kind]
        return iter(sorted(found, key=lambda e: (e.get("iter") or 0, e["timestamp"])))

    def forget(self, task: str) -> None:
        """Drop a task's events."""
        self._events = {k: e for k, e in self._events.items() if e["task"] != task}


def add_batch(api: Api, lines: list[Document]) -> Document:
    """Keep events, and their newest values with the task."""
    added, errors = 0, 0
    for raw in lines:
        event = deepcopy(raw)
        task = api.tasks.find(event.get("task"))
        event["type"] = str(event.get("type")).replace(" ", "_")
        if event["type"] not in _KINDS or task is None or task["status"] == "published":
            errors += 1
            continue
        check_shape(event)
        event["metric"], event["variant"] = event.get("metric") or "", event.get("variant") or ""
        event.setdefault("timestamp", 0)
        if event.get("iter") is not None:
            event["iter"] = int(event["iter"])
            task["last_iteration"] = max(task.get("last_iteration") or 0, event["iter"])
        if event["type"] == "training_stats_scalar":
            _remember(task, event)
        api.events.add(event)
        task["last_update"] = now()
        added += 1
    if not added:
        raise Refused(400, 800, "Events not added: Invalid task id")
    return {"added": added, "errors": errors, "errors_info": {}}


_READ = {
    "training_stats_scalar": {"metric": str, "variant": str, "value": (int, float)},
    "training_debug_image": {"metric": str, "variant": str, "iter": int, "url": str, "key": str},
    "plot": {"metric": str, "variant": str, "plot_str": str},
    "log": {"msg": str, "level": str, "worker": str, "timestamp": int},
}
"""Fields that the web app reads of an event (web 2.3.0 and 2.5.0), and their types."""


def check_shape(event: Body) -> None:
    """Refuse what a real server takes and its web app then cannot show.

    Raises:
        Refused: a field is missing or of another type; named.
    """
    for name, kind in _READ.get(event["type"], {}).items():
        if not isinstance(event.get(name), kind):
            raise Refused(400, 12, f"the page cannot show a {event['type']} without {name}")
    if event["type"] == "training_stats_scalar" and not math.isfinite(event["value"]):
        raise Refused(400, 12, f"{event['metric']}/{event['variant']}: not a number")
    if event["type"] == "plot":
        _check_figure(event)


def _check_figure(event: Body) -> None:
    """`groupIterations` and `checkIfLegendToTitle` of the web app read these without asking."""
    name = f"plot {event['metric']}/{event['variant']}"
    figure = json.loads(event["plot_str"], parse_constant=lambda word: _no_number(name, word))
    if not isinstance(figure.get("data"), list) or not figure["data"]:
        raise Refused(400, 12, f"{name}: no data")
    if not all(isinstance(trace.get("type"), str) for trace in figure["data"]):
        raise Refused(400, 12, f"{name}: a trace without type")
    if not isinstance(figure.get("layout", {}).get("title"), str):
        raise Refused(400, 12, f"{name}: layout.title is no plain text: the page stays blank")


def _no_number(name: str, word: str) -> None:
    raise Refused(400, 12, f"{name}: {word} is no JSON")


def hashed(name: str) -> str:
    """The key under which a task's last metrics hold a name."""
    return hashlib.md5(name.encode()).hexdigest()


def _remember(task: Document, event: Document) -> None:
    row = task["last_metrics"].setdefault(hashed(event["metric"]), {})
    value, iteration = event["value"], event.get("iter") or 0
    last = row.get(hashed(event["variant"]))
    if last is None:
        last = {
            "metric": event["metric"],
            "variant": event["variant"],
            "min_value": value,
            "max_value": value,
            "iter": iteration,
        }
    if iteration >= last["iter"]:
        last |= {"value": value, "iter": iteration}
    last["min_value"] = min(last["min_value"], value)
    last["max_value"] = max(last["max_value"], value)
    row[hashed(event["variant"])] = last


def histogram(api: Api, body: Body) -> Document:
    """All scalars of a task as lines."""
    lines: Document = {}
    for event in api.events.of(body["task"], "training_stats_scalar"):
        if event.get("iter") == _SINGLE:
            continue
        line = lines.setdefault(event["metric"], {}).setdefault(
            event["variant"], {"name": event["variant"], "x": [], "y": []}
        )
        line["x"].append(event.get("iter"))
        line["y"].append(event["value"])
    return lines


def single_values(api: Api, body: Body) -> Document:
    """Values without an iteration."""
    rows = []
    for key in body["tasks"]:
        values = [
            {name: event[name] for name in ("metric", "variant", "value", "timestamp")}
            for event in api.events.of(key, "training_stats_scalar")
            if event.get("iter") == _SINGLE
        ]
        rows.append({"task": key, "task_name": api.tasks.get(key)["name"], "values": values})
    return {"tasks": rows}


def plots(api: Api, body: Body) -> Document:
    """Plots of a task, all or of the last iterations."""
    found = list(api.events.of(body["task"], "plot"))
    return {
        "plots": deepcopy(found),
        "total": len(found),
        "returned": len(found),
        "scroll_id": "FFFF",
    }


def of_kind(kind: str) -> Any:
    """Events of a task of one kind, as they came."""

    def get(api: Api, body: Body) -> Document:
        found = list(api.events.of(body["task"], kind))
        return {
            "events": deepcopy(found),
            "total": len(found),
            "returned": len(found),
            "scroll_id": "FFFF",
        }

    return get


def task_events(api: Api, body: Body) -> Document:
    """Events of a task of the type asked for."""
    found: Document = of_kind(body.get("event_type") or "log")(api, body)
    return found


def debug_images(api: Api, body: Body) -> Document:
    """Debug images by task and iteration."""
    rows = []
    for metric in body.get("metrics") or []:
        iterations: dict[int, list[Document]] = {}
        for event in api.events.of(metric["task"], "training_debug_image"):
            if metric.get("metric") in (None, event["metric"]):
                iterations.setdefault(event.get("iter") or 0, []).append(deepcopy(event))
        rows.append(
            {
                "task": metric["task"],
                "iterations": [
                    {"iter": number, "events": events}
                    for number, events in sorted(iterations.items(), reverse=True)
                ],
            }
        )
    return {"metrics": rows, "scroll_id": "FFFF"}


ENDPOINTS = {
    "events.scalar_metrics_iter_histogram": histogram,
    "events.get_task_single_value_metrics": single_values,
    "events.get_task_plots": plots,
    "events.get_task_log": of_kind("log"),
    "events.get_task_events": task_events,
    "events.debug_images": debug_images,
}
"""Endpoint -> what it does; `add_batch` takes lines and stands apart."""
