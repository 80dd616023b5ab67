"""Stop signals. Once: finish what annotators hold, and close. Twice: close now.

While no pool is open, once is enough. The command line has the handlers from its start; a script
that uses us from Python, only while pools are open or being closed. They are taken again before and
during each purchase: libraries that are loaded meanwhile, such as ClearML, set their own.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SLICE_S = 0.1
_FINISHING = (
    "labelworth: stopping: no more pages are given out; waiting for those that annotators hold "
    "(once more: close at once)\n"
)
_CLOSING = "labelworth: closing pools (once more: leave them to their expiry)\n"


class Terminated(SystemExit):
    """SIGTERM arrived: a program that does not catch it ends with the code of that signal."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


class _State:
    """The stop signals that this process has received; signals are a process's own.

    Attributes:
        held: whether our handlers are to be in place.
        at_work: whether a pool is open, so that the first signal only asks.
        closing: whether pools are being closed: not to be disturbed by one more signal.
        asked: the first signal, once it has arrived.
        ignored: signals that arrived while closing.
    """

    def __init__(self) -> None:
        self.held = False
        self.at_work = False
        self.closing = False
        self.asked = 0
        self.ignored = 0


_STATE = _State()


def install() -> None:
    """Take the stop signals of this process, from its main thread."""
    _STATE.held = True
    _STATE.asked = 0
    hold()


def hold() -> None:
    """Take them again if something else has taken them meanwhile."""
    if _STATE.held and threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is not _handle:
                signal.signal(number, _handle)


@contextmanager
def _holding() -> Iterator[None]:
    """Have the handlers for a while, and give back those that were there."""
    if _STATE.held or threading.current_thread() is not threading.main_thread():
        hold()
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    install()
    try:
        yield
    finally:
        _STATE.held = False
        for number, handler in before.items():
            signal.signal(number, handler)


def asked() -> bool:
    """Whether the process was asked to stop when it has finished."""
    hold()
    return _STATE.asked != 0


@contextmanager
def at_work(has_pools: bool) -> Iterator[None]:
    """A purchase: the first signal during it waits for its end, which then stops the process."""
    if not has_pools:
        hold()
        yield
        return
    with _holding():
        _STATE.at_work = True
        try:
            yield
        finally:
            _STATE.at_work = False
        if _STATE.asked:
            _leave(_STATE.asked)


@contextmanager
def closing() -> Iterator[None]:
    """Pools are being closed: a further signal is heard, but only the one after it acts."""
    with _holding():
        _STATE.closing = True
        try:
            yield
        finally:
            _STATE.closing = False


class PatientClock:
    """The time on the wall, with sleeps that a stop signal shortens."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds, or until the process is asked to stop."""
        before, until = asked(), time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and asked() == before:
            time.sleep(min(left, _SLICE_S))


def _handle(number: int, frame: FrameType | None) -> None:
    if _STATE.closing:
        _STATE.ignored += 1
        if _STATE.ignored == 1:
            _say(_CLOSING)
            return
    elif _STATE.at_work and not _STATE.asked:
        _STATE.asked = number
        _say(_FINISHING)
        return
    _leave(number)


def _leave(number: int) -> None:
    # A transaction that is cut short rolls back; the pool need not say so with a traceback.
    import logging  # here, as --help has to be quick

    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated


def _say(text: str) -> None:
    os.write(2, text.encode())  # a handler may interrupt any other output
