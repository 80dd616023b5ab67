"""`labelworth report`: the answer of a study as stored."""

from __future__ import annotations

import argparse
from typing import Any

from hpo.cli.commands.studies.run import end, print_report
from hpo.cli.flags import Commands, add_answer_json, add_command, add_details, add_run_dir
from hpo.cli.goals import add_goals, most_of


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "report", "the answer of a study as stored")
    add_run_dir(parser)
    add_answer_json(parser)
    add_goals(parser)
    add_details(parser)
    words = "also: a model of the labels inside a view today, on validation images"
    parser.add_argument("--view", metavar="VIEW", help=words)
    words = "also: its accuracy on the validation images inside a view"
    parser.add_argument("--test-view", metavar="EXPR", help=words)
    page = parser.add_argument_group("the answer as a page")
    page.add_argument("--html", action="store_true", help="write report.html, and say where it is")
    page.add_argument("--open", action="store_true", help="write it, and open it in a browser")
    page.add_argument("--no-images", action="store_true", help="leave small images out of it")
    words = "serve it on this machine while the study runs: it follows each purchase"
    page.add_argument("--serve", action="store_true", help=words)
    page.add_argument("--port", metavar="N", help="--serve: the port (any that is free)")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the answer of a finished study as it was written; of another, what is known so far.

    Nothing is bought.
    """
    from hpo.settings.stored_answer import printable_report

    if arguments.html or arguments.open or arguments.serve:
        from hpo.cli.page.showing import show_page

        return show_page(arguments)
    most = most_of(arguments)
    asks_more = arguments.view is not None or arguments.test_view is not None
    report = None if asks_more else printable_report(arguments.folder)
    if report is None:
        report = _made_anew(arguments)
    else:
        from hpo.trial.holdings.books import look_at_books

        look_at_books(arguments.folder)
    print_report(arguments.json, report, arguments.folder, arguments.details)
    return end(report, most)


def _made_anew(arguments: argparse.Namespace) -> dict[str, Any]:
    from hpo.study.study import open_study

    study = open_study(arguments.folder)
    try:
        report = study.report()
        if arguments.view is not None or arguments.test_view is not None:
            from hpo.study.views.view_today import view_today

            report["view_today"] = view_today(study, arguments.view, arguments.test_view)
        return report
    finally:
        study.close()
