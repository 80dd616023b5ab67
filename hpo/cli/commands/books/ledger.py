"""`labelworth ledger`: every entry of a study's accounts, for people and for other programs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.cli.console import print_json, stdout
from hpo.cli.flags import Commands, add_command, add_json, add_run_dir
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from hpo.study.oversight.accounts import Posting


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "every entry of a study's ledger: caps, holds, settlements; as CSV or beancount, too"
    parser = add_command(commands, "ledger", words)
    add_run_dir(parser)
    form = parser.add_mutually_exclusive_group()
    words = "print a CSV table"
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help=words)
    words = "print a beancount file: double entry, with its balances asserted"
    form.add_argument(
        "--beancount", dest="form", action="store_const", const="beancount", help=words
    )
    add_json(form)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the entries. Verifies the databases first, and writes nothing."""
    from hpo.study.oversight.accounts import postings_of, to_beancount, to_csv, to_plain

    texts: dict[str, Callable[[Sequence[Posting]], str]] = {
        "csv": to_csv,
        "beancount": to_beancount,
    }
    folder: Path = arguments.folder
    postings = postings_of(folder)
    if arguments.json:
        print_json({"entries": [to_plain(posting) for posting in postings]})
    elif arguments.form:
        sys.stdout.write(texts[arguments.form](postings))
    else:
        _print(postings)
    return DONE


def _print(postings: Sequence[Posting]) -> None:
    from hpo.answer.tables import TableColumn, TextTable, print_table

    columns = (
        TableColumn("time (UTC)"),
        TableColumn("entry"),
        TableColumn("amount", is_number=True),
        TableColumn("for", wraps=True),
    )
    for account in dict.fromkeys(posting.account for posting in postings):
        mine = [posting for posting in postings if posting.account == account]
        rows = [
            (
                posting.entry.at[:19].replace("T", " ") or "not written down",
                posting.entry.kind,
                str(posting.entry.amount),
                posting.what,
            )
            for posting in mine
        ]
        print_table(TextTable(columns, rows, title=account), stdout())
