"""ClearML as the engine of a study: its HyperParameterOptimizer runs our search on agents."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from budget.errors import InputError
from hpo.tracking.clearml.remote import Refused, Remote, Unavailable
from hpo.tracking.clearml.sync import BASE
from hpo.tracking.clearml.template import ACCURACY, fill_template, make_template, search_space

if TYPE_CHECKING:
    from clearml import Task

    from hpo.config import StudyConfig
    from hpo.study import Progress, Study, Watch
    from hpo.tracking.clearml.strategy import PlanSearch

MARKETS = ("simulated", "hybrid", "replay")
"""Markets that several processes may buy on at once: those inside the process."""
_POLL_S = 2.0
_REPORT_MIN = 5.0
_REPORT_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Engine:
    """How trials are run.

    Attributes:
        queue: ClearML's queue that agents listen to; None for processes of this machine.
        workers: trials at a time.
        poll_s: seconds between two looks at the trials.
        report_min: minutes between two reports of ClearML's optimizer.
    """

    queue: str | None
    workers: int = 2
    poll_s: float = _POLL_S
    report_min: float = _REPORT_MIN


def check(config: StudyConfig, engine: Engine) -> bool:
    """Refuse what cannot work, before anything is bought.

    Returns:
        Whether anybody runs trials: an agent that listens to the queue, or this machine.

    Raises:
        InputError: the market, the server's settings or the queue are wrong; named.
    """
    kind = config.market.partition(":")[0]
    if kind not in MARKETS:
        raise InputError(
            f"--engine clearml: trials on the market {kind!r} cannot run in several processes yet; "
            "leave --engine out"
        )
    try:
        remote = Remote()
        return engine.queue is None or _listening(remote, engine.queue)
    except (Unavailable, Refused) as error:
        raise InputError(f"--engine clearml: {error}; run the same command again") from None


def _listening(remote: Remote, queue: str) -> bool:
    """Whether an agent listens to a queue.

    Raises:
        InputError: there is no such queue.
    """
    found = remote.call("queues.get_all", {"only_fields": ["id", "name"]})["queues"]
    ids = {one["name"]: one["id"] for one in found}
    if queue not in ids:
        known = ", ".join(sorted(ids)) or "none"
        raise InputError(f"--queue: ClearML has no queue {queue!r}; there is {known}")
    workers = remote.call("workers.get_all", {})["workers"]
    return any(ids[queue] == one["id"] for w in workers for one in w.get("queues") or ())


def run(study: Study, engine: Engine, watch: Watch | None = None) -> dict[str, Any]:
    """Search with trials run by ClearML, then write and return the report.

    Started again after any end it goes on: trials in hand are adopted, none is bought twice.

    Args:
        study: the study.
        engine: how its trials are run.
        watch: called whenever something changed, for a live line.
    """
    if not check(study.config, engine):
        print(
            f"No agent listens to queue {engine.queue} yet. Start one on this machine: "
            "CLEARML_AGENT_SKIP_PYTHON_ENV_INSTALL=1 "
            f"CLEARML_AGENT_SKIP_PIP_VENV_INSTALL={sys.executable} "
            f"clearml-agent daemon --queue {engine.queue}",
            file=sys.stderr,
        )
    study.prepare(_aloud(watch))
    with _quiet():
        controller, template = _tasks(study)
        reason = _search(study, engine, controller, template)
        controller.flush(wait_for_uploads=True)
        controller.mark_completed(force=True, status_message=f"stopped: {reason}")
    study.story.begin(study.trials)  # also what a trial that was killed could not tell
    study.finish_left()
    return study.conclude(reason)


def _search(study: Study, engine: Engine, controller: Task, template: str) -> str:
    """Let ClearML's optimizer work until the search stops; why it did."""
    from clearml.automation import HyperParameterOptimizer

    from hpo.tracking.clearml.strategy import PlanSearch

    strategy = PlanSearch(study, template, engine.queue, engine.workers, engine.poll_s)
    optimizer = HyperParameterOptimizer(
        base_task_id=template,
        hyper_parameters=search_space(study.world.space),
        objective_metric_title=ACCURACY[0],
        objective_metric_series=ACCURACY[1],
        objective_metric_sign="max",
        optimizer_class=strategy,
        max_number_of_concurrent_tasks=engine.workers,
        execution_queue=engine.queue or "none: processes of the controller's machine",
        auto_connect_task=controller,
    )
    optimizer.set_report_period(engine.report_min)
    controller.session.send = _Pace(controller.session.send, strategy)
    start = optimizer.start if engine.queue else optimizer.start_locally
    start()
    try:
        _wait(strategy)
    except BaseException as error:
        optimizer.stop(wait_for_reporter=False)
        if strategy.answers:  # a server that is away would hold us up
            why = str(error) or "stopped"
            controller.stopped(force=True, status_message=f"{why}; the same command goes on")
        raise
    optimizer.stop()
    return strategy.reason


class _Pace:
    """Spaces out the requests of ClearML's reporter: it asks several times a trial, all at once.

    While trials wait they are what would strain a server; at the end they are let go.

    Args:
        send: sends a request.
        strategy: whose own requests are not held up.
    """

    def __init__(self, send: Callable[..., Any], strategy: PlanSearch) -> None:
        self._send = send
        self._strategy = strategy
        self._turn = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request, in turn."""
        mine = (threading.main_thread(), self._strategy.thread)
        if threading.current_thread() not in mine:
            with self._turn:
                self._strategy.ended.wait(_REPORT_PAUSE_S)
        return self._send(*args, **kwargs)


def _wait(strategy: PlanSearch) -> None:
    while not strategy.ended.wait(timeout=1.0):  # wakes for signals
        pass
    if strategy.error is not None:
        raise strategy.error


def _tasks(study: Study) -> tuple[Task, str]:
    """The study's controller, started, and the id of its template; made where there are none."""
    from clearml import Task

    known = study.trials.known("clearml engine")
    if not known:
        known = {"id": uuid.uuid4().hex}  # first, so that a kill leaves no second controller
        study.trials.keep("clearml engine", known)
    project, tag = f"{BASE}/{study.config.study}/trials", f"engine: {known['id']}"
    controller = _find(tag, "optimizer")
    if controller is None:
        controller = Task.create(project, f"search of {study.config.study}", "optimizer")
        controller.set_tags([tag])
    controller.mark_started(force=True)
    template = _find(tag, "training", status=["created"])
    if template is None:
        template = make_template(study, project, [tag])
    else:
        fill_template(template, study)  # the run directory may have moved
    return controller, template.id


def _find(tag: str, kind: str, **more: list[str]) -> Task | None:
    from clearml import Task

    query = {"type": [kind], "order_by": ["created"], **more}
    found = Task.get_tasks(tags=[tag], task_filter=query)
    return found[0] if found else None


def _aloud(watch: Watch | None) -> Watch | None:
    """The same, with the standard output as it is now: ClearML's part is kept quiet."""
    if watch is None:
        return None
    out = sys.stdout

    def seen(progress: Progress) -> None:
        with contextlib.redirect_stdout(out):
            watch(progress)

    return seen


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop what ClearML prints to stdout, which is for the answer, and warns of without need."""
    log = logging.getLogger("clearml.automation.optimization")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        log.setLevel(before)
