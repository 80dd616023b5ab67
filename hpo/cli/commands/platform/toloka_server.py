"""`labelworth toloka-server`: a local platform that speaks Toloka's API, to rehearse on."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.cli.flags import Commands, add_command
from hpo.settings.exit_codes import DONE

if TYPE_CHECKING:
    from budget.tariffs.suite import SuiteTariff

_TOKEN = "LABELWORTH_SERVER_TOKEN"  # noqa: S105 - the name of a variable
_LOOK = 0.5  # seconds between looks at the parent


def add_parser(commands: Commands) -> None:
    """Add the command."""
    words = "run a local server that speaks Toloka's API in front of a simulated crowd"
    parser = add_command(commands, "toloka-server", words)
    parser.set_defaults(command=run)
    add = parser.add_argument
    add("--scenario", metavar="NAME", default="food-campaign", help="who answers (food-campaign)")
    add("--port", metavar="N", type=int, default=0, help="on 127.0.0.1 (any free one)")
    add(
        "--speed",
        metavar="X",
        type=float,
        help="platform seconds per second; without it the clock moves when a client asks for news",
    )
    add("--seed", metavar="S", type=int, default=0, help="seed of everything random (0)")
    add("--faults", metavar="FILE", type=Path, help="what goes wrong on purpose, TOML or JSON")
    add("--state", metavar="FILE", type=Path, help="keep the platform's state over restarts")
    add("--balance", metavar="DOLLARS", default="1000", help="what was paid in (1000)")
    add("--fee-share", metavar="SHARE", default="3/10", help="fee as a share of the reward (3/10)")
    add("--fee-minimum", metavar="DOLLARS", default="0.001", help="least fee (0.001)")
    add("--smallest-reward", metavar="DOLLARS", default="0.005", help="of a suite (0.005)")
    add("--truth", metavar="FILE", type=Path, help="true answers of a rehearsal")
    add("--quotas", metavar="on|off", choices=("on", "off"), default="off", help="(off)")
    add("--parent", metavar="PID", type=int, help="stop when this process is gone")


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal, or until the parent is gone; the address is the first line written."""
    from budget.errors import InputError
    from budget.money import Money
    from labeling.crowd.scenario import load_scenario
    from labeling.toloka.server import RequestLog, Server, Settings, read_faults, read_truth

    if arguments.speed is not None and not 0 < arguments.speed <= 1e6:
        raise InputError(f"--speed: {arguments.speed:g} must lie above 0, up to 1000000")
    settings = Settings(
        scenario=load_scenario(arguments.scenario),
        seed=arguments.seed,
        balance=Money.price(arguments.balance, "--balance"),
        tariff=_tariff(arguments),
        truth=read_truth(arguments.truth) if arguments.truth else None,
        quotas=arguments.quotas == "on",
    )
    faults = read_faults(arguments.faults) if arguments.faults else []
    journal = RequestLog(arguments.state, settings) if arguments.state else None
    try:
        server = Server(
            settings,
            port=arguments.port,
            speed=arguments.speed,
            token=os.environ.get(_TOKEN) or None,
            faults=faults,
            journal=journal,
        )
    except (OSError, OverflowError) as error:
        raise InputError(f"--port: {arguments.port} cannot be used: {error}") from None
    server.start()
    try:
        print(server.url, flush=True)
        print(
            f"labelworth: a simulated platform, scenario {settings.scenario.name}, seed "
            f"{settings.seed}; no real money is spent. Stop with Ctrl-C.",
            file=sys.stderr,
            flush=True,
        )
        _wait(_gone(arguments.parent) if arguments.parent else lambda: False)
    finally:
        server.close()
    return DONE


def _tariff(arguments: argparse.Namespace) -> SuiteTariff:
    from fractions import Fraction

    from budget.errors import InputError
    from budget.money import Money
    from budget.tariffs.suite import SuiteTariff

    try:
        share = Fraction(arguments.fee_share)
    except (ValueError, ZeroDivisionError):
        raise InputError(f"--fee-share: {arguments.fee_share!r} is not a share") from None
    smallest = Money.price(arguments.smallest_reward, "--smallest-reward")
    return SuiteTariff(share, Money.price(arguments.fee_minimum, "--fee-minimum"), smallest)


def _wait(over: Callable[[], bool]) -> None:
    import threading

    pause = threading.Event()
    while not over():
        pause.wait(_LOOK)


def _gone(parent: int) -> Callable[[], bool]:
    """Whether a process is gone; our own parent counts as gone once we have another."""
    ours = os.getppid() == parent

    def gone() -> bool:
        if ours:
            return os.getppid() != parent
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    return gone
