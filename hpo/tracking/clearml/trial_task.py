"""What an agent runs for a trial: the plan of its ClearML task is bought, evaluated and reported.

`python -m hpo.tracking.clearml.trial_task`, with CLEARML_TASK_ID naming a clone of the template
task. Money is reserved in the ledger of the study's run directory before anything is bought, so
the cap holds whoever asked for the trial. Run again for the same task it goes on where it stood.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budget.errors import InputError
from hpo import asker
from hpo.tracking.clearml.remote import Refused, Remote, Unavailable
from hpo.tracking.clearml.template import (
    ACCURACY,
    PRICE_TAG,
    RUN_DIR,
    STARTED_IN,
    plan_from,
)
from hpo.trial import outcome_to_plain, plan_from_plain

if TYPE_CHECKING:
    from clearml import Task

    from hpo.study import Study

DONE, BAD_INPUT, REFUSED, STOPPED = 0, 2, 3, 130
_BEAT_S = 300.0  # the server gives a silent task up after two hours


def main() -> int:
    """Run the trial of the task that CLEARML_TASK_ID names, and return the exit code.

    0 done; 2 bad input; 3 refused, no money moved; 6 the ledger was refused; 130 stopped, and run
    again it goes on.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by OpenMP when torch is imported
    name = os.environ.get("CLEARML_TASK_ID")
    if not name:
        print("labelworth: CLEARML_TASK_ID names no task; agents set it", file=sys.stderr)
        return BAD_INPUT
    from clearml import Task

    task: Task = Task.get_task(task_id=name)
    task.mark_started(force=True)
    with _beating(name):
        try:
            facts = _work(task.get_parameters() or {}, name)
        except KeyboardInterrupt:  # the terminal's, meant for the controller: it goes on with this
            return STOPPED
        except asker.Refused as error:
            return _give_up(task, "refused", str(error), REFUSED)
        except Exception as error:
            from hpo.run import explain

            code, line = explain(error)
            return _give_up(task, "failed", line, code)
    report(task, facts)
    line = f"labelworth: {facts['plan']['key']}: accuracy {facts['accuracy']:.4f}"
    print(line, file=sys.stderr)  # stdout may be a controller's, which is for its answer
    return DONE


def report(task: Task, facts: Mapping[str, Any]) -> None:
    """Tell a task what its trial gave, and complete it. Told again, nothing changes.

    Args:
        task: the trial's task, started.
        facts: of `facts_of`.
    """
    logger = task.get_logger()
    cost, paid = facts["price_tag"] / 1e6, facts["paid"] / 1e6
    logger.report_scalar(*ACCURACY, facts["accuracy"], iteration=0)
    logger.report_scalar(*PRICE_TAG, cost, iteration=0)
    values = {"accuracy": facts["accuracy"], "cost_usd": cost, "paid_usd": paid}
    for name, value in {**values, "minutes": facts["minutes"]}.items():
        logger.report_single_value(name, value)
    task.set_user_properties(
        plan=facts["plan"]["key"],
        trial="" if facts["trial"] is None else str(facts["trial"]),
        label_version=facts.get("version", ""),
        paid_usd=f"{paid:.6f}",
    )
    task.flush(wait_for_uploads=True)
    task.mark_completed(force=True)


def facts_of(study: Study, number: int) -> dict[str, Any]:
    """What a complete trial gave: its outcome, and what it paid."""
    attrs = study.trials.at(number).user_attrs
    known: dict[str, Any] = {n: attrs[n] for n in ("version", "order") if n in attrs}
    return {**attrs["outcome"], **known, "paid": _paid(study, known), "trial": number}


def _paid(study: Study, known: Mapping[str, str]) -> int:
    record = study.world.store.record(known["order"]) if "order" in known else None
    return study.world.store.paid(record.order, study.world.source.tariff).micros if record else 0


def _work(parameters: Mapping[str, str], name: str) -> dict[str, Any]:
    """Buy and evaluate a task's plan, and what it contains.

    Raises:
        Refused: the money left does not bear it, or it is outside the study's limits.
        InputError: the parameters name no plan or no study.
    """
    from hpo.study import open_study

    for needed in (RUN_DIR, STARTED_IN):
        folder = parameters.get(needed)
        if not folder:
            raise InputError(f"{needed}: not given; the task is no clone of a study's template")
        if not Path(folder).is_dir():
            raise InputError(
                f"{needed}: {folder} is not on this machine; start the agent on the one that has it"
            )
    os.chdir(parameters[STARTED_IN])  # relative paths of the study's data start there
    study = open_study(Path(parameters[RUN_DIR]))
    try:
        return _trial(study, parameters, name)
    finally:
        study.close()


def _trial(study: Study, parameters: Mapping[str, str], name: str) -> dict[str, Any]:
    number = study.trials.of_task(name)
    if number is None:  # asked for by another optimizer, or by hand
        plan = plan_from(parameters, study.world.space)
    else:
        plan = plan_from_plain(study.trials.at(number).user_attrs["plan"])
    with study.world.alone(plan):
        if number is None:
            number = study.admit(plan, name)
        if number is None:
            known = next(o for o in study.outcomes() if o.plan.key == plan.key)
            return {**outcome_to_plain(known), "paid": 0, "trial": None}
        before, trial = study.trials.at(number), study.finish(number)
    if "refused" in trial.user_attrs:
        raise asker.Refused(trial.user_attrs["refused"]["why"])
    if before.state.name == "RUNNING" and trial.user_attrs["bought"]:
        study.reuse(plan)
    return facts_of(study, number)


def _give_up(task: Task, reason: str, line: str, code: int) -> int:
    """Tell the task why nothing came of it."""
    print(f"labelworth: {line}", file=sys.stderr)
    task.get_logger().report_text(f"labelworth: {reason}: {line}", print_console=False)
    task.set_user_properties(**{reason: line})
    task.flush(wait_for_uploads=True)
    task.mark_failed(force=True, status_reason=reason, status_message=line)
    return code


@contextmanager
def _beating(name: str) -> Iterator[None]:
    """Tell the server now and then that a task lives: annotators may take hours."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(_BEAT_S):
            with suppress(Unavailable, Refused):  # a server that is away stops no purchase
                Remote().call("tasks.ping", {"task": name})

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        done.set()


if __name__ == "__main__":
    sys.exit(main())
