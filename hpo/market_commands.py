"""The commands around a market: buy, doctor, reconcile."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hpo.settings.exit_codes import DONE, MARKET_TROUBLE


def add_parsers(commands: Any) -> None:
    """Add the commands to the parser's subcommands."""
    _add_buy(commands)
    _add_upkeep(commands)


def add_archive(parser: argparse.ArgumentParser) -> None:
    """Add the flag by which a study is declared over."""
    words = "the study is over: archive its pools at the end"
    parser.add_argument("--archive", action="store_true", help=words)


def _add_buy(commands: Any) -> None:
    words = "buy a plan for the rest of the pool, or for new images, under a cap of its own"
    buy = commands.add_parser("buy", help=words, description=words, allow_abbrev=False)
    buy.add_argument("folder", metavar="RUN_DIR", type=Path, help="such as runs/digits3")
    buy.add_argument("--plan", metavar="PLAN", help="as reports name it; the recommended one")
    buy.add_argument("--tasks", metavar="all|N", default="all", help="number of tasks (all)")
    buy.add_argument("--budget", metavar="DOLLARS", help="cap; the most that the plan can cost")
    buy.add_argument("--images", metavar="DATA", help="new images: folder:DIR or npz:FILE")
    buy.add_argument("--labels", metavar="FILE.csv", help="of new images: image[,label][,url]")
    buy.add_argument("--max-minutes", metavar="M", default="none", help="deadline (none)")
    buy.add_argument("--yes", action="store_true", help="real money: confirms --budget")
    add_archive(buy)
    buy.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    buy.set_defaults(command=_buy)


def _add_upkeep(commands: Any) -> None:
    words = "check token, balance, clock and quotas on Toloka; changes nothing"
    doctor = commands.add_parser("doctor", help=words, description=words, allow_abbrev=False)
    doctor.add_argument(
        "--toloka-environment",
        dest="environment",
        metavar="NAME",
        default="production",
        help="production (default) or sandbox",
    )
    doctor.set_defaults(command=_doctor)
    words = "compare a study's orders and holds with the market; --mend puts right what differs"
    books = commands.add_parser("reconcile", help=words, description=words, allow_abbrev=False)
    books.add_argument("folder", metavar="RUN_DIR", type=Path, help="such as runs/digits3")
    books.add_argument("--mend", action="store_true", help="put right what differs")
    add_archive(books)
    books.set_defaults(command=_reconcile)
    for parser in (doctor, books):
        parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def _buy(arguments: argparse.Namespace) -> int:
    from hpo.buy import run_buy
    from hpo.settings import parsing
    from hpo.study.next_purchase import Wish

    number = None if arguments.tasks == "all" else parsing.whole(1)(arguments.tasks, "--tasks")
    budget = None if arguments.budget is None else parsing.budget(arguments.budget, "--budget")
    minutes = parsing.minutes(arguments.max_minutes, "--max-minutes")
    wish = Wish(arguments.plan, number, budget, arguments.images, arguments.labels, minutes)
    run_buy(arguments.folder, wish, arguments.yes, arguments.archive, arguments.json)
    return DONE


def _doctor(arguments: argparse.Namespace) -> int:
    from hpo.settings.parsing import one_of
    from hpo.upkeep import run_doctor

    environment = one_of("production", "sandbox")(arguments.environment, "--toloka-environment")
    return DONE if run_doctor(environment, arguments.json) else MARKET_TROUBLE


def _reconcile(arguments: argparse.Namespace) -> int:
    from hpo.upkeep import run_reconcile

    agree = run_reconcile(arguments.folder, arguments.mend, arguments.archive, arguments.json)
    return DONE if agree else MARKET_TROUBLE
