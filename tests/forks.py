"""Children forked from this process, which has imported everything: none of them takes a start."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from hpo.market import stop_signals

_LOOK_S = 0.003


def forked(
    work: Callable[[], object],
    out: Path | None = None,
    err: Path | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Fork, do some work in the child, and return its process id.

    The child ends with the work's code if it gives a number, else with 0; with 1 after a traceback.

    Args:
        work: what the child does.
        out: file that its standard output is added to; None leaves it where this process has it.
        err: the same for its standard error; None takes `out`.
        cwd: its working folder.
        environment: variables that are set.
    """
    child = os.fork()
    if child:
        return child
    code: object = 1
    try:
        _prepare(out, err or out, cwd, environment or {})
        code = work()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0)


def _prepare(
    out: Path | None, err: Path | None, cwd: Path | None, environment: Mapping[str, str]
) -> None:
    """Make the child what a process is that has just been started."""
    stop_signals._STATE.__init__()  # type: ignore[misc]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number, file in ((1, out), (2, err)):
        if file is not None:
            target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(target, number)
            os.close(target)
    if out is not None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if err is not None:
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.update(environment)
    if cwd is not None:
        os.chdir(cwd)


def ended(child: int) -> int:
    """Wait for a child. Its exit code: or minus the number of the signal that killed it."""
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def cpu_seconds(child: int) -> float:
    """The CPU seconds that a child takes to its end, which must be a good one."""
    _, status, used = os.wait4(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return used.ru_utime + used.ru_stime


class RandomKills:
    """Kills children at random moments of their runs, and counts those that were still at work.

    A moment is some CPU seconds after a child's start: how busy the machine is changes nothing.

    Args:
        moments: draws the moments.
        seconds: the CPU seconds that each child is given at most; `cpu_seconds` measures a run.
    """

    def __init__(self, moments: random.Random, seconds: float) -> None:
        self.killed = 0
        self._moments = moments
        self._seconds = seconds

    def kill(self, child: int) -> bool:
        """Kill a child at some moment, and wait for its end.

        Returns:
            Whether it was still at work.
        """
        moment = self._moments.uniform(0, self._seconds)
        while not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if cpu_so_far(child) >= moment:
                os.kill(child, signal.SIGKILL)
                break
            time.sleep(_LOOK_S)
        was_at_work = ended(child) == -signal.SIGKILL
        self.killed += was_at_work
        return was_at_work

    def in_a_row(self, start: Callable[[], int], times: int) -> None:
        """Kill what is started, and started again, some times; or until it ends by itself.

        Args:
            start: starts a child that goes on with the same work; gives its process id.
            times: the most kills.
        """
        for _ in range(times):
            if not self.kill(start()):
                return


def cpu_so_far(child: int) -> float:
    """CPU seconds of a child that runs, in steps of a clock tick."""
    words = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
