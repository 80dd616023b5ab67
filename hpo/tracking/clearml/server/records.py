"""What a server is to hold for one task, as plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 4
"""Raised when the same facts are written otherwise, so that what is there is written again."""

PREVIEW = 32 * 1024
"""Letters of an artifact's preview, at most."""

Params = Mapping[str, Mapping[str, Any]]
"""Section -> name -> value."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number over iterations; with None for the iteration, a single value.

    Attributes:
        at_ms: epoch milliseconds of its own; None for the time of the whole.
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
        preview: what the artifact's page shows. display: further lines there.
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
        at_ms: when it was said, in epoch milliseconds.
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
        name: people's name of it.
        path: the file that holds it.
        file: its path under its project on the file server, the same whoever writes it.
        labels: code of each class.
        tags: tags to filter by.
        facts: what the table of models sorts by, as text.
        comment: what it is, in a sentence.
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
    """Everything with a task beyond its name and parameters.

    Attributes:
        configuration: name -> (text, type, description).
        runtime: the server's free fields, such as a dataset's version.
        lines: what its console tells, in order.
        at_ms: the time that plots and scalars carry, in epoch milliseconds.
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
    """A task that a server is to hold.

    Attributes:
        key: our id of it: it is looked up by this before it is made.
        digest: hash of everything in it; what the server has under the same digest is left alone.
        kind: the task's type: optimizer, training or data_processing.
        project: the project's name. parent: the parent task's id, or "".
        params: its parameters; the section "properties" shows as user properties.
        status: how it is left: in_progress, completed or stopped. reason: why.
        build: makes the rest, given the task's id on the server; called only where it is needed.
        adopt: id of a task under the same parent that an agent ran: it becomes this one; or "".
        script: the program that ran, as the page of the execution shows it; {} where unknown.
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
    """Content hash of JSON types, and of the format they are written in."""
    text = json.dumps([FORMAT, *facts], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def json_artifact(key: str, content: Any, preview: str | None = None) -> Artifact:
    """An object that `task.artifacts[key].get()` gives back."""
    text = json.dumps(content, indent=1)
    shown = text if preview is None else preview
    return Artifact(key, f"{key}.json", text.encode(), "dict", shown[:PREVIEW], "application/json")


def epoch_ms(at: str) -> int:
    """Epoch milliseconds of a journal's time."""
    from datetime import datetime

    return int(datetime.fromisoformat(at).timestamp() * 1000)


Figure = dict[str, Any]
