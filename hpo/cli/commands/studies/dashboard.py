"""`labelworth dashboard`: Optuna's dashboard over the trials of a study."""

from __future__ import annotations

import argparse

from hpo.cli.console import print_lines, stderr
from hpo.cli.flags import Commands, add_command, add_run_dir
from hpo.settings.exit_codes import DONE

_PORT = 8080


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "dashboard", "Optuna's dashboard over a study's trials")
    add_run_dir(parser)
    parser.add_argument("--port", metavar="N", type=int, default=_PORT, help=f"({_PORT})")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve a copy of the trials on this machine, until Ctrl-C."""
    from hpo.study.looking.dashboard import HOST, find_dashboard, serve_dashboard
    from hpo.study.study import open_study

    find_dashboard()
    study = open_study(arguments.folder)
    try:
        copied = study.optuna_study
    finally:
        study.close()
    line = f"http://{HOST}:{arguments.port}/ shows a copy of the trials; Ctrl-C ends it"
    print_lines([line], stderr())
    try:
        serve_dashboard(copied, arguments.port)
    except KeyboardInterrupt:
        return DONE
    return DONE
