"""Scalars, plots, pictures and console lines as the API takes them, and as the SDK writes them.

The web page reads the fields that the SDK sets. A test compares every event that is written here
with the SDK's event for the same content.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpo.tracking.clearml.server.records import Figure, Line, Parts, Picture, Plot, Scalar

SINGLE = -(2**31)
"""The iteration that marks a single value."""
LOG = "log"
"""The type of a console line, the only event that replaces no earlier event."""
_WORKER = "labelworth"  # the speaker of lines that no agent wrote

Event = dict[str, Any]


def events_of(task: str, parts: Parts) -> Iterator[Event]:
    """A task's scalars, plots and console lines. Pictures have events of their own."""
    for scalar in parts.scalars:
        if math.isfinite(scalar.value):  # JSON knows no other numbers
            yield _scalar(task, scalar, parts.at_ms)
    for plot in parts.plots:
        yield _plot(task, plot, parts.at_ms)
    yield from line_events(task, parts.lines)


def _event(task: str, kind: str, at_ms: int, **fields: Any) -> Event:
    shared = {"task": task, "type": kind, "timestamp": at_ms}
    return {**shared, **fields, "allow_locked": False, "model_event": False}


def _scalar(task: str, scalar: Scalar, at_ms: int) -> Event:
    return _event(
        task,
        "training_stats_scalar",
        at_ms if scalar.at_ms is None else scalar.at_ms,
        metric=scalar.metric,
        variant=scalar.variant,
        iter=SINGLE if scalar.iteration is None else scalar.iteration,
        value=scalar.value,
    )


def _plot(task: str, plot: Plot, at_ms: int) -> Event:
    return _event(
        task,
        "plot",
        at_ms,
        metric=plot.metric,
        variant=plot.variant,
        iter=0,
        plot_str=json.dumps(posted(plot), allow_nan=False),
    )


def posted(plot: Plot) -> Figure:
    """A plot's figure as it is posted.

    The title is the variant, as plain text: without a title, the page of web 2.3 and later shows no
    plot of the task. A number that JSON does not know is null.
    """
    layout = {**plot.figure["layout"], "title": plot.variant}
    figure: Figure = _finite({**plot.figure, "layout": layout})
    return figure


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


def picture_event(task: str, picture: Picture, at_ms: int, path: str, url: str) -> Event:
    """The event of a debug sample whose file is uploaded.

    Args:
        task: the task's id.
        picture: the picture.
        at_ms: epoch milliseconds.
        path: its path on the file server.
        url: its address.
    """
    return _event(
        task,
        "training_debug_image",
        at_ms,
        metric=picture.metric,
        variant=picture.variant,
        iter=picture.iteration,
        key=path,
        url=url,
    )


def line_events(task: str, lines: Sequence[Line]) -> Iterator[Event]:
    """Console lines, each at a time of its own: the page sorts them by it."""
    last = 0
    for line in lines:
        last = max(line.at_ms, last + 1)
        yield _event(task, LOG, last, level="INFO", worker=_WORKER, msg=line.text)


def place_of(event: Mapping[str, Any]) -> tuple[Any, ...]:
    """The place of an event: a later event in it replaces the event. A line has its own place."""
    if event["type"] == LOG:
        return (event["task"], LOG, event["timestamp"], event["msg"])
    return tuple(event.get(name) for name in ("task", "type", "metric", "variant", "iter"))
