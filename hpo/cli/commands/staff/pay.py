"""`labelworth pay`: what each annotator is owed, from settled orders only."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.cli.console import print_json, stdout
from hpo.cli.flags import Commands, add_command, add_json, add_run_dir
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from labeling.store.annotators.work import PersonWork


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "what each own annotator is owed, from settled orders only"
    parser = add_command(commands, "pay", words)
    add_run_dir(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print a CSV table")
    add_json(form)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the pay of each annotator. Verifies the databases first, and writes nothing."""
    work = settled_work(arguments.folder)
    if arguments.json:
        print_json({"people": [person_to_plain(person) for person in work]})
    elif arguments.csv:
        import csv

        table = csv.writer(sys.stdout, lineterminator="\n")
        table.writerow(("annotator", "answers", "paid_seconds", "earned_usd"))
        for one in work:
            table.writerow((one.annotator, one.answers, f"{one.seconds:.3f}", one.earned.exact()))
    else:
        print_people(work)
    return DONE


def settled_work(folder: Path) -> list[PersonWork]:
    """The work of each annotator in the orders that a study's ledgers have settled.

    Raises:
        InputError: there is no study in the folder, or its people are not paid one by one.
        LedgerCorrupt: its ledger does not verify.
    """
    from budget.errors import InputError
    from hpo.settings.run_folder import look_into_store, read_config
    from hpo.trial.holdings.books import begun_books
    from labeling.store.annotators.work import work_by_person

    config = read_config(folder)
    if not config.has_staff:
        raise InputError(f"{folder}: a platform pays the annotators of this study, not you")
    accounts = begun_books(folder, config).accounts.values()
    settled = {e.key for account in accounts for e in account.entries if e.kind == "settle"}
    engine = look_into_store(folder, config)
    try:
        return work_by_person(engine, config.study, settled, {})
    finally:
        engine.dispose()


def person_to_plain(person: PersonWork) -> dict[str, object]:
    """A person's work as JSON types."""
    return {
        "annotator": person.annotator,
        "answers": person.answers,
        "paid_seconds": round(person.seconds, 3),
        "earned": person.earned.to_json(),
        "controls": person.judged,
        "controls_right": person.right,
        "banned": person.banned,
    }


def print_people(work: list[PersonWork]) -> None:
    """Print each person's work as a table, with the sum."""
    from budget.money import ZERO
    from hpo.answer.tables import TableColumn, TextTable, print_table

    checked = any(one.judged for one in work)
    columns = (
        TableColumn("annotator", wraps=True),
        TableColumn("answers", is_number=True),
        TableColumn("minutes", is_number=True),
        *((TableColumn("controls right", is_number=True),) if checked else ()),
        TableColumn("earned", is_number=True),
    )
    rows = [
        (
            f"{one.annotator}{' (banned)' if one.banned else ''}",
            f"{one.answers:,}",
            f"{one.seconds / 60:.1f}",
            *((f"{one.right} of {one.judged}",) if checked else ()),
            str(one.earned),
        )
        for one in work
    ]
    total = sum((one.earned for one in work), ZERO)
    answers, seconds = sum(one.answers for one in work), sum(one.seconds for one in work)
    last = ("all", f"{answers:,}", f"{seconds / 60:.1f}", *(("",) if checked else ()), str(total))
    print_table(TextTable(columns, [*rows, last]), stdout())
