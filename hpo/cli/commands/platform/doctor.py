"""`labelworth doctor`: is all well with the account, or the place of a study? Changes nothing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.cli.console import print_json
from hpo.cli.flags import Commands, add_command, add_json
from hpo.settings.exit_codes import DONE, MARKET_TROUBLE

if TYPE_CHECKING:
    from labeling.toloka.doctor import Health


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "check token, account, clock and people on the market; changes nothing"
    parser = add_command(commands, "doctor", words)
    parser.add_argument(
        "folder",
        metavar="RUN_DIR",
        nargs="?",
        type=Path,
        help="who else may read or change this study, in place of the market",
    )
    parser.add_argument(
        "--market", metavar="NAME", default="toloka", help="toloka (default) or label-studio"
    )
    parser.add_argument(
        "--toloka-environment",
        dest="environment",
        metavar="NAME",
        default="production",
        help="production (default) or sandbox",
    )
    add_json(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Look at the account, and print what is there; 5 where something stands in the way."""
    from hpo.settings.parsing import one_of

    if arguments.folder is not None:
        return DONE if examine_place(arguments.folder, arguments.json) else MARKET_TROUBLE
    environment = one_of("production", "sandbox")(arguments.environment, "--toloka-environment")
    checks = {
        "toloka": lambda: run_doctor(environment, arguments.json),
        "label-studio": lambda: examine_studio(arguments.json),
    }
    market = one_of(*checks)(arguments.market, "--market")
    return DONE if checks[market]() else MARKET_TROUBLE


def examine_place(folder: Path, as_json: bool) -> bool:
    """Look who else may read or change what a study keeps, and print it.

    Returns:
        Whether nobody may.

    Raises:
        InputError: there is no study in the folder.
    """
    from hpo.study.oversight.rights import rights_of_others

    problems = rights_of_others(folder)
    if as_json:
        print_json({"folder": str(folder), "problems": problems})
        return not problems
    for line in problems:
        print(f"PROBLEM: {line}")
    if not problems:
        print(f"{folder}: nobody else may read or change it. Nothing was changed; all is well.")
    return not problems


def run_doctor(environment: str, as_json: bool) -> bool:
    """Look at the account by reads only and print what is there.

    Returns:
        Whether nothing stands in the way of buying.

    Raises:
        InputError: no token, or one that the platform does not know.
        MarketError: the platform does not answer.
    """
    from dataclasses import asdict

    from hpo.market.toloka import reach
    from labeling.toloka.doctor import doctor

    health = doctor(reach(environment))
    if as_json:
        plain = asdict(health) | {
            "balance": health.balance.to_json(),
            "problems": list(health.problems),
        }
        print_json(plain)
    else:
        for line in _health_lines(health):
            print(line)
    return not health.problems


def examine_studio(as_json: bool) -> bool:
    """Look at a Label Studio server by reads only and print what is there.

    Returns:
        Whether nothing stands in the way of labeling.

    Raises:
        InputError: no address or token, or one that the server does not know.
        MarketError: the server does not answer.
    """
    from dataclasses import asdict

    from labeling.label_studio.client import connect
    from labeling.label_studio.doctor import TESTED, examine

    client = connect()
    try:
        health = examine(client)
    finally:
        client.close()
    if as_json:
        print_json(
            asdict(health) | {"problems": list(health.problems), "limits": list(health.limits)}
        )
        return not health.problems
    tested = "" if health.version == TESTED else f" (tested with {TESTED})"
    skew = "not told" if health.skew_s is None else f"{health.skew_s:+.0f} s against the server"
    lines = [
        f"{health.host}: Label Studio {health.version} {health.edition}{tested}, the token is good",
        f"account: {health.owner}",
        f"people: {', '.join(health.people) or 'none'}",
        f"this machine's clock: {skew}",
        *(f"not enforced: {limit}" for limit in health.limits),
        *(f"PROBLEM: {problem}" for problem in health.problems),
        *([] if health.problems else ["Nothing was changed; all is well."]),
    ]
    for line in lines:
        print(line)
    return not health.problems


def _health_lines(health: Health) -> list[str]:
    skew = "not told" if health.skew_s is None else f"{health.skew_s:+.0f} s against the platform"
    lines = [
        f"{health.platform}: the token is good",
        f"requester: {health.name or 'without a name'} ({health.requester})",
        f"balance: {health.balance}",
        f"this machine's clock: {skew}",
        *(f"{quota.name}: {quota.used} of {quota.allowed}" for quota in health.quotas),
        f"open pools: {', '.join(health.open_pools) or 'none'}",
        *(f"PROBLEM: {problem}" for problem in health.problems),
    ]
    return [*lines, *([] if health.problems else ["Nothing was changed; all is well."])]
