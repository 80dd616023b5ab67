"""A rehearsal: Toloka's API on a local server, a child process that is gone when this one is."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from budget.errors import StorageError
from budget.files import private, private_folder, replacing, write_whole
from budget.tariffs.suite import SuiteTariff
from hpo.data.image_urls import addresses, hidden, stand_ins
from hpo.market.lazy_source import ReachedSource
from hpo.market.market import Market, Opening
from hpo.market.simulated import (
    check_overlap,
    crowd_of,
    crowd_seed_of,
    notes_of,
    simulated_name,
)
from hpo.market.toloka import api_source, behind_api, check_askable, shown_rows
from hpo.settings import subprocess_env
from labeling.crowd.scenario import Scenario, scenario_text
from labeling.crowd.source import CrowdSource
from labeling.source import PooledSource

REHEARSED = (
    "Rehearsal: these labels were bought through Toloka's API, by the code that spends real money, "
    "from a server on this machine."
)
NO_ADDRESSES = (
    "Rehearsal: the images have no addresses, so some that lead nowhere stood in; for real money "
    "give a column url or --image-url-prefix."
)
TOKEN = "rehearsal"  # noqa: S105 - it opens nothing but the local server
PAID_IN = "1000000"  # dollars of play money: more than any cap
_START_S, _STOP_S = 60.0, 5.0
_IN_USE = "another server uses this state file"


def open_market(opening: Opening) -> Market:
    """A local server as a market, with the very items that the crowd in process answers.

    Raises:
        InputError: the campaign cannot be asked through Toloka's API.
    """
    config, data, crowd = opening.config, opening.data, crowd_of(opening)
    check_askable(opening)
    shown = shown_rows(opening)
    made_up = stand_ins(config, data, shown)
    where = made_up if made_up is not None else addresses(config, data, shown)
    check_overlap(config, crowd.scenario)

    def reached() -> ReachedSource[PooledSource]:
        return _reach(opening, crowd, where)

    further = [REHEARSED]
    if not (config.image_url_prefix or any(data.urls)):
        further.append(NO_ADDRESSES)
    if said := hidden(where, data):
        further.append(f"{said}: for real money give addresses of JPEG copies in a column url.")
    name = simulated_name(config, crowd.scenario)
    return behind_api(opening, name, notes_of(opening, *further), crowd, reached)


def _reach(
    opening: Opening, crowd: CrowdSource, where: dict[int, str]
) -> ReachedSource[PooledSource]:
    """Start the server, or start it again where it stood, and connect to it."""
    from labeling.toloka.api.client import connect
    from labeling.toloka.api.clock import PlatformClock
    from labeling.toloka.api.token import Token

    folder = opening.folder
    assert folder is not None  # noqa: S101 - else there is no lazy source
    place = folder / "rehearsal" / opening.data.key("pool", "control")[:12]
    truth = {
        "question": crowd.campaign.questions[crowd.campaign.judged or 0].name,
        "addresses": [where.get(row, f"not shown: {row}") for row in range(len(crowd.items))],
        "items": crowd.items,
        "further": crowd.further,
    }
    tariff, horizon = opening.config.suite_tariff, crowd.scenario.horizon_minutes
    server = start(place, crowd.scenario, crowd_seed_of(opening), tariff, truth)
    try:
        token = Token(TOKEN)
        api = connect(token, server.url, PlatformClock(server.url, token))
        source = api_source(opening, crowd, where, place / "market", api, horizon)
    except BaseException:
        server.stop()
        raise
    return ReachedSource(source, server.stop)


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A running local server.

    Attributes:
        url: where it answers.
        process: the server.
    """

    url: str
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """Let the server end; what it knows is on disk."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            _kill(self.process)
        finally:
            _let_go(self.process)


def start(
    folder: Path, scenario: Scenario, seed: int, tariff: SuiteTariff, truth: Mapping[str, Any]
) -> LocalServer:
    """Start the local server of a rehearsal, or start it again where it stood.

    Args:
        folder: where its state lies.
        scenario: who its annotators are.
        seed: of everything random on the platform.
        tariff: what it charges.
        truth: arguments of `write_truth` beside the path.

    Raises:
        StorageError: it does not start; what it said is in the error.
    """
    from labeling.toloka.server import write_truth

    private_folder(folder)
    with replacing(folder / "truth.json") as draft:
        write_truth(draft, **truth)
    write_whole(folder / "scenario.toml", scenario_text(scenario).encode())
    flags = {
        "scenario": "scenario.toml",
        "seed": str(seed),
        "state": "platform.jsonl",
        "truth": "truth.json",
        "balance": PAID_IN,
        "fee-share": str(tariff.fee_share),
        "fee-minimum": tariff.fee_minimum.exact(),
        "smallest-reward": tariff.smallest_reward.exact(),
        "parent": str(os.getpid()),
    }
    words = [word for name, value in flags.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "hpo.run", "toloka-server", *words]
    until = time.monotonic() + _START_S
    while True:
        url, process = _launch(command, folder)
        if url.startswith("http://127.0.0.1:"):
            return LocalServer(url, process)
        _kill(process)
        said = _said(folder / "server.log")
        # The server of a study that was killed a moment ago may not have noticed it yet.
        if _IN_USE not in said or time.monotonic() > until:
            break
    raise StorageError(
        str(folder / "server.log"),
        f"the local server of the rehearsal did not start: {said}",
        "start the same command again",
    )


def _launch(command: Sequence[str], folder: Path) -> tuple[str, subprocess.Popen[str]]:
    """A server process, and the address that it told; "" if it told none."""
    with open(folder / "server.log", "w", opener=private) as log:
        # A session of its own: Ctrl-C on the terminal is for the study, which still needs it.
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            cwd=folder,
            env=subprocess_env.environment(
                *subprocess_env.TOLOKA, *subprocess_env.CLEARML, LABELWORTH_SERVER_TOKEN=TOKEN
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    return _first_line(process), process


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    _let_go(process)


def _let_go(process: subprocess.Popen[str]) -> None:
    if process.stdout is not None:
        process.stdout.close()


def _first_line(process: subprocess.Popen[str]) -> str:
    """The first line that a process writes; "" if it ends or takes too long."""
    lines: queue.Queue[str] = queue.Queue()
    stream = process.stdout
    if stream is None:
        raise TypeError("the server's output is not read")
    threading.Thread(target=lambda: lines.put(stream.readline()), daemon=True).start()
    with contextlib.suppress(queue.Empty):
        return lines.get(timeout=_START_S).strip()
    return ""


def _said(log: Path) -> str:
    lines: Sequence[str] = log.read_text(errors="replace").strip().splitlines() or ["nothing"]
    return lines[-1].removeprefix("labelworth: ")
