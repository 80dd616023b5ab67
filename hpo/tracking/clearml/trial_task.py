"""A trial on an agent: it buys, evaluates and reports the plan of its ClearML task.

`python -m hpo.tracking.clearml.trial_task`, with CLEARML_TASK_ID naming a clone of the template
task. It reserves money in the ledger of the study's run directory before it buys, so the cap holds
for every trial. Run again for the same task, it goes on where it stood.

It sends requests through `remote` alone: the SDK's objects would delay its end for hours while
the server is away. The run directory holds the outcome, and the mirror reports it from there.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budget.errors import InputError, MirrorRefused, MirrorUnavailable, PlanRefused
from budget.files import is_locked, try_locked
from hpo.market import stop_signals
from hpo.settings.exit_codes import BAD_INPUT, DONE, MIRROR_INCOMPLETE
from hpo.tracking.clearml.liveness import living
from hpo.tracking.clearml.server.connection import Remote
from hpo.tracking.clearml.server.events import events_of
from hpo.tracking.clearml.server.records import Parts, Scalar
from hpo.tracking.clearml.server.writer import parameter
from hpo.tracking.clearml.template import (
    ACCURACY,
    PRICE_TAG,
    RUN_DIR,
    STARTED_IN,
    plan_from,
)
from hpo.trial.outcome import outcome_to_plain, plan_from_plain
from hpo.trial.spending import paid_for

if TYPE_CHECKING:
    from hpo.study.study import Study

REFUSED, STOPPED = 3, 130
_BEAT_S = 20.0  # the controller takes a silent task for dead after a minute
_PATIENCE_S = 600.0  # to report an outcome while the server is away
_PAUSE_S = 5.0


class TrialTask:
    """The task of a trial on the server.

    Args:
        remote: the server.
        id: the task's id.
    """

    def __init__(self, remote: Remote, id: str) -> None:
        self.id = id
        self._remote = remote

    def start(self) -> dict[str, str]:
        """Mark it as running, and read its parameters: section/name -> value.

        Raises:
            MirrorUnavailable, MirrorRefused: as for `Remote.call`; so do the other methods.
        """
        self._remote.call("tasks.started", {"task": self.id, "force": True})
        sections = self._remote.call("tasks.get_by_id", {"task": self.id})["task"]["hyperparams"]
        return {
            f"{section}/{name}": item.get("value", "")
            for section, items in sections.items()
            for name, item in items.items()
        }

    def report(self, facts: Mapping[str, Any]) -> None:
        """Report the trial's outcome, and complete the task. A second report changes nothing.

        Args:
            facts: of `facts_of`.
        """
        cost, paid = facts["price_tag"] / 1e6, facts["paid"] / 1e6
        values = {"accuracy": facts["accuracy"], "cost_usd": cost, "paid_usd": paid}
        scalars = [
            Scalar(*ACCURACY, 0, facts["accuracy"]),
            Scalar(*PRICE_TAG, 0, cost),
            *(Scalar("Summary", n, None, v) for n, v in values.items()),
            Scalar("Summary", "minutes", None, facts["minutes"]),
        ]
        parts = Parts(scalars=scalars, at_ms=int(time.time() * 1000))
        self._remote.send_events(list(events_of(self.id, parts)))
        self._note(
            plan=facts["plan"]["key"],
            trial="" if facts["trial"] is None else str(facts["trial"]),
            label_version=facts.get("version", ""),
            paid_usd=f"{paid:.6f}",
        )
        self._remote.call("tasks.completed", {"task": self.id, "force": True})

    def give_up(self, reason: str, line: str) -> None:
        """Report the reason why there is no outcome."""
        self._note(**{reason: line})
        said = {"status_reason": reason, "status_message": line}
        self._remote.call("tasks.failed", {"task": self.id, "force": True, **said})

    def beat(self) -> None:
        """Report that the task lives."""
        self._remote.call("tasks.ping", {"task": self.id})

    def _note(self, **properties: str) -> None:
        items = [parameter("properties", name, value) for name, value in properties.items()]
        body = {"task": self.id, "hyperparams": items, "replace_hyperparams": "none"}
        self._remote.call("tasks.edit_hyper_params", body)


def main() -> int:
    """Run the trial of the task that CLEARML_TASK_ID names, and return the exit code.

    0 done; 2 bad input; 3 refused, no money moved; 5 trouble with the market; 6 the ledger was
    refused; 7 the server got no report; 130 stopped, and run again it goes on.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by OpenMP when torch is imported
    name = os.environ.get("CLEARML_TASK_ID")
    if not name:
        print("labelworth: CLEARML_TASK_ID names no task; agents set it", file=sys.stderr)
        return BAD_INPUT
    stop_signals.install()
    try:
        task = TrialTask(Remote(), name)
        return _run(task, task.start())
    except (KeyboardInterrupt, stop_signals.Terminated):
        return STOPPED
    except (MirrorUnavailable, MirrorRefused) as error:
        print(f"labelworth: {error}; what was bought is kept", file=sys.stderr)
        return MIRROR_INCOMPLETE


