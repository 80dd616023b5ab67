"""Our search as a strategy of ClearML's HyperParameterOptimizer: asks, launches, waits, asks again.

Trials run on agents or in processes of this machine. Each reserves its money in the study's ledger
first. The run directory holds the state of every trial; ClearML tells when to look. Polling takes
one request a period for all trials together.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clearml.automation.job import BaseJob, ClearmlJob, LocalClearmlJob, RunningJob
from clearml.automation.optimization import MultiObjective, SearchStrategy

from budget.errors import InputError, MirrorRefused, MirrorUnavailable
from budget.files import is_locked
from hpo.study.ask import AskedTrial
from hpo.study.trials import TASK
from hpo.tracking.clearml.liveness import SILENT_S, Liveness, trial_lock
from hpo.tracking.clearml.server.connection import Remote
from hpo.tracking.clearml.server.writer import OUR_ID
from hpo.tracking.clearml.template import ACCURACY, overrides, search_space
from hpo.tracking.clearml.trial_task import TrialTask, facts_of
from hpo.trial.outcome import plan_from_plain

if TYPE_CHECKING:
    from hpo.study.study import Study
    from hpo.study.trials import FrozenTrial

_LOG = logging.getLogger("labelworth.clearml")
_ATTEMPTS = 3  # of a trial whose process failed
_DEATHS = 5  # of agents with the same trial, which may be their cause
_SAY_S = 60.0  # between two lines about the trials that are awaited
_REFUSALS = 30  # in a row, of a trial that is to be cloned
_ENDED = ("completed", "published", "closed", "failed", "stopped")


@dataclass(frozen=True, slots=True)
class _Task:
    """How a task stands on the server.

    Attributes:
        update: the server's time of its last report.
        worker: its agent, or its last agent.
    """

    status: str
    message: str
    update: str = ""
    worker: str = ""


_DELETED = _Task("stopped", "deleted")


class PlanSearch(SearchStrategy):  # type: ignore[misc]
    """Launches the trials that the study's own search asks for, until it has a reason to stop.

    Attributes:
        ended: set when no trial runs and none is left to ask for, or on an error.
        reason: why the search stopped.
        error: the error that stopped it; None without an error.

    Args:
        study: the study, prepared.
        template: id of its template task.
        queue: where trials are put for agents; None to run them in processes of this machine.
        workers: trials at a time.
        poll_s: seconds between two looks.
        silent_s: seconds of silence after which a trial without a process is dead.
    """

    def __init__(
        self,
        study: Study,
        template: str,
        queue: str | None,
        workers: int,
        poll_s: float,
        silent_s: float = SILENT_S,
    ) -> None:
        super().__init__(
            base_task_id=template,
            hyper_parameters=search_space(study.world.space),
            objective_metric=MultiObjective([ACCURACY[0]], [ACCURACY[1]], ["max"], [False]),
            execution_queue=queue,
            num_concurrent_workers=workers,
            pool_period_min=poll_s / 60,
            total_max_jobs=study.config.trials,
        )
        self.set_job_class(ClearmlJob if queue else LocalClearmlJob)
        self.ended = threading.Event()
        self.reason = ""
        self.error: BaseException | None = None
        self._study = study
        self._local = queue is None
        self._remote = Remote()
        self._liveness = Liveness(self._remote, study.folder, silent_s)
        self._said = time.monotonic()
        self._current_jobs: list[BaseJob] = []
        self._number: dict[str, int] = {}
        self._failures: dict[int, int] = {}
        self._deaths: dict[int, int] = {}
        self._unplaced: list[AskedTrial] = []
        self._refusals = 0
        self._adopted = False
        self._is_away = False

    # --- called by the optimizer ----------------------------------------------------------------

    def start(self) -> None:
        """Work until there is a reason to stop, then wait for `stop`.

        ClearML's reporter sleeps for minutes after a strategy that returns before that.
        """
        try:
            super().start()
            self.reason = self._study.why_none
        except BaseException as error:
            self.error = error
        self.ended.set()
        self._stop_event.wait()

    def stop(self) -> None:
        """Launch no more trials, and take back those in the queue. Running trials go on.

        A trial that has begun to buy is never aborted: its money is held, its answers arrive.

        Raises:
            MirrorUnavailable: the server is away. Trials in its queue stay there.
        """
        super().stop()
        jobs = list(self._current_jobs)
        self._current_jobs = []
        if not jobs or self._local:
            return
        for task_id, task in self._states(jobs).items():
            if task.status == "queued":
                with suppress(MirrorRefused):  # an agent was quicker
                    self._remote.call("tasks.dequeue", {"task": task_id})

    def process_step(self) -> bool:
        """Look at the running trials and launch new ones. False when no trial is awaited."""
        try:
            self._adopt()
            looked = self._look()
            self._say_what_is_awaited(looked)
            for job, task in looked:
                self._follow(job, task.status, task.message)
            self._bury(looked)
        except MirrorUnavailable as error:
            if not self._is_away:
                _LOG.warning("ClearML does not answer (%s); asked until it does", error)
            self._is_away = True
            return True
        self._is_away = False
        while len(self._current_jobs) < self._num_concurrent_workers:
            if self._stop_event.is_set() or (job := self.create_job()) is None:
                break
            self._launch(job)
        return bool(self._current_jobs or self._unplaced)

    def create_job(self) -> BaseJob | None:
        """A clone of the template for the next trial; None while no trial is asked for."""
        if not self._unplaced:
            asked = self._study.ask()
            if asked is None:
                return None
            self._unplaced.append(asked)
        asked = self._unplaced[0]
        number, plan = asked.trial.number, asked.plan
        self.set_job_naming_scheme(lambda base, values: f"trial {number}: {plan.key}")
        try:
            job = self.helper_create_job(
                self._base_task_id, parameter_override=overrides(plan, self._study.world.space)
            )
        except Exception as error:  # of many kinds: the server is away, or has no template
            self._refusals += 1
            if self._refusals >= _REFUSALS:
                raise InputError(
                    f"ClearML takes no trial any more ({error}); mend it and run the same command"
                ) from error
            return None
        self._refusals = 0
        asked.trial.set_user_attr(TASK, job.task_id())  # from now on the task belongs to this trial
        self._number[job.task_id()] = number
        self._unplaced.pop(0)
        self._say(f"{'buying' if asked.bought else 'evaluating'} {plan.key}")
        return job

    # --- running trials -------------------------------------------------------------------------

    def _launch(self, job: BaseJob) -> None:
        self._current_jobs.append(job)
        if not job.launch(self._execution_queue):
            _LOG.warning("trial %s could not be launched; tried again", job.task_id())

    def _states(self, jobs: list[BaseJob]) -> dict[str, _Task]:
        """The state of tasks, by id, in one request.

        Raises:
            MirrorUnavailable: the server is away.
        """
        fields = ("status", "status_message", "last_update", "last_worker")
        rows = self._tasks({"id": [job.task_id() for job in jobs]}, *fields)
        return {
            row["id"]: _Task(
                row["status"],
                row.get("status_message") or "",
                str(row.get("last_update") or ""),
                row.get("last_worker") or "",
            )
            for row in rows
        }

    def _tasks(self, query: dict[str, Any], *fields_: str) -> list[dict[str, Any]]:
        """Id and some fields of tasks, in one request.

        Raises:
            MirrorUnavailable: the server is away.
        """
        fields = {"only_fields": ["id", *fields_], "page": 0, "page_size": 500}
        answer = self._remote.call("tasks.get_all", {**query, **fields})
        tasks: list[dict[str, Any]] = answer["tasks"]
        return tasks

    def _look(self) -> list[tuple[BaseJob, _Task]]:
        """Jobs with the state of their tasks."""
        jobs = list(self._current_jobs)
        for job in jobs:
            if isinstance(job, LocalClearmlJob):
                job.wait_for_process(timeout=0)  # marks the task if its process has ended
        states = self._states(jobs) if jobs else {}
        return [(job, states.get(job.task_id(), _DELETED)) for job in jobs]

    def _bury(self, looked: list[tuple[BaseJob, _Task]]) -> None:
        """Run again the trials of dead agents."""
        if self._local:
            return
        running = {job.task_id(): job for job, task in looked if task.status == "in_progress"}
        updates = {job.task_id(): task.update for job, task in looked if job.task_id() in running}
        for task_id in self._liveness.dead(updates):
            job, number = running[task_id], self._number[task_id]
            if self._trial(job).state.name != "RUNNING":
                self._conclude(job, "stopped", "its agent is gone")
                continue
            deaths = self._deaths[number] = self._deaths.get(number, 0) + 1
            if deaths >= _DEATHS:
                raise InputError(
                    f"trial {number}: {_DEATHS} agents died with it (task {task_id}); mend them "
                    "and run the same command: what was bought is kept"
                )
            self._say("an agent is gone", f"Trial {number}: its agent is gone; it is run again")
            self._again(job)

    def _say(self, doing: str, note: str = "") -> None:
        self._said = time.monotonic()
        self._study.say(doing, note)

    def _say_what_is_awaited(self, looked: list[tuple[BaseJob, _Task]]) -> None:
        """Print a line a minute while nothing else happens."""
        if looked and time.monotonic() - self._said > _SAY_S:
            waits = ", ".join(self._awaited(job, task) for job, task in looked)
            self._say("waiting", f"Waiting for {waits}")

    def _awaited(self, job: BaseJob, task: _Task) -> str:
        said = f"trial {self._number[job.task_id()]} ({task.status.replace('_', ' ')}"
        if task.status == "queued":
            return f"{said} for agents of {self._execution_queue})"
        silence = self._liveness.silence(job.task_id())
        worker = f" on {task.worker}" if task.worker else ""
        return f"{said}{worker}, heard of {silence:.0f} s ago)"

    def _follow(self, job: BaseJob, status: str, message: str) -> None:
        """Act on a job's status."""
        if status == "created":
            job.launch(self._execution_queue)
        elif status in _ENDED:
            self._conclude(job, status, message)
        elif self._local and isinstance(job, RunningJob) and not self._is_alive(job):
            if self._trial(job).state.name == "RUNNING":
                self._again(job)
            else:
                self._conclude(job, status, message)

    def _trial(self, job: BaseJob) -> FrozenTrial:
        """A job's trial in the study, read anew."""
        return self._study.trials.at(self._number[job.task_id()])

    def _is_alive(self, job: BaseJob) -> bool:
        """Whether a process of an earlier start works on a trial: it holds the trial's lock."""
        return is_locked(trial_lock(self._study.folder, job.task_id()))

    def _conclude(self, job: BaseJob, status: str, message: str) -> None:
        """Act on a task that has ended, by the state of its trial in the study."""
        trial = self._trial(job)
        if trial.state.name == "COMPLETE":
            if status not in ("completed", "published"):  # its process died before its report
                task = TrialTask(self._remote, job.task_id())
                task.start()
                task.report(facts_of(self._study, trial.number))
            self._current_jobs.remove(job)
            self._say(f"done {trial.user_attrs['plan']['key']}")
        elif trial.state.name == "RUNNING":
            self._lost(job, trial.number, status, message)
        else:
            self._current_jobs.remove(job)
            self._say(f"refused {trial.user_attrs['plan']['key']}")

    def _lost(self, job: BaseJob, number: int, status: str, message: str) -> None:
        """Run a task without an outcome again, unless a person stopped it."""
        if status == "stopped" and "non-responsive" not in message.lower():
            self._current_jobs.remove(job)
            self._study.trials.fail(number)
            return
        failures = self._failures.get(number, 0) + 1
        if failures >= _ATTEMPTS:
            raise InputError(
                f"trial {number} failed {_ATTEMPTS} times where it was run: "
                f"{message or 'see the log of its task'} (task {job.task_id()}); mend it and run "
                "the same command: what was bought is kept"
            )
        self._again(job)
        self._failures[number] = failures

    def _again(self, job: BaseJob) -> None:
        """Run a task once more. Its trial finds its order and goes on with it."""
        task_id = job.task_id()
        self._remote.call("tasks.reset", {"task": task_id, "force": True})
        self._current_jobs.remove(job)
        self._take(task_id, self._number[task_id], "created")

    # --- trials of an earlier start -------------------------------------------------------------

    def _adopt(self) -> None:
        """Adopt the trials that were in hand when the controller was stopped or killed."""
        if self._adopted:
            return
        trials = self._study.trials
        left = [trial for trial in trials.all() if trial.state.name == "RUNNING"]
        ids = [trial.user_attrs[TASK] for trial in left if trial.user_attrs.get(TASK)]
        rows = self._tasks({"id": ids}, "status") if ids else []
        status = {row["id"]: row["status"] for row in rows}
        self._drop_drafts(set(ids))
        done = {*self._number.values(), *(asked.trial.number for asked in self._unplaced)}
        for trial in left:  # if the server goes away, the others are adopted later
            attrs = trial.user_attrs
            if trial.number in done:
                continue
            if "plan" not in attrs:
                trials.fail(trial.number)
            elif attrs.get(TASK) in status:
                self._take(attrs[TASK], trial.number, status[attrs[TASK]])
            else:
                plan = plan_from_plain(attrs["plan"])
                self._unplaced.append(AskedTrial(trials.reopen(trial), plan, attrs["bought"]))
        self._adopted = True

    def _take(self, task_id: str, number: int, status: str) -> None:
        """Watch an existing task, and launch it if it does not run."""
        if status in _ENDED:
            self._remote.call("tasks.reset", {"task": task_id, "force": True})
        if self._local and status == "queued":
            self._remote.call("tasks.dequeue", {"task": task_id})
        self._number[task_id] = number
        if self._local and status != "in_progress":
            job = self._job_class(base_task_id=task_id, disable_clone_task=True)
        else:
            job = RunningJob(task_id)
        plan = plan_from_plain(self._study.trials.at(number).user_attrs["plan"])
        self._created_jobs_ids[task_id] = (job, overrides(plan, self._study.world.space))
        if status == "in_progress" or (status == "queued" and not self._local):
            self._current_jobs.append(job)
        else:
            self._launch(job)

    def _drop_drafts(self, in_hand: set[str]) -> None:
        """Delete clones whose ids were not written down before a kill."""
        query = {"parent": self._job_parent_id, "status": ["created"]}
        for draft in self._tasks(query, f"hyperparams.properties.{OUR_ID}"):
            properties = (draft.get("hyperparams") or {}).get("properties") or {}
            if (
                draft["id"] not in in_hand and OUR_ID not in properties
            ):  # with it, it is the mirror's
                self._remote.call("tasks.delete", {"task": draft["id"]})
