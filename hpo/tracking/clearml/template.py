"""The template task, of which every trial on an agent is a clone, and its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hpo
from budget.errors import InputError
from budget.tariffs.wages import EVERYBODY
from hpo.settings.search_space import SearchSpace
from hpo.tracking.clearml.mirror.controller import SERIES, TITLE
from labeling.types import LabelPlan

if TYPE_CHECKING:
    from clearml import Task
    from clearml.automation import Parameter

    from hpo.study.study import Study

ACCURACY = (TITLE, SERIES)
"""Title and series of the objective's scalar: to be maximized."""
PRICE_TAG = ("price tag", "usd")
"""Title and series of the scalar of the expected cost: a second objective, to be minimized."""

RUN_DIR, STARTED_IN = "General/run_dir", "General/started_in"

# Kept in the task: an agent needs no repository, it finds a checkout on this machine. A signal
# before `main` takes them, as a terminal's Ctrl-C for the controller, ends it without a traceback.
_SCRIPT = """import os
import signal
import sys

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: os._exit(128 + number))
sys.path.append({home!r})
from hpo.tracking.clearml.trial_task import main

sys.exit(main())
"""


def make_template(study: Study, project: str, tags: list[str]) -> Task:
    """A draft task. A clone of it, when it is run, buys and evaluates a plan of a study.

    Its parameters are a plan's, and the place of the study. It works under any optimizer: every
    trial reserves its money in the study's ledger first.

    Args:
        study: the study.
        project: ClearML project of the task.
        tags: tags of the task.
    """
    from clearml import Task

    task: Task = Task.create(project, f"trial of {study.config.study}", "training")
    task.set_tags(tags)
    fill_template(task, study)
    return task


def fill_template(task: Task, study: Study) -> None:
    """Give a template its script and parameters, with the present paths."""
    home = str(Path(hpo.__file__).parent.parent)
    task.set_script(
        repository="",
        working_dir=".",
        entry_point="labelworth_trial.py",
        diff=_SCRIPT.format(home=home),
    )
    space = study.world.space
    where = {RUN_DIR: str(study.folder.resolve()), STARTED_IN: str(Path.cwd())}
    task.set_parameters({**overrides(space.plans[0], space), **where})


def _levels(space: SearchSpace) -> dict[str, list[Any]]:
    """Values of every searched parameter, by its name in a task."""
    levels: dict[str, list[Any]] = {
        "price": [micros / 1e6 for micros in space.prices],
        "overlap": list(space.overlaps),
        "rule": list(space.kinds) if space.rules else [],
        "controls": list(space.controls),
        "tasks": list(space.tasks),
        "exam": list(space.exams),
        "prelabel": list(space.prelabels) if any(space.prelabels) else [],
        "group": [name or EVERYBODY for name in space.groups] if any(space.groups) else [],
    }
    return {f"General/{name}": values for name, values in levels.items() if values}


def search_space(space: SearchSpace) -> list[Parameter]:
    """The study's levels as ClearML's optimizers take them: `hyper_parameters`."""
    from clearml.automation import DiscreteParameterRange

    return [DiscreteParameterRange(name, values=values) for name, values in _levels(space).items()]


def overrides(plan: LabelPlan, space: SearchSpace) -> dict[str, str]:
    """A plan as a task's parameters."""
    draw = space.draw_of(plan)
    return {name: str(draw[name.partition("/")[2]]) for name in _levels(space)}


def plan_from(parameters: Mapping[str, str], space: SearchSpace) -> LabelPlan:
    """The plan of a task's parameters. A value between two levels takes the nearest level.

    Raises:
        InputError: a parameter is missing, of another kind, or outside the study's levels.
    """
    draw = {
        name.partition("/")[2]: _read(name, parameters.get(name, ""), levels)
        for name, levels in _levels(space).items()
    }
    return space.plan_of(draw)


def _read(name: str, text: str, levels: list[Any]) -> Any:
    choices = ", ".join(map(str, levels))
    try:
        if isinstance(levels[0], bool):
            value: Any = {"true": True, "false": False}[text.strip().lower()]
        elif isinstance(levels[0], str):
            value = text.strip()
        else:
            value = float(text)
    except (KeyError, ValueError):
        raise InputError(f"{name}: {text!r} is not one of {choices}") from None
    between = isinstance(value, float) and levels[0] <= value <= levels[-1]
    if not between and value not in levels:
        raise InputError(f"{name}: {text} is outside the study's {choices}")
    return value