def _run(task: TrialTask, parameters: Mapping[str, str]) -> int:
    with _beating(task):
        try:
            facts = _work(parameters, task.id)
        except PlanRefused as error:
            return _give_up(task, "refused", str(error), REFUSED)
        except Exception as error:
            from hpo.settings.exit_codes import explain

            code, line = explain(error)
            return _give_up(task, "failed", line, code)
    _patiently(lambda: task.report(facts))
    line = f"labelworth: {facts['plan']['key']}: accuracy {facts['accuracy']:.4f}"
    print(line, file=sys.stderr)  # stdout may be a controller's, which is for its answer
    return DONE


def _give_up(task: TrialTask, reason: str, line: str, code: int) -> int:
    print(f"labelworth: {line}", file=sys.stderr)
    _patiently(lambda: task.give_up(reason, line))
    return code


def _patiently(tell: Callable[[], None]) -> None:
    """Report to the server, for some minutes while it is away."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return tell()
        except MirrorUnavailable:
            if time.monotonic() > until:
                raise
        time.sleep(_PAUSE_S)


def facts_of(study: Study, number: int) -> dict[str, Any]:
    """A complete trial's outcome, and the money it paid."""
    attrs = study.trials.at(number).user_attrs
    labels: dict[str, Any] = {n: attrs[n] for n in ("version", "order") if n in attrs}
    return {**attrs["outcome"], **labels, "paid": _paid(study, labels), "trial": number}


def _paid(study: Study, labels: Mapping[str, str]) -> int:
    purchases = study.trials.purchases()
    paid = zip(purchases, paid_for(purchases, study.world), strict=True)
    return sum(money.micros for bought, money in paid if bought.version == labels.get("version"))


def _work(parameters: Mapping[str, str], name: str) -> dict[str, Any]:
    """Buy and evaluate a task's plan, and the plans that it contains.

    Raises:
        MirrorRefused: the money left does not bear it, or it is outside the study's limits.
        InputError: the parameters name no plan or no study.
    """
    from hpo.study.logs.log import logged
    from hpo.study.study import open_study

    for needed in (RUN_DIR, STARTED_IN):
        folder = parameters.get(needed)
        if not folder:
            raise InputError(f"{needed}: not given; the task is no clone of a study's template")
        if not Path(folder).is_dir():
            raise InputError(
                f"{needed}: {folder} is not on this machine; start the agent where it is"
            )
    os.chdir(parameters[STARTED_IN])  # relative paths of the study's data start there
    run_dir = Path(parameters[RUN_DIR])
    with living(run_dir, name), logged(run_dir):
        study = open_study(run_dir)
        try:
            return _trial(study, parameters, name)
        finally:
            study.close()


def _trial(study: Study, parameters: Mapping[str, str], name: str) -> dict[str, Any]:
    number = study.trials.of_task(name)
    if number is None:  # of another optimizer, or of a person
        plan = plan_from(parameters, study.world.space)
    else:
        plan = plan_from_plain(study.trials.at(number).user_attrs["plan"])
    with study.world.buying(plan):
        if study.world.market.kind.real_money and not is_locked(_consent(study.folder)):
            raise PlanRefused(
                "spends real money, and no command runs that has confirmed it: start labelworth "
                "run --engine clearml for this study"
            )
        if number is None:
            number = study.admit(plan, name)
        if number is None:
            outcome = next(o for o in study.outcomes() if o.plan.key == plan.key)
            return {**outcome_to_plain(outcome), "paid": 0, "trial": None}
        before = study.trials.at(number)
        try:
            trial = study.finish(number)
        finally:
            study.world.source.close()  # before the next in turn opens it
    if "refused" in trial.user_attrs:
        raise PlanRefused(trial.user_attrs["refused"]["why"])
    if before.state.name == "RUNNING" and trial.user_attrs["bought"]:
        study.reuse(plan)
    return facts_of(study, number)


@contextmanager
def consenting(folder: Path) -> Iterator[None]:
    """Let trials of a study's run directory spend real money until the block is left.

    It ends with the process, too: a task that is enqueued later spends nothing.

    Raises:
        InputError: another process does so already.
    """
    with try_locked(_consent(folder)) as is_first:
        if not is_first:
            raise InputError(f"{folder}: another command spends real money here; let it finish")
        yield


def _consent(folder: Path) -> Path:
    return folder / "locks" / "consent"


@contextmanager
def _beating(task: TrialTask) -> Iterator[None]:
    """Report now and then that a task lives: annotators may take hours."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(_BEAT_S):
            with suppress(
                MirrorUnavailable, MirrorRefused
            ):  # a server that is away stops no purchase
                task.beat()

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        done.set()


if __name__ == "__main__":
    sys.exit(main())
