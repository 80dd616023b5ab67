"""`labelworth crowd`: fit a simulated crowd to recorded answers; list the named scenarios."""

from __future__ import annotations

import argparse
from pathlib import Path

from hpo.cli.flags import Commands, add_command, add_json
from hpo.settings.exit_codes import DONE


def add_parser(commands: Commands) -> None:
    """Add the command and its actions."""
    words = "fit a simulated crowd to recorded answers; list the named scenarios"
    crowd = add_command(commands, "crowd", words)
    actions = crowd.add_subparsers(title="actions", metavar="ACTION", required=True)
    words = "estimate difficulty, skill, spam and times from answers, and write a scenario"
    fit = add_command(actions, "fit", words)
    fit.add_argument("answers", metavar="ANSWERS", type=Path, help="task,annotator,label[,seconds]")
    fit.add_argument("--out", metavar="FILE.toml", type=Path, help="where to write the scenario")
    add_json(fit)
    fit.set_defaults(command=_fit)
    add_command(actions, "list", "named scenarios").set_defaults(command=_scenarios)


def _fit(arguments: argparse.Namespace) -> int:
    from labeling.crowd.fitting.fit import run_fit

    run_fit(arguments.answers, arguments.out, arguments.json)
    return DONE


def _scenarios(arguments: argparse.Namespace) -> int:
    from labeling.crowd.scenario import load_scenario, scenario_names

    for name in scenario_names():
        print(f"{name}: {load_scenario(name).about}")
    return DONE
