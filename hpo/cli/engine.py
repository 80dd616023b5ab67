"""The engine of a study's trials: this process, or ClearML's optimizer on agents."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.settings.config import StudyConfig
    from hpo.study.study import Study, Watch
    from hpo.tracking.clearml.engine import Engine


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose an engine."""
    group = parser.add_argument_group("engine")
    words = "who runs the trials: local (default), or clearml: its optimizer, on agents"
    group.add_argument("--engine", choices=("local", "clearml"), default="local", help=words)
    group.add_argument("--queue", metavar="NAME", help="clearml: the queue that agents listen to")
    words = "clearml: run trials as processes of this machine, without agents"
    group.add_argument("--start-locally", action="store_true", help=words)
    group.add_argument("--workers", metavar="N", help="clearml: trials at a time (2)")


def engine_of(arguments: argparse.Namespace, config: StudyConfig) -> Engine | None:
    """The engine that the flags name; None for this process, one trial after the other.

    Raises:
        InputError: the flags do not go together, or the engine cannot run such a study.
    """
    from budget.errors import InputError
    from hpo.settings.parsing import whole

    given = {
        "--queue": arguments.queue is not None,
        "--start-locally": arguments.start_locally,
        "--workers": arguments.workers is not None,
    }
    if arguments.engine == "local":
        for name, is_given in given.items():
            if is_given:
                raise InputError(f"{name}: only with --engine clearml")
        return None
    if given["--queue"] == given["--start-locally"]:
        raise InputError(
            "--engine clearml: give either --queue NAME, for agents, or --start-locally"
        )
    if arguments.clearml == "off":
        raise InputError("--clearml off: --engine clearml runs its trials through ClearML")
    from hpo.tracking.clearml.engine import Engine, check

    workers = 2 if arguments.workers is None else whole(1, 1000)(arguments.workers, "--workers")
    engine = Engine(arguments.queue, workers)
    check(engine)  # bad input leaves no study behind
    return engine


def search(
    study: Study, engine: Engine | None, watch: Watch, real_money: bool, archive: bool
) -> dict[str, Any]:
    """Search with an engine, and write and return the report.

    Args:
        study: the study.
        engine: who runs its trials; None for this process.
        watch: called whenever something changed, for a live line.
        real_money: whether spending it was confirmed.
        archive: archive its pools at the end.
    """
    if engine is None:
        return study.run(watch, real_money, archive)
    from hpo.tracking.clearml.engine import run

    return run(study, engine, watch, real_money, archive)
