"""One condition as one project: found again by its title, filled once, served as far as wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from budget.errors import MarketContradiction
from labeling.campaign.campaign import Campaign
from labeling.label_studio.client import StudioClient, Task
from labeling.label_studio.labeling_config import IMAGE, ROW, fingerprint
from labeling.types import Condition

_CHUNK = 200  # tasks in one import
_LONGEST_TITLE = 50
PRELABELS = "prelabels"
"""What the server calls the model whose predictions annotators see."""


@dataclass(slots=True)
class ServedTask:
    """A task as the server told it last.

    Attributes:
        id: on the server.
        answers: annotations that are not skips, counted one by one: the server's counters err.
        overlap: answers at which the server stops serving it.
        is_full: whether the server takes it for finished.
    """

    id: int
    answers: int
    overlap: int
    is_full: bool

    @property
    def places(self) -> int:
        """Answers for which it is served."""
        return 0 if self.is_full else max(0, self.overlap - self.answers)


@dataclass(slots=True)
class Project:
    """A condition's project.

    Attributes:
        id: on the server.
        tasks: its tasks, by row.
        doubles: ids of tasks whose row another task has; they are not served.
    """

    client: StudioClient
    id: int
    tasks: dict[int, ServedTask] = field(default_factory=dict)
    doubles: set[int] = field(default_factory=set)

    def update(self, listed: Iterable[Task]) -> None:
        """Take in what the server tells of some tasks."""
        for task in listed:
            row = row_of(task)
            if row is None:
                continue
            real = sum(not one.get("was_cancelled") for one in task["annotations"])
            told = ServedTask(int(task["id"]), real, int(task["overlap"]), bool(task["is_labeled"]))
            known = self.tasks.get(row)
            if known is not None and known.id != told.id:
                self.doubles.add(max(known.id, told.id))
                told = min(known, told, key=lambda one: one.id)
            self.tasks[row] = told

    def fill(
        self,
        rows: Iterable[int],
        address: Callable[[int], str],
        prediction: Callable[[int], list[dict[str, Any]]] | None = None,
    ) -> None:
        """Import the tasks of rows that have none.

        Args:
            rows: in the study's index.
            address: of a row's image.
            prediction: shown with a row's task, as `result_of` writes it; None for none.
        """

        def body(row: int) -> dict[str, Any]:
            data = {"data": {IMAGE: address(row), ROW: row}}
            if prediction is None:
                return data
            told = {"model_version": PRELABELS, "result": prediction(row)}
            return {**data, "predictions": [told]}

        wanted = list(rows)
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]

            def lacks(chunk: list[int] = chunk) -> list[dict[str, Any]] | None:
                self.update(self.client.tasks(self.id))
                rest = [row for row in chunk if row not in self.tasks]
                return [body(row) for row in rest] or None

            if any(row not in self.tasks for row in chunk):
                self.client.make(lacks, f"/api/projects/{self.id}/import", return_task_ids="true")

    def serve(self, places: Mapping[int, int]) -> None:
        """Have each task served for a number of further answers, and all others for none."""
        for row, task in self.tasks.items():
            wanted = places.get(row, 0)
            if task.places != wanted:
                overlap = task.answers + wanted if wanted else 0
                self._set(task.id, overlap, is_full=wanted == 0 and task.answers > 0)
                task.overlap, task.is_full = overlap, wanted == 0
        for double in self.doubles:
            self._set(double, 0, is_full=True)
        self.doubles.clear()

    def _set(self, task: int, overlap: int, *, is_full: bool) -> None:
        # Without is_labeled a raised overlap does not open a full task again.
        body = {"overlap": overlap, "is_labeled": is_full}
        self.client.put("PATCH", f"/api/tasks/{task}", body)


@dataclass(frozen=True, slots=True)
class ProjectFinder:
    """Finds and makes a study's projects.

    Attributes:
        client: the server.
        campaign: what is asked.
        page: the labeling page, as the study wrote it down at first.
        study: the study's name.
        run: distinguishes studies of one name.
    """

    client: StudioClient
    campaign: Campaign
    page: str
    study: str
    run: str

    def title(self, condition: Condition) -> str:
        """The project's title: whose it is and the study's name for people, the rest for us."""
        key = f"lw-{self.run[:8]}-{condition.key[:16]}"
        words = self.study if condition.group is None else f"{condition.group.name}: {self.study}"
        return f"{words[: _LONGEST_TITLE - len(key) - 1]} {key}"

    def find(self, condition: Condition) -> dict[str, Any] | None:
        """The condition's project as the server tells it; None if there is none.

        Raises:
            MarketContradiction: two projects of its title have answers.
        """
        title = self.title(condition)
        # The server's filter takes titles that contain the text.
        listed = self.client.read("/api/projects", title=title, page_size=100)["results"]
        mine = sorted((p for p in listed if p["title"] == title), key=lambda p: int(p["id"]))
        worked = [p for p in mine if p.get("total_annotations_number")]
        if len(worked) > 1:
            ids = ", ".join(str(p["id"]) for p in worked)
            raise MarketContradiction(
                f"{self.client.host}: projects {ids} have the title {title!r}, and answers each; "
                "rename all but the first"
            )
        return next(iter(worked or mine), None)

    def open(self, condition: Condition, overlap: int) -> Project:
        """The condition's project, made if it is not there; its tasks are read."""

        def lacks() -> dict[str, Any] | None:
            return self._settings(condition, overlap) if self.find(condition) is None else None

        self.client.make(lacks, "/api/projects")
        found = self.find(condition)
        assert found is not None  # noqa: S101 - `make` looked
        project = Project(self.client, int(found["id"]))
        self.check(condition, found)
        project.update(self.client.tasks(project.id))
        return project

    def check(self, condition: Condition, found: Mapping[str, Any] | None = None) -> None:
        """Refuse to go on with a project that somebody changed or deleted.

        Raises:
            MarketContradiction: naming the change and the remedy.
        """
        found = found or self.find(condition)
        title = self.title(condition)
        if found is None:
            raise MarketContradiction(
                f"{self.client.host}: the project {title!r} is gone; somebody deleted or renamed "
                "it. Restore it; answers that were copied stay paid"
            )
        if fingerprint(str(found["label_config"])) != fingerprint(self.page):
            raise MarketContradiction(
                f"{self.client.host}: the labeling page of project {found['id']} was changed, so "
                "its answers are to another question; restore it from the study's folder "
                "(labeling_page.xml) and start again"
            )
        shows = bool(found.get("show_collab_predictions"))
        if shows != bool(condition.prelabels):
            raise MarketContradiction(
                f"{self.client.host}: project {found['id']} was switched to "
                f"{'show' if shows else 'hide'} predictions, which changes answers; switch it back "
                "(Settings, Annotation) and start again"
            )

    def _settings(self, condition: Condition, overlap: int) -> dict[str, Any]:
        share = f"{condition.controls} of {condition.suite_size} tasks are control tasks"
        group = condition.group
        only = "" if group is None else f" Only answers of the group {group.name} count."
        return {
            "title": self.title(condition),
            "description": f"labelworth, study {self.study}, condition {condition.key}; {share}. "
            f"Please change nothing here.{only}",
            "label_config": self.page,
            "expert_instruction": self.campaign.instructions,
            "show_instruction": bool(self.campaign.instructions),
            "maximum_annotations": max(1, overlap),
            "sampling": "Uniform sampling",
            "show_skip_button": False,
            "enable_empty_annotation": False,
            "show_annotation_history": False,
            "show_collab_predictions": bool(condition.prelabels),
            **({"model_version": PRELABELS} if condition.prelabels else {}),
        }


def row_of(task: Task) -> int | None:
    """The row that a task carries; None if it is not the study's."""
    row = task.get("data", {}).get(ROW)
    return row if type(row) is int else None
