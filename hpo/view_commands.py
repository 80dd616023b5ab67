"""The commands around label versions and views: their words here, their work where it is done.

Import-light, like `hpo.run`: what a command needs is imported when it runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[Any]"


def add_today(report: argparse.ArgumentParser) -> None:
    """The views of `labelworth report`."""
    words = "also: a model of the labels inside a view today, on validation images"
    report.add_argument("--view", metavar="VIEW", help=words)
    words = "also: its accuracy on the validation images inside a view"
    report.add_argument("--test-view", metavar="EXPR", help=words)


def add_view(commands: Commands) -> None:
    """`labelworth view`."""
    words = "labels or answers of a study's versions by an expression; named views"
    view = commands.add_parser("view", help=words, description=words, allow_abbrev=False)
    view.add_argument("folder", metavar="RUN_DIR", type=Path, help="such as runs/digits3")
    words = "such as \"confidence >= 0.8 and label != 'other'\", or a view's name; none lists them"
    view.add_argument("view", metavar="VIEW", nargs="?", help=words)
    view.add_argument("--name", metavar="NAME", help="keep it under this name")
    view.add_argument("--answers", action="store_true", help="look at answers, not at labels")
    what = view.add_mutually_exclusive_group()
    what.add_argument("--count", action="store_true", help="print only how many are inside")
    what.add_argument("--out", metavar="FILE", type=Path, help="write all to FILE.csv or .parquet")
    view.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    view.set_defaults(command=_view)


def add_data(commands: Commands) -> None:
    """`labelworth data get` and `labelworth data list`."""
    words = "label versions: list a study's, put any of them into a folder"
    data = commands.add_parser("data", help=words, description=words, allow_abbrev=False)
    actions = data.add_subparsers(title="actions", metavar="ACTION", required=True)
    words = "labels.csv, answers.csv and manifest.json of a version, verified"
    get = actions.add_parser("get", help=words, description=words, allow_abbrev=False)
    get.add_argument("version", metavar="VERSION", help="its id, or a unique beginning of it")
    get.add_argument("--to", metavar="FOLDER", type=Path, help="(labels-VERSION)")
    get.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="(runs)")
    get.add_argument("--parquet", action="store_true", help="labels and answers as Parquet, too")
    get.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    get.set_defaults(command=_data_get)
    words = "the versions of a study"
    listing = actions.add_parser("list", help=words, description=words, allow_abbrev=False)
    listing.add_argument("folder", metavar="RUN_DIR", type=Path, help="such as runs/digits3")
    listing.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    listing.set_defaults(command=_data_list)


def _view(arguments: argparse.Namespace) -> int:
    from hpo.show_view import show_view

    show_view(
        arguments.folder,
        arguments.view,
        name=arguments.name,
        answers=arguments.answers,
        count=arguments.count,
        out=arguments.out,
        as_json=arguments.json,
    )
    return 0


def _data_get(arguments: argparse.Namespace) -> int:
    from hpo.show_versions import get_version

    get_version(arguments.version, arguments.to, arguments.runs, arguments.parquet, arguments.json)
    return 0


def _data_list(arguments: argparse.Namespace) -> int:
    from hpo.show_versions import list_versions

    list_versions(arguments.folder, arguments.json)
    return 0
