"""ClearML as the engine of a study: its HyperParameterOptimizer runs our search on agents.

The controller is the study's task, which the mirror writes. The trials are its children. The mirror
adopts the tasks of purchases, so that nothing shows twice. The optimizer itself reports nothing.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from budget.errors import InputError, MirrorRefused, MirrorUnavailable
from hpo.tracking.clearml.choices import chosen
from hpo.tracking.clearml.liveness import SILENT_S
from hpo.tracking.clearml.mirror.run_directory import read_run
from hpo.tracking.clearml.mirror.sync import Mirror
from hpo.tracking.clearml.server.connection import Remote
from hpo.tracking.clearml.template import ACCURACY, fill_template, make_template, search_space
from hpo.tracking.clearml.trial_task import consenting

if TYPE_CHECKING:
    from clearml.automation import HyperParameterOptimizer

    from hpo.study.study import Progress, Study, Watch
    from hpo.tracking.clearml.strategy import PlanSearch

_POLL_S = 2.0
_GOODBYE_S = 5.0  # for a server that may be away to hear that the search has ended


@dataclass(frozen=True, slots=True)
class Engine:
    """How trials are run.

    Attributes:
        queue: ClearML's queue that agents listen to; None for processes of this machine.
        workers: trials at a time.
        poll_s: seconds between two looks at the trials.
        silent_s: seconds of silence after which a trial without a process is run again.
    """

    queue: str | None
    workers: int = 2
    poll_s: float = _POLL_S
    silent_s: float = SILENT_S


def check(engine: Engine) -> bool:
    """Refuse an engine that cannot work, before anything is bought.

    Returns:
        Whether trials can run now: an agent listens to the queue, or this machine runs them.

    Raises:
        InputError: the server's settings or the queue are wrong. It names them.
    """
    try:
        remote = Remote()
        return engine.queue is None or _listening(remote, engine.queue)
    except MirrorRefused as error:
        raise InputError(f"--engine clearml: {error}; mend that first") from None
    except MirrorUnavailable as error:
        raise InputError(f"--engine clearml: {error}; run the same command again") from None


def _listening(remote: Remote, queue: str) -> bool:
    """Whether an agent listens to a queue.

    Raises:
        InputError: there is no such queue.
    """
    queues = remote.call("queues.get_all", {"only_fields": ["id", "name"]})["queues"]
    ids = {row["name"]: row["id"] for row in queues}
    if queue not in ids:
        names = ", ".join(sorted(ids)) or "none"
        raise InputError(f"--queue: ClearML has no queue {queue!r}; there is {names}")
    workers = remote.call("workers.get_all", {})["workers"]
    heard = [row["id"] for worker in workers for row in worker.get("queues") or ()]
    return ids[queue] in heard


def run(
    study: Study,
    engine: Engine,
    watch: Watch | None = None,
    real_money: bool = False,
    archive: bool = False,
) -> dict[str, Any]:
    """Search with trials run by ClearML, then write and return the report.

    Started again after any end, it goes on: it adopts the trials in hand and buys none twice. It
    ends without waiting for a server that is away.

    Args:
        study: the study.
        engine: how its trials are run.
        watch: called whenever something changed, for a live line.
        real_money: confirms that a study on Toloka may spend up to its cap; its trials spend only
            while this runs.
        archive: archive its pools at the end, because the study is over.

    Raises:
        InputError: real money was not confirmed; or ClearML does not answer, refuses, or has no
            such queue.
    """
    if not check(engine):
        print(
            f"No agent listens to queue {engine.queue} yet. Start one on this machine: "
            "CLEARML_AGENT_SKIP_PYTHON_ENV_INSTALL=1 "
            f"CLEARML_AGENT_SKIP_PIP_VENV_INSTALL={sys.executable} "
            f"clearml-agent daemon --queue {engine.queue}",
            file=sys.stderr,
        )
    with study.alone(_aloud(watch)):
        study.prepare(_aloud(watch), real_money)
        study.world.source.close()  # from now on the trials use the market, in turn
        with _quiet(), consenting(study.folder) if real_money else contextlib.nullcontext():
            last = None
            while last is None:
                reason = _search(study, engine)
                study.events.begin(study.trials)  # a killed trial may not have told its events
                study.finish_left()
                last = study.last_reason(reason)
            return study.conclude(last, archive)


def _search(study: Study, engine: Engine) -> str:
    """Let ClearML's optimizer work until the search stops. Returns the reason."""
    try:
        controller = Mirror(Remote(), study.folder).begin(read_run(study.folder))
        optimizer, strategy = _start(study, engine, controller, _template(study))
        try:
            while not strategy.ended.wait(timeout=1.0):  # wakes for signals
                pass
        finally:
            if not _within(_GOODBYE_S, optimizer.stop):
                print("ClearML: no answer; trials in its queue stay there", file=sys.stderr)
        if strategy.error is not None:
            raise strategy.error
    except (MirrorUnavailable, MirrorRefused) as error:
        raise InputError(f"--engine clearml: {error}; run the same command again") from None
    return strategy.reason


