"""An agent that dies stops no study: `python benchmarks/dead_agents.py [MOMENTS]`.

Two agents work on a study of six purchases, with the silence after which the program takes a trial
for dead. One agent is killed, at moments spread over the length of the undisturbed study of the
same run; every second time its trial lives on without it. The ratio is the longest time from a
kill to the study's end over that length. Each study is checked: it ends by itself within three
minutes, the cap held at every entry of the ledger, nothing is bought twice, and the paid sums of
its rows and its confirmation are what was spent.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from hpo.study.study import open_study  # noqa: E402
from hpo.tracking.clearml.liveness import SILENT_S  # noqa: E402
from tests import oracle  # noqa: E402
from tests.clearml_server import StandIn  # noqa: E402
from tests.clearml_server.agents import Agent, in_process, search  # noqa: E402
from tests.conftest import digits_file  # noqa: E402
from tests.hpo.tracking.test_engine import STUDY, check_money  # noqa: E402

AT_ONCE = 3  # studies wait most of the time
LIMIT_S = 180.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A study's end.

    Attributes:
        seconds: of the whole study. after: seconds from the kill to the end.
        paid: micro-dollars on its rows and its confirmation. spent: settled in its ledger.
    """

    seconds: float
    after: float
    purchases: int
    paid: int
    spent: int
    twice: int


def main(moments: int) -> None:
    """Print a line for each moment, and the ratio."""
    server = StandIn()
    os.environ.update(server.settings())
    with tempfile.TemporaryDirectory() as work:
        os.environ["CLEARML_CONFIG_FILE"] = f"{work}/none.conf"
        os.environ["CLEARML_CACHE_DIR"] = f"{work}/cache"
        data = digits_file(Path(work), 90)
        study(server, Path(work), data, "first", None)  # its agents' processes are warm from now on
        calm = study(server, Path(work), data, "calm", None)
        print(f"undisturbed: {calm.seconds:.1f} s, {calm.purchases} purchases")

        def disturbed(at: int) -> Ended:
            kill_s = calm.seconds * (at + 0.5) / moments
            return study(server, Path(work), data, f"kill-{at}", kill_s, at)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            ends = list(pool.map(disturbed, range(moments)))
    for at, end in enumerate(ends):
        print(
            f"agent {at % 2} killed {'alone' if at // 2 % 2 else 'with its trial'}: ends "
            f"{end.after:.1f} s later, {end.purchases} purchases, {end.twice} bought twice, "
            f"rows ${end.paid / 1e6:.6f}, spent ${end.spent / 1e6:.6f}"
        )
        assert end.after <= LIMIT_S
        assert (end.paid, end.twice) == (end.spent, 0)
    longest = max(end.after for end in ends)
    print(f"from the kill to the end: {longest:.1f} s at most, silence {SILENT_S:.0f} s of them")
    print(f"ratio to the undisturbed study: {longest / calm.seconds:.2f}")
    server.stop()


def study(
    server: StandIn, work: Path, data: str, name: str, kill_s: float | None, at: int = 0
) -> Ended:
    """Run a study with two agents of its own, and kill one of them."""
    server.api.call("queues.create", {"name": name})
    agents = [Agent(server, name, 1, work / f"{name}-{n}.log") for n in range(2)]
    settings = {**STUDY, "study": name, "data": data, "trials": 6, "budget": "3", "confirm": "0.5"}
    options = {"queue": name, "workers": 2, "poll_s": 1.0}
    log = work / f"{name}.log"
    begun = killed = time.monotonic()
    controller = in_process(search, work / "runs", settings, options, log=log)
    if kill_s is not None:
        time.sleep(kill_s)
        while not agents[at % 2].busy and controller.exitcode is None:
            time.sleep(0.01)
        agents[at % 2].die(alone=bool(at // 2 % 2))
        killed = time.monotonic()
    while controller.exitcode is None:
        time.sleep(0.05)
    ended = time.monotonic()
    for agent in agents:
        agent.stop()
    assert controller.exitcode == 0, log.read_text()
    return checked(work / "runs" / name, ended - begun, ended - killed)


def checked(folder: Path, seconds: float, after: float) -> Ended:
    """A study's money, row by row."""
    check_money(folder)
    made = open_study(folder)
    report: dict[str, Any] = made.report()
    made.close()
    again = report["confirmation"]
    paid = sum(row["paid"]["micros"] for row in report["purchases"])
    paid += again["paid"]["micros"] if again else 0
    spent = report["money"]["spent"]["micros"]
    assert spent == oracle.settled(folder)
    return Ended(seconds, after, len(report["purchases"]), paid, spent, oracle.paid_twice(folder))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
