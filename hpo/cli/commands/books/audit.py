"""`labelworth audit`: does a study's answer follow from its raw rows, figure by figure?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from hpo.cli.console import print_json, print_lines
from hpo.cli.flags import Commands, add_command, add_json, add_run_dir
from hpo.settings.exit_codes import DONE, LEDGER_REFUSED

if TYPE_CHECKING:
    from hpo.study.oversight.audit import Audit


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "compute a finished study's answer anew from its raw rows, and compare every figure"
    parser = add_command(commands, "audit", words)
    add_run_dir(parser)
    add_json(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare, and name each difference; 6 where one differs. Buys and changes nothing."""
    from hpo.study.oversight.audit import audit

    done = audit(arguments.folder)
    if arguments.json:
        rows = [
            {"place": d.place, "stored": d.stored, "computed": d.computed} for d in done.differences
        ]
        counts = {"figures": done.figures, "from_rows": done.from_rows}
        print_json({**counts, "differences": rows})
    else:
        print_lines(_lines(done))
    return LEDGER_REFUSED if done.differences else DONE


def _lines(done: Audit) -> list[str]:
    source = "computed anew from settings, images and stored answers"
    if not done.from_rows:
        source = (
            "made anew from the measurements as stored: several workers asked for the trials, in "
            "a sequence that cannot be repeated"
        )
    agree = f"{done.figures - len(done.differences)} of {done.figures} figures agree, {source}."
    return [*(difference.line for difference in done.differences), agree]
