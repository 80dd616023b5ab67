"""The content of a task, as plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 4
"""Raised when the same facts are written in another form: existing records are written again."""

PREVIEW = 32 * 1024
"""Letters of an artifact's preview, at most."""

Params = Mapping[str, Mapping[str, Any]]
"""Section -> name -> value."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number over iterations; without an iteration, a single value.

    Attributes:
        at_ms: its own time in epoch milliseconds; None for the time of all parts.
    """

    metric: str
    variant: str
    iteration: int | None
    value: float
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """A Plotly figure, replaced in place."""

    metric: str
    variant: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file with a task.

    Attributes:
        content: its bytes, or the file that holds them.
        kind: "dict" for JSON that reads back as an object, "custom" for any other file.
        preview: text on the artifact's page. display: further lines there.
    """

    key: str
    file: str
    content: bytes | Path
    kind: str
    preview: str
    mime: str
    display: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a task's console.

    Attributes:
        at_ms: its time, in epoch milliseconds.
    """

    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG among a task's debug samples, in the place of its metric, variant and iteration."""

    metric: str
    variant: str
    iteration: int
    content: bytes


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A trained model's weights.

    Attributes:
        name: its name for people.
        path: its file on this machine.
        file: its path on the file server, the same for every writer.
        labels: code of each class.
        tags: tags to filter by.
        facts: columns of the table of models, as text.
        comment: a sentence about it.
    """

    name: str
    path: Path
    file: str
    labels: Mapping[str, int]
    tags: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """The content of a task beside its name and parameters.

    Attributes:
        configuration: name -> (text, type, description).
        runtime: the server's free fields, such as a dataset's version.
        lines: the lines of its console, in order.
        at_ms: the time of plots and scalars, in epoch milliseconds.
    """

    configuration: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    runtime: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Sequence[Artifact] = ()
    scalars: Sequence[Scalar] = ()
    plots: Sequence[Plot] = ()
    pictures: Sequence[Picture] = ()
    lines: Sequence[Line] = ()
    model: ModelFile | None = None
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A task to be written to a server.

    Attributes:
        key: our id of it, by which it is looked up before it is made.
        digest: hash of its content. A task on the server with the same digest is left alone.
        kind: the task's type: optimizer, training or data_processing.
        project: the project's name. parent: the parent task's id, or "".
        params: its parameters; the section "properties" shows as user properties.
        status: its final status: in_progress, completed or stopped. reason: why.
        build: makes the rest, given the task's id on the server. Called only when it is needed.
        adopt: id of a task of an agent, under the same parent, that becomes this task; or "".
        script: the program, as the page of the execution shows it; {} if unknown.
    """

    key: str
    digest: str
    name: str
    kind: str
    project: str
    parent: str
    tags: Sequence[str]
    system_tags: Sequence[str]
    comment: str
    params: Params
    status: str
    reason: str
    build: Callable[[str], Parts]
    adopt: str = ""
    script: Mapping[str, Any] = field(default_factory=dict)


def digest(*facts: Any) -> str:
    """Content hash of JSON types and of `FORMAT`."""
    text = json.dumps([FORMAT, *facts], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def json_artifact(key: str, content: Any, preview: str | None = None) -> Artifact:
    """A JSON artifact, which `task.artifacts[key].get()` reads."""
    text = json.dumps(content, indent=1)
    shown = text if preview is None else preview
    return Artifact(key, f"{key}.json", text.encode(), "dict", shown[:PREVIEW], "application/json")


def epoch_ms(at: str) -> int:
    """Epoch milliseconds of a journal's time."""
    from datetime import datetime

    return int(datetime.fromisoformat(at).timestamp() * 1000)


Figure = dict[str, Any]
