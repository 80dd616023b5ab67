"""What a project asks: its output fields as closed questions with numbered answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labeling.toloka.server.model.records import Doc, Task

_MOST_NUMBERS = 100  # answers of a bounded whole number, such as a rating


@dataclass(frozen=True, slots=True)
class Field:
    """An output field.

    Attributes:
        answers: its possible values; the class index of an answer is its place here.
        is_file: whether annotators attach files.
    """

    name: str
    answers: tuple[Any, ...]
    is_file: bool = False

    def place(self, value: Any) -> int | None:
        """Class index of a value; None where it is none of the answers."""
        return self.answers.index(value) if value in self.answers else None


def fields_of(project: Doc, known: Iterable[Task]) -> list[Field]:
    """A project's output fields in their order.

    Args:
        project: as the requester gave it.
        known: tasks with known solutions: they show the values of a field that lists none.
    """
    spec = project["task_spec"]["output_spec"]
    tasks = list(known)
    return [_field(name, wanted, tasks) for name, wanted in spec.items()]


def judged_field(fields: list[Field], known: Iterable[Task]) -> int:
    """The field that control tasks check: the first to which each of them has one right answer.

    A field that a control task does not check may be spelled out with every answer there is.
    """
    tasks = list(known)
    for at, one in enumerate(fields):
        answers = [
            {repr(s["output_values"].get(one.name)) for s in task.doc["known_solutions"]}
            for task in tasks
        ]
        if answers and all(len(right) == 1 and right != {"None"} for right in answers):
            return at
    return 0


def _field(name: str, spec: Doc, known: list[Task]) -> Field:
    kind = str(spec.get("type", "string")).lower()
    if allowed := spec.get("allowed_values"):
        return Field(name, tuple(allowed))
    if kind == "boolean":
        return Field(name, (False, True))
    low, high = spec.get("min_value"), spec.get("max_value")
    if kind == "integer" and low is not None and high is not None and high - low < _MOST_NUMBERS:
        return Field(name, tuple(range(int(low), int(high) + 1)))
    values = [
        solution["output_values"][name]
        for task in known
        for solution in task.doc["known_solutions"]
        if name in solution["output_values"]
    ]
    seen = sorted({value for value in values if isinstance(value, str)})
    answers = tuple(seen) if len(seen) > 1 else (*seen, *("yes", "no")[len(seen) :])
    return Field(name, answers, kind == "file")


def right(task: Task, answer: Doc) -> bool:
    """Whether an answer is one of the task's known solutions, in the fields that these name."""
    return any(
        all(answer.get(name) == value for name, value in solution["output_values"].items())
        for solution in task.doc["known_solutions"]
    )
