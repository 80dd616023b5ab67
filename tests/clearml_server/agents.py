"""Agents and controllers as processes: forked from a server that has imported everything once.

No clearml-agent runs in the tests. `Agent` does what one does that needs no virtual environment:
takes tasks from a queue, marks them started, runs their stored script with CLEARML_TASK_ID set,
and marks tasks whose process ended without a word.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.clearml_server.server import StandIn

_FORKED = multiprocessing.get_context("forkserver")
_SETTINGS = ("CLEARML_", "TOLOKA_", "LABELWORTH_")
_FORKED.set_forkserver_preload(["tests.clearml_server.preloaded"])


def in_process(work: Callable[..., None], *arguments: Any, log: Path | None = None) -> BaseProcess:
    """A process that does some work with this one's settings of servers."""
    settings = {k: v for k, v in os.environ.items() if k.startswith(_SETTINGS)}
    process = _FORKED.Process(target=_run, args=(work, arguments, settings, log), daemon=True)
    process.start()
    return process


def _run(
    work: Callable[..., None], arguments: tuple[Any, ...], settings: dict[str, str], log: Path
) -> None:
    os.environ.update(settings)
    file = open(log or os.devnull, "a", buffering=1)  # noqa: SIM115
    sys.stdout = sys.stderr = file
    try:
        work(*arguments)
    finally:
        print("CPU", time.process_time(), work.__name__)


def search(runs: Path, settings: dict[str, object], options: dict[str, Any]) -> None:
    """The controller of a study, mirrored; on Toloka with confirmed money."""
    from hpo.study.study import Study
    from hpo.tracking.clearml.engine import Engine, run
    from hpo.tracking.clearml.live import mirroring

    study = Study(runs=runs, **settings)
    try:
        with mirroring(study.folder, on=True):
            run(study, Engine(**options), real_money=study.config.market == "toloka")
    finally:
        study.close()


def stock_search(runs: Path, settings: dict[str, object], trials: int) -> None:
    """ClearML's own Optuna strategy on a study's template task."""
    import optuna
    from clearml import Task
    from clearml.automation import HyperParameterOptimizer
    from clearml.automation.optuna import OptimizerOptuna

    from hpo.study.study import Study
    from hpo.tracking.clearml.template import ACCURACY, make_template, search_space

    study = Study(runs=runs, **settings)
    template = make_template(study, "labelworth", [])
    space = search_space(study.world.space)
    study.close()
    optimizer = HyperParameterOptimizer(
        base_task_id=template.id,
        hyper_parameters=space,
        objective_metric_title=ACCURACY[0],
        objective_metric_series=ACCURACY[1],
        objective_metric_sign="max",
        optimizer_class=OptimizerOptuna,
        max_number_of_concurrent_tasks=2,
        execution_queue="default",
        auto_connect_task=Task.create("labelworth", "stock search", "optimizer"),
        total_max_jobs=trials,
        max_iteration_per_job=None,
        pool_period_min=1 / 60,
        optuna_sampler=optuna.samplers.GridSampler({p.name: p.values for p in space}, seed=1),
    )
    optimizer.set_report_period(0.05)
    optimizer.start()
    optimizer.wait()
    optimizer.stop(wait_for_reporter=False)  # it reports 15 seconds after the start


def run_script(script: str, task: str) -> None:
    """What an agent does in the end: the task's stored script."""
    os.environ["CLEARML_TASK_ID"] = task
    exec(compile(script, "labelworth_trial.py", "exec"), {"__name__": "__main__"})


class Agent:
    """Takes tasks from a queue of the stand-in and runs some at a time.

    Attributes:
        most: tasks that ran at once.
        paused: set while it takes no further task.
        script: what is run instead of a task's own script, if anything.
    """

    def __init__(self, server: StandIn, queue: str, slots: int, log: Path | None = None) -> None:
        self.most = 0
        self.script: str | None = None
        self.paused = threading.Event()
        self._server, self._slots, self._log = server, slots, log
        self._queue = next(q["id"] for q in server.api.queues if q["name"] == queue)
        self._running: dict[str, BaseProcess] = {}
        self._done, self._dead = threading.Event(), threading.Event()
        self.name = f"agent:{id(self)}"
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def kill_one(self) -> bool:
        """Kill a trial's process, as a machine that runs out of memory does."""
        for process in list(self._running.values()):
            if process.pid is not None and process.is_alive():
                with suppress(ProcessLookupError):  # it ended meanwhile
                    os.kill(process.pid, signal.SIGKILL)
                    return True
        return False

    def die(self, alone: bool = False) -> None:
        """End without a word, its trials with it, as a machine that loses its power does.

        Args:
            alone: its trials live on, as those of an agent that was killed by its number do.
        """
        self._dead.set()
        self._thread.join()
        for process in () if alone else self._running.values():
            process.kill()
            process.join()

    @property
    def busy(self) -> bool:
        """Whether any task runs."""
        return bool(self._running)

    def stop(self) -> None:
        """Take no further task, and wait for those that run."""
        self._done.set()
        self._thread.join()

    def _work(self) -> None:
        while (not self._done.is_set() or self._running) and not self._dead.is_set():
            self._reap()
            for task in list(self._running) or [None]:
                self._server.api.call("workers.status_report", {"worker": self.name, "task": task})
            if not (self._done.is_set() or self.paused.is_set()):
                self._fill()
            self.most = max(self.most, len(self._running))
            time.sleep(0.05)

    def _fill(self) -> None:
        call = self._server.api.call
        while len(self._running) < self._slots:
            entry = call("queues.get_next_task", {"queue": self._queue}).get("entry")
            if entry is None:
                return
            task = entry["task"]
            call("tasks.started", {"task": task})
            stored = call("tasks.get_by_id", {"task": task})["task"]["script"]["diff"]
            script = self.script or stored
            self._running[task] = in_process(run_script, script, task, log=self._log)

    def _reap(self) -> None:
        for task, process in list(self._running.items()):
            status = self._server.api.call("tasks.get_by_id", {"task": task})["task"]["status"]
            if process.exitcode is None:
                if status == "stopped":
                    process.kill()
                continue
            del self._running[task]
            if status == "in_progress":
                end = "tasks.failed" if process.exitcode else "tasks.completed"
                message = f"Process exit code {process.exitcode}"
                self._server.api.call(end, {"task": task, "status_message": message})