def _start(
    study: Study, engine: Engine, controller: str, template: str
) -> tuple[HyperParameterOptimizer, PlanSearch]:
    """ClearML's optimizer at work, and our strategy in it."""
    from clearml.automation import HyperParameterOptimizer

    from hpo.tracking.clearml.strategy import PlanSearch

    strategy = PlanSearch(
        study, template, engine.queue, engine.workers, engine.poll_s, engine.silent_s
    )
    optimizer = HyperParameterOptimizer(
        base_task_id=template,
        hyper_parameters=search_space(study.world.space),
        objective_metric_title=ACCURACY[0],
        objective_metric_series=ACCURACY[1],
        objective_metric_sign="max",
        optimizer_class=strategy,
        max_number_of_concurrent_tasks=engine.workers,
        execution_queue=engine.queue or "none: processes of the controller's machine",
        auto_connect_task=False,
    )
    strategy.set_job_default_parent(controller, _project(study))
    start = optimizer.start if engine.queue else optimizer.start_locally
    start()
    return optimizer, strategy


def _project(study: Study) -> str:
    return chosen(study.folder).study_project(study.config.study)


def _within(seconds: float, work: Callable[[], object]) -> bool:
    """Do work that a server may delay, for some seconds at most. Returns whether it was done."""
    done = threading.Event()

    def do() -> None:
        with contextlib.suppress(MirrorUnavailable, MirrorRefused):
            work()
            done.set()

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(seconds)
    return done.is_set()


def _template(study: Study) -> str:
    """The id of the study's template task, which is made if it is missing."""
    from clearml import Task

    identity = study.trials.known("clearml engine")
    if not identity:
        identity = {"id": uuid.uuid4().hex}  # written first: a kill leaves no second template
        study.trials.keep("clearml engine", identity)
    name, tag = f"trial of {study.config.study}", f"engine: {identity['id']}"
    query = {"name": f"^{re.escape(name)}$", "status": ["created"], "order_by": ["created"]}
    drafts = Task.get_tasks(tags=[tag], task_filter=query)
    if not drafts:
        return str(make_template(study, f"{_project(study)}/template", [tag]).id)
    fill_template(drafts[0], study)  # the run directory may have moved
    return str(drafts[0].id)


def _aloud(watch: Watch | None) -> Watch | None:
    """The same watcher, which keeps the present standard output: ClearML's is dropped."""
    if watch is None:
        return None
    out = sys.stdout

    def seen(progress: Progress) -> None:
        with contextlib.redirect_stdout(out):
            watch(progress)

    return seen


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop ClearML's prints and warnings: standard output is for the answer."""
    log = logging.getLogger("clearml.automation.optimization")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        log.setLevel(before)
