"""Publishing takes over from a mirror that outlives its study only to try again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import ROOT
from tests.clearml_server import StandIn
from tests.hpo.tracking.conftest import mirrored

pytest.importorskip("clearml")


@pytest.mark.slow
def test_it_takes_over_from_a_mirror_that_retries(stand_in: StandIn, folder: Path) -> None:
    stand_in.faults.down(503)
    follower = subprocess.Popen(
        [sys.executable, "-m", "hpo.publish", str(folder), "--follow"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,  # its study is over
        stdout=subprocess.DEVNULL,
    )
    lock, deadline = folder / "clearml.lock", time.monotonic() + 60
    while not (lock.exists() and "retries" in lock.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stand_in.faults.clear()
    outcome = mirrored(folder)
    assert outcome.done == outcome.wanted
    assert outcome.problems == []
    assert follower.wait(10) in (128 + signal.SIGTERM, -signal.SIGTERM, 0)  # 0: it was as quick
