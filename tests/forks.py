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


class RandomKills:
    """Kills children at random moments of their runs, and counts those that were still at work.

    Args:
        moments: draws the moments.
        seconds: how long an undisturbed run takes. A busy machine may have measured too much: a
            whole run that ends before its moment says so.
    """

    def __init__(self, moments: random.Random, seconds: float) -> None:
        self.killed = 0
        self._moments = moments
        self._seconds = seconds

    @property
    def usual(self) -> float:
        """Seconds that an undisturbed run takes, as far as is known."""
        return self._seconds

    def kill(self, child: int, *, is_whole: bool = True) -> None:
        """Kill a child at some moment, and wait for its end.

        Args:
            child: its process id.
            is_whole: whether it has a whole run to do, and not the rest of a killed one.
        """
        moment = self._moments.uniform(0, self._seconds)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        was_at_work = ended(child) == -signal.SIGKILL
        self.killed += was_at_work
        if is_whole and not was_at_work:
            self._seconds = moment
