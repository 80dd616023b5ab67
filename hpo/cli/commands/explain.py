"""`labelworth explain`: what a term of the answer means; without a term, all of them."""

from __future__ import annotations

import argparse

from hpo.cli.console import print_json, print_lines, stdout
from hpo.cli.flags import Commands, add_command, add_json
from hpo.settings.exit_codes import DONE


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "explain", "what a term of the answer means")
    words = "such as overlap or price tag; none lists them all"
    parser.add_argument("term", metavar="TERM", nargs="*", help=words)
    add_json(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the meaning of a term, or of all.

    Raises:
        InputError: there is no such term.
    """
    from hpo.settings.glossary import GLOSSARY, term_named

    if arguments.term:
        term = term_named(" ".join(arguments.term))
        if arguments.json:
            print_json({"term": term.name, "meaning": term.meaning})
        else:
            print_lines([f"{term.name}: {term.meaning}"])
    elif arguments.json:
        print_json([{"term": term.name, "meaning": term.meaning} for term in GLOSSARY])
    else:
        _list()
    return DONE


def _list() -> None:
    from hpo.answer.tables import TableColumn, TextTable, print_table
    from hpo.settings.glossary import GLOSSARY

    columns = (TableColumn("term"), TableColumn("meaning", wraps=True))
    print_table(TextTable(columns, [term[:2] for term in GLOSSARY], has_header=False), stdout())
