"""`labelworth label-studio`: a Label Studio server on this machine, to rehearse on."""

from __future__ import annotations

import argparse
from pathlib import Path

from hpo.cli.console import print_lines
from hpo.cli.flags import Commands, add_command
from hpo.settings.exit_codes import DONE


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "run a Label Studio server on this machine: loopback, SQLite, no calls home"
    parser = add_command(commands, "label-studio", words)
    folder = Path("label-studio")
    words = "where its data lies (label-studio)"
    parser.add_argument("--folder", metavar="DIR", type=Path, default=folder, help=words)
    parser.add_argument("--port", metavar="N", type=int, default=8080, help="(8080)")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal."""
    from labeling.label_studio.client import TOKEN_FILE, URL
    from labeling.label_studio.rehearsal.server import ADMIN, start

    server = start(arguments.folder, arguments.port)
    try:
        print_lines(
            [
                f"Label Studio runs at {server.url}. Log in as {ADMIN}; the password is in "
                f"{arguments.folder / 'password'}.",
                "In another terminal:",
                f"  export {URL}={server.url} {TOKEN_FILE}={server.token_file.absolute()}",
                "  labelworth --budget 5 --goal plan --market label-studio --people simulated:5",
                "Ctrl-C stops the server; its data stays.",
            ]
        )
        server.process.wait()
    finally:
        server.stop()
    return DONE
