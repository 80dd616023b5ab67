"""A project's questions: its output fields, with numbered answers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from labeling.toloka.server.model.records import Doc, Task

_MOST_NUMBERS = 100  # largest number of answers of a bounded whole number, such as a rating


@dataclass(frozen=True, slots=True)
class OutputField:
    """An output field.

    Attributes:
        answers: the possible values; an answer's index here is its class index.
        is_file: whether annotators attach files.
    """

    name: str
    answers: tuple[Any, ...]
    is_file: bool = False

    def place(self, value: Any) -> int | None:
        """Class index of a value; None if it is none of the answers."""
        return self.answers.index(value) if value in self.answers else None


def fields_of(project: Doc, control_tasks: Iterable[Task]) -> list[OutputField]:
    """A project's output fields in their order.

    Args:
        project: the requester's project.
        control_tasks: tasks with known solutions; they show the values of a field without a list of
            values and without options in the template.
    """
    spec = project["task_spec"]["output_spec"]
    options = _options(project["task_spec"].get("view_spec") or {})
    tasks = list(control_tasks)
    return [_field(name, wanted, options.get(name), tasks) for name, wanted in spec.items()]


def judged_field(fields: list[OutputField], control_tasks: Iterable[Task]) -> int:
    """Index of the field that control tasks check.

    It is the first field to which each control task has exactly one right answer. For a field that
    it does not check, a control task may list all answers as right.
    """
    tasks = list(control_tasks)
    for at, field in enumerate(fields):
        answers = [
            {repr(s["output_values"].get(field.name)) for s in task.doc["known_solutions"]}
            for task in tasks
        ]
        if answers and all(len(right) == 1 and right != {"None"} for right in answers):
            return at
    return 0


def _options(view: Doc) -> dict[str, tuple[Any, ...]]:
    """The values that a template offers, by the name of their output field."""
    config = view.get("config")
    with suppress(ValueError, RecursionError):  # annotators see no options in what is no template
        config = json.loads(config) if isinstance(config, str) else config
    found: dict[str, tuple[Any, ...]] = {}
    inside = [config]
    while inside:
        part = inside.pop()
        if isinstance(part, dict):
            values, place = _values(part.get("options")), part.get("data")
            if values and isinstance(place, dict) and place.get("type") == "data.output":
                found.setdefault(str(place.get("path")), values)
            inside += part.values()
        elif isinstance(part, list):
            inside += part
    return found


def _values(options: Any) -> tuple[Any, ...]:
    each = options if isinstance(options, list) else []
    values = [option.get("value") for option in each if isinstance(option, dict)]
    return tuple(value for value in values if isinstance(value, str | int | float))


def _field(
    name: str, spec: Doc, options: tuple[Any, ...] | None, control_tasks: list[Task]
) -> OutputField:
    kind = str(spec.get("type", "string")).lower()
    if allowed := spec.get("allowed_values") or options:
        return OutputField(name, tuple(allowed))
    if kind == "boolean":
        return OutputField(name, (False, True))
    low, high = spec.get("min_value"), spec.get("max_value")
    if kind == "integer" and low is not None and high is not None and high - low < _MOST_NUMBERS:
        return OutputField(name, tuple(range(int(low), int(high) + 1)))
    values = [
        solution["output_values"][name]
        for task in control_tasks
        for solution in task.doc["known_solutions"]
        if name in solution["output_values"]
    ]
    seen = sorted({value for value in values if isinstance(value, str)})
    answers = tuple(seen) if len(seen) > 1 else (*seen, *("yes", "no")[len(seen) :])
    return OutputField(name, answers, kind == "file")


def right(task: Task, answer: Doc) -> bool:
    """Whether an answer equals one of the task's known solutions, in the solution's fields."""
    return any(
        all(answer.get(name) == value for name, value in solution["output_values"].items())
        for solution in task.doc["known_solutions"]
    )
