"""`labelworth invite`: the link by which own annotators join, and what to tell them."""

from __future__ import annotations

import argparse

from hpo.cli.console import print_json, print_lines
from hpo.cli.flags import Commands, add_command, add_json
from hpo.settings.exit_codes import DONE


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "the link by which own annotators join Label Studio, and what to tell them"
    parser = add_command(commands, "invite", words)
    add_json(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the invitation."""
    from labeling.label_studio.client import connect

    client = connect()
    try:
        link = client.url + str(client.read("/api/invite")["invite_url"])
    finally:
        client.close()
    if arguments.json:
        print_json({"link": link})
        return DONE
    print_lines(
        [
            f"Send this link to your annotators: {link}",
            "Whoever has it can join, and sees all projects of the server.",
            "",
            "What to tell them:",
            "- Open the link, choose a password, then open the project that is named after the "
            "study.",
            "- Press Label All Tasks. Read the instructions. Choose an answer, press Submit.",
            "- Where the study has groups, answer only in projects whose title begins with your "
            "group's name: other answers are neither used nor paid.",
            "- Answer each task once, alone, under your own name. Some tasks have a known answer.",
            "- Working time counts from opening a task to Submit, up to a limit per task. Close "
            "the page when you pause.",
            "- The project is done when no task comes any more. Do not change or delete anything.",
        ]
    )
    return DONE
