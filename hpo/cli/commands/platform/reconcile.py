"""`labelworth reconcile`: do a study's books agree with the market?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hpo.cli.console import print_json
from hpo.cli.flags import Commands, add_archive, add_command, add_json, add_run_dir
from hpo.settings.exit_codes import DONE, MARKET_TROUBLE


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "compare a study's orders and holds with the market; --mend puts right what differs"
    parser = add_command(commands, "reconcile", words)
    add_run_dir(parser)
    parser.add_argument("--mend", action="store_true", help="put right what differs")
    add_archive(parser)
    add_json(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare, mend if asked, and print; 5 where something still differs."""
    agree = run_reconcile(arguments.folder, arguments.mend, arguments.archive, arguments.json)
    return DONE if agree else MARKET_TROUBLE


def run_reconcile(folder: Path, do_mend: bool, archive: bool, as_json: bool) -> bool:
    """Compare a study's books with the market, print what differs and, if asked, mend it.

    Args:
        folder: the study's folder.
        do_mend: mend it; otherwise nothing is changed.
        archive: archive the study's closed pools, because it is over.
        as_json: print one JSON object.

    Returns:
        Whether the books and the market agree, or do now.

    Raises:
        InputError: no study there, no token, or no pools to archive.
        MarketError: the market does not answer.
    """
    from hpo.settings.run_folder import read_config
    from hpo.study import pools
    from hpo.study.reconcile import reconciled
    from hpo.trial.world import build

    config = read_config(folder)
    pools.check_archive(config.market_kind, archive)
    world = build(config, folder)
    try:
        report = reconciled(world, do_mend)
        if archive:
            report["archived"] = pools.archive(world)
    finally:
        world.close()
    if as_json:
        print_json(report)
    else:
        for line in _lines(report, do_mend):
            print(line)
    return all(row["mended"] for row in report["findings"])


def _lines(report: dict[str, Any], do_mend: bool) -> list[str]:
    lines = [
        f"Study {report['study']}: {report['orders']} orders, spent ${report['spent']['usd']}, "
        f"held ${report['held']['usd']}"
    ]
    for row in report["findings"]:
        if row["mended"]:
            state = f"mended ({row['mend']})"
        elif not do_mend and row["mend"] == "void":
            state = "start the study again to go on with it, or --mend to give the money back"
        elif not do_mend and row["mend"] not in ("", "collect"):
            state = f"--mend would {row['mend']} it"
        elif row["mend"] == "collect":
            state = "start the study again: it goes on with it"
        else:
            state = "look at it yourself: nothing here can mend it"
        lines.append(f"- {row['text']}: {state}")
    if "archived" in report:
        lines.append(f"archived pools: {', '.join(report['archived']) or 'none'}")
    if not report["findings"]:
        lines.append("The books and the market agree.")
    return lines
