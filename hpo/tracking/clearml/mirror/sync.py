"""Write a run directory to a ClearML server, and leave equal records alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from budget.errors import InputError, MirrorRefused, StorageError
from budget.files import locked
from hpo.tracking.clearml.choices import Choices, chosen
from hpo.tracking.clearml.mirror import label_datasets
from hpo.tracking.clearml.mirror.controller import controller_key, controller_record
from hpo.tracking.clearml.mirror.images import Images
from hpo.tracking.clearml.mirror.run_directory import Child, RunDirectory
from hpo.tracking.clearml.mirror.trial_tasks import trial_key, trial_record
from hpo.tracking.clearml.server.connection import Remote
from hpo.tracking.clearml.server.dataset_layout import Node, node_of
from hpo.tracking.clearml.server.records import Record
from hpo.tracking.clearml.server.writer import Writer

_COLUMNS = (("Summary", "accuracy"), ("Summary", "cost_usd"), ("Summary", "paid_usd"))

Watch = Callable[[int, int, str], None]
"""(label sets mirrored, label sets in all, name of the record being written)."""


@dataclass(slots=True)
class Mirrored:
    """The result of a pass over a run directory.

    Attributes:
        page: web page of the controller.
        table: web page of its trials, with accuracy and cost.
        done: label sets on the server. wanted: label sets in the run directory.
        problems: refusals of the server and files missing on disk, a line each.
        waiting: label sets whose task an agent still works on. A later pass mirrors them.
    """

    page: str
    table: str
    done: int
    wanted: int
    problems: list[str]
    waiting: int = 0


class Mirror:
    """A run directory on a server. The next pass completes a pass that was cut short.

    Args:
        remote: the server.
        folder: the run directory.
        choices: the user's choices; None for the last choices.

    Attributes:
        choices: the choices in use.
    """

    def __init__(self, remote: Remote, folder: Path, choices: Choices | None = None) -> None:
        self._remote = remote
        self._folder = folder
        self.choices = choices or chosen(folder)
        self._writer = Writer(remote)
        self._images: Images | None = None
        self._root: Node | None = None
        self._settled: dict[str, tuple[Any, ...]] = {}
        self._waiting = 0
        self.ids: dict[str, str] = {}
        """Our ids -> the server's ids, of all records written or seen."""

    def bring(self, run: RunDirectory, status: str, reason: str, watch: Watch) -> Mirrored:
        """Write a run to the server.

        Args:
            run: the run directory's content.
            status: the controller's final status: in_progress, completed or stopped.
            reason: the reason of that status.
            watch: called before each label set.

        Raises:
            MirrorUnavailable: the server does not answer. The records on it stay.
            MirrorRefused: the server does not accept the keys.
        """
        projects, controller = self._enter(run)
        problems: list[str] = []
        self._waiting = 0
        root = self._attempt(lambda: self._root_of(run, projects["images"]), problems)
        children = {child.version: child for child in run.children}
        done = 0
        for number, version in enumerate(run.versions):
            watch(number, len(run.versions), version)
            child = children.get(version)
            work = partial(self._label_set, run, version, child, controller, root, projects, status)
            done += bool(self._attempt(work, problems))
        watch(len(run.versions), len(run.versions), "the study's own plots")
        self._attempt(lambda: self._controller(run, status, reason, projects["study"]), problems)
        project = self._writer.open_project(projects["study"], ())
        page, table = self._remote.page(project, controller), self._remote.table(project, _COLUMNS)
        problems = list(dict.fromkeys(problems))
        return Mirrored(page, table, done, len(run.versions), problems, self._waiting)

    def begin(self, run: RunDirectory) -> str:
        """The id of the study's controller, which is made if it is missing.

        Raises:
            MirrorUnavailable, MirrorRefused: as for `bring`.
        """
        return self._enter(run)[1]

    def _enter(self, run: RunDirectory) -> tuple[dict[str, str], str]:
        """The projects' names and the controller's id. Under a lock, so that they are made once."""
        with locked(self._folder / "locks" / "clearml"):
            projects = self._prepare(run)
            return projects, self._begun(run, projects["study"])

    def heartbeat(self, run: RunDirectory) -> None:
        """Report that the study lives: the server stops silent tasks, and people need time."""
        task = self.ids.get(controller_key(run))
        if task is not None:
            self._remote.call("tasks.ping", {"task": task})

    def _prepare(self, run: RunDirectory) -> dict[str, str]:
        """Find or make the projects. Returns their names."""
        above, study = self.choices.project, self.choices.study_project(run.study)
        images = label_datasets.images_name(run, self.choices.pictures)
        projects = {
            "study": study,
            "labels": f"{study}/.datasets/{label_datasets.labels_name(run)}",
            "images": f"{above}/.datasets/{images}",
        }
        self._writer.open_project(study, ())
        for name in ("labels", "images"):
            self._writer.open_project(projects[name].rpartition("/")[0], ("hidden",))
            self._writer.open_project(projects[name], ("dataset", "hidden"))
        return projects

    def _attempt(self, work: Callable[[], Any], problems: list[str]) -> Any:
        """Do a piece of work. Its own failure is noted, and the other work goes on."""
        try:
            return work()
        except MirrorRefused as error:
            if error.code in (401, 403):
                raise
            problems.append(str(error))
        except (InputError, StorageError, OSError) as error:
            problems.append(str(error))
        return None

    def _controller(self, run: RunDirectory, status: str, reason: str, project: str) -> str:
        page = self._writer.open_project(project, ())
        links: dict[str, str] = {}
        base = ""
        for child in run.children:
            held = self._writer.find(trial_key(run, child), project)
            if held is not None:
                links.setdefault(child.key, self._remote.page(page, held.id))
                base = base or held.id
        return self._keep(controller_record(run, project, links, status, reason, base))

    def _begun(self, run: RunDirectory, project: str) -> str:
        """The controller's id. An existing controller is left alone."""
        held = self._writer.find(controller_key(run), project)
        if held is None:
            return self._controller(run, "in_progress", "", project)
        self.ids[controller_key(run)] = held.id
        return held.id

    def _root_of(self, run: RunDirectory, project: str) -> Node:
        """The images' dataset, to which label versions refer."""
        if self._root is None:
            with label_datasets.scratch_folder() as scratch:
                record = label_datasets.images_record(
                    run, project, self._images_of(run), Path(scratch)
                )
                task = self._remote.call("tasks.get_by_id", {"task": self._keep(record)})["task"]
            state = next(a for a in task["execution"]["artifacts"] if a["key"] == "state")
            self._root = node_of(task, json.loads(self._remote.files.download(state["uri"])))
        return self._root

    def _images_of(self, run: RunDirectory) -> Images:
        if self._images is None:
            content, choices = run.about["data"]["content"], self.choices
            self._images = Images(self._folder, content, choices.external, choices.pictures)
        return self._images

    def _label_set(
        self,
        run: RunDirectory,
        version: str,
        child: Child | None,
        controller: str,
        root: Node | None,
        projects: Mapping[str, str],
        status: str,
    ) -> bool:
        """Write a label version's dataset and its trial, if any. Returns whether both are there."""
        roles = run.roles.get(child.key, ()) if child else ()
        facts = (roles, root is None, child, run.report is None)
        if self._settled.get(version) == facts:
            return True
        images = self._images_of(run)
        dataset = self._keep(
            label_datasets.version_record(
                run, version, projects["labels"], controller, root, images
            )
        )
        if child is not None:
            above = root.id if root else ""
            trial = trial_record(run, child, projects["study"], controller, dataset, above)
            if status == "in_progress" and self._writer.is_underway(trial):
                self._waiting += 1
                return False
            self._keep(trial)
        self._settled[version] = facts
        return True

    def _keep(self, record: Record) -> str:
        self.ids[record.key] = self._writer.ensure(record)
        return self.ids[record.key]
