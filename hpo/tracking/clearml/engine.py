"""ClearML as the engine of a study: its HyperParameterOptimizer runs our search on agents.

The controller is the study's task that the mirror keeps, the trials are its children, and the
mirror takes those of purchases for its own, so that nothing shows twice. The optimizer reports
nothing itself.
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
from hpo.tracking.clearml.mirror.run_directory import read_run
from hpo.tracking.clearml.mirror.sync import BASE, Mirror
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
    """

    queue: str | None
    workers: int = 2
    poll_s: float = _POLL_S


def check(engine: Engine) -> bool:
    """Refuse what cannot work, before anything is bought.

    Returns:
        Whether anybody runs trials: an agent that listens to the queue, or this machine.

    Raises:
        InputError: the server's settings or the queue are wrong; named.
    """
    try:
        remote = Remote()
        return engine.queue is None or _listening(remote, engine.queue)
    except (MirrorUnavailable, MirrorRefused) as error:
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


def run(
    study: Study,
    engine: Engine,
    watch: Watch | None = None,
    real_money: bool = False,
    archive: bool = False,
) -> dict[str, Any]:
    """Search with trials run by ClearML, then write and return the report.

    Started again after any end it goes on: trials in hand are adopted, none is bought twice. An
    end, by a signal or by itself, never waits for a server that is away.

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
    study.prepare(_aloud(watch), real_money)
    study.world.source.close()  # from here on the market is the trials', one after the other
    with _quiet(), consenting(study.folder) if real_money else contextlib.nullcontext():
        reason = _search(study, engine)
        study.events.begin(study.trials)  # also what a trial that was killed could not tell
        study.finish_left()
        return study.conclude(reason, archive)


def _search(study: Study, engine: Engine) -> str:
    """Let ClearML's optimizer work until the search stops; why it did."""
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
        auto_connect_task=False,
    )
    strategy.set_job_default_parent(controller, f"{BASE}/{study.config.study}")
    start = optimizer.start if engine.queue else optimizer.start_locally
    start()
    return optimizer, strategy


def _within(seconds: float, work: Callable[[], object]) -> bool:
    """Do something that a server may hold up, but wait no longer; whether it was done."""
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
    """The id of the study's template task; made where there is none."""
    from clearml import Task

    known = study.trials.known("clearml engine")
    if not known:
        known = {"id": uuid.uuid4().hex}  # first, so that a kill leaves no second template
        study.trials.keep("clearml engine", known)
    name, tag = f"trial of {study.config.study}", f"engine: {known['id']}"
    query = {"name": f"^{re.escape(name)}$", "status": ["created"], "order_by": ["created"]}
    found = Task.get_tasks(tags=[tag], task_filter=query)
    if not found:
        return str(make_template(study, f"{BASE}/{study.config.study}/template", [tag]).id)
    fill_template(found[0], study)  # the run directory may have moved
    return str(found[0].id)


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
