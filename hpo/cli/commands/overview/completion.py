"""`labelworth completion`: a script by which a shell completes commands and flags."""

from __future__ import annotations

import argparse

from hpo.cli.flags import Commands, add_command, show_rare, subcommands
from hpo.settings.exit_codes import DONE

SHELLS = ("bash", "zsh", "fish")


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "a script that completes commands and flags: bash, zsh or fish"
    parser = add_command(commands, "completion", words)
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    for _, command in subcommands(arguments.parser):
        command.complete()
        show_rare(command)
    print(shtab.complete(arguments.parser, arguments.shell))
    return DONE
