"""The answer's page: written, opened in a browser, or served while a study runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from budget.errors import InputError
from hpo.answer.page.render import write_page
from hpo.settings.exit_codes import DONE
from hpo.settings.parsing import whole
from hpo.settings.stored_answer import printable_report
from hpo.study.study import open_study

_HIGHEST_PORT = 65535


def show_page(arguments: argparse.Namespace) -> int:
    """Write a study's page; open it, or serve it, where that was asked for. Buys nothing.

    Raises:
        InputError: there is no study in the folder, or flags do not go together.
    """
    if arguments.serve:
        from hpo.cli.page.server import serve

        port = 0 if arguments.port is None else whole(0, _HIGHEST_PORT)(arguments.port, "--port")
        return serve(arguments.folder, port, not arguments.no_images, arguments.open)
    if arguments.port is not None:
        raise InputError("--port: only with --serve")
    path = make_page(arguments.folder, not arguments.no_images)
    print(path)
    if arguments.open:
        from hpo.cli.page.server import open_in_browser

        open_in_browser(path.resolve().as_uri())
    return DONE


def make_page(folder: Path, images: bool) -> Path:
    """Write the page of a finished study's stored answer; of another, of what is known so far."""
    study = open_study(folder)
    try:
        report = printable_report(folder) or study.report()
        return write_page(report, study.world, folder, images)
    finally:
        study.close()
