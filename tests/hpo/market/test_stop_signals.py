"""Stop signals: once waits for a purchase's end, twice does not, closing is not disturbed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from hpo.market import stop_signals


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Our handlers for one test, and a fresh state."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stop_signals._STATE.__init__()
    stop_signals.install()
    yield
    stop_signals._STATE.__init__()
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0.01)  # the interpreter gets round to it


def test_without_an_open_pool_once_is_enough() -> None:
    with pytest.raises(stop_signals.Terminated), stop_signals.at_work(has_pools=False):
        send()


def test_with_an_open_pool_the_first_waits_for_the_end_and_the_second_does_not() -> None:
    done = []

    def purchase(number: int) -> None:
        with stop_signals.at_work(has_pools=True):
            send(number)
            done.append("finished")

    with pytest.raises(KeyboardInterrupt):
        purchase(signal.SIGINT)
    assert done == ["finished"]
    with pytest.raises(stop_signals.Terminated):
        purchase(signal.SIGTERM)
    assert done == ["finished"]


def test_closing_is_disturbed_by_the_second_signal_only() -> None:
    with stop_signals.closing():
        send()
    with pytest.raises(stop_signals.Terminated), stop_signals.closing():
        send()


def test_handlers_that_others_have_taken_are_taken_back_for_a_purchase() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with pytest.raises(stop_signals.Terminated), stop_signals.at_work(has_pools=True):
        send()


def test_a_sleep_ends_when_the_process_is_asked_to_stop_and_later_ones_are_whole() -> None:
    def ask() -> None:
        stop_signals._STATE.asked = signal.SIGINT

    timer = threading.Timer(0.1, ask)
    begun = time.monotonic()
    timer.start()
    stop_signals.PatientClock().sleep(30)
    assert time.monotonic() - begun < 10
    begun = time.monotonic()
    stop_signals.PatientClock().sleep(0.2)
    assert time.monotonic() - begun >= 0.2


@pytest.fixture
def script() -> None:
    """A process that has not given us its signals: somebody's script."""
    stop_signals._STATE.__init__()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


@pytest.mark.usefixtures("script")
def test_a_script_s_handlers_are_ours_while_a_pool_is_open_and_then_its_own_again() -> None:
    done = []

    def purchase() -> None:
        with stop_signals.at_work(has_pools=True):
            send()
            done.append("finished")

    with pytest.raises(SystemExit) as ended:
        purchase()
    assert done == ["finished"]
    assert ended.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    with stop_signals.at_work(has_pools=True):  # what was asked of an earlier purchase is over
        assert not stop_signals.asked()
    with stop_signals.closing():
        send()  # heard, and not acted on
    with stop_signals.at_work(has_pools=False):
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler


@pytest.mark.usefixtures("script")
def test_a_purchase_in_another_thread_leaves_signals_alone() -> None:
    done = []

    def purchase() -> None:
        with stop_signals.at_work(has_pools=True):
            done.append(stop_signals.asked())

    thread = threading.Thread(target=purchase)
    thread.start()
    thread.join()
    assert done == [False]


def test_handlers_taken_during_a_purchase_are_taken_back_at_the_next_look() -> None:
    def purchase() -> None:
        with stop_signals.at_work(has_pools=True):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            assert not stop_signals.asked()
            send()

    with pytest.raises(stop_signals.Terminated):
        purchase()
