"""`labelworth label-studio-tasks`: a label version as a file that Label Studio imports."""

from __future__ import annotations

import argparse
from pathlib import Path
from urllib.parse import quote

from hpo.cli.console import print_lines
from hpo.cli.flags import Commands, add_command
from hpo.settings.exit_codes import DONE


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "a label version as Label Studio tasks: answers as annotations, labels as predictions"
    parser = add_command(commands, "label-studio-tasks", words)
    parser.add_argument("version", metavar="VERSION", help="id of a label version, or its start")
    parser.add_argument("out", metavar="FILE.json", type=Path, help="to write")
    parser.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="(runs)")
    words = "what stands before each image's name in its address"
    parser.add_argument("--image-url-prefix", metavar="URL", default="", help=words)
    parser.add_argument("--overwrite", action="store_true", help="replace the file")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file."""
    import json

    from budget.errors import InputError
    from budget.files import private_folder, write_whole
    from labeling import versions
    from labeling.label_studio.tasks_file import tasks_of

    out: Path = arguments.out
    if out.exists() and not arguments.overwrite:
        raise InputError(f"{out}: is there already; give another file, or add --overwrite")
    version = versions.load(arguments.version, arguments.runs)
    tasks = tasks_of(version, lambda name: arguments.image_url_prefix + quote(name))
    private_folder(out.parent)
    write_whole(out, json.dumps(tasks, ensure_ascii=False, indent=1).encode())
    answers = sum(len(task["annotations"]) for task in tasks)
    print_lines([f"{len(tasks)} tasks with {answers} annotations: {out}"])
    return DONE
